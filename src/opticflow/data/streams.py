"""An endless, deterministic stream of training batches. Its only state is the number of samples already taken.

stream = TrainingStream([Source("chairs", chairs, PRESETS["raft-chairs"])], crop=(368, 496), batch_size=10)
for batch in stream.batches(start=0): ...

and for a GPU

for batch in stream.raw_batches(start=0):
    batch = to_device(batch, "cuda")
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from opticflow.data.augmentation import Augmentation
from opticflow.data.batches import Batch, RawBatch, to_device
from opticflow.data.order import Interleaving, Shuffle
from opticflow.data.slots import READING, Slots, batches_ahead
from opticflow.errors import DatasetError, InputError, OpticflowError
from opticflow.io.prefetch import Prefetch
from opticflow.shapes import Sample

CROPS = 1000
"""Number of batches searched for the largest crop; every crop size must occur among them."""
READY = 2
"""Number of batches kept ready in pinned memory for a GPU: one, and a reserve for when a batch takes long to make."""


@runtime_checkable
class Samples(Protocol):
    """Protocol of a collection of samples: a data set, which has a length, or an endless series such as `SamplePool`,
    whose items 0, 1, 2, ... are drawn in turn."""

    def __getitem__(self, index: int, /) -> Sample: ...


@dataclass(frozen=True)
class Source:
    """One source of samples of a stream."""

    name: str
    samples: Samples
    augmentation: Augmentation
    share: float = 1.0
    """How often samples are drawn from it, relative to the other sources. To repeat each data set a certain number of
    times per epoch, as in RAFT's mix, give repetitions times length."""


@dataclass(frozen=True)
class TrainingStream:
    """The samples number 0, 1, 2, ... of a training run. Each depends only on the seed and its number."""

    sources: Sequence[Source]
    crop: tuple[int, int] | Callable[[int], tuple[int, int]]
    """Height and width of the crop, or a function that returns them for the number of a batch."""
    batch_size: int
    """Number of samples in a batch of one process."""
    seed: int = 0
    workers: int = 1
    """Number of processes that prepare batches in the background; with 0, a batch is prepared when it is requested."""
    rank: int = 0
    """Rank of this process. It takes every `world_size`-th sample, beginning with number `rank`, so that all processes
    together see the samples that one process with a batch of their total size would see."""
    world_size: int = 1
    prefetch: int = 4
    """Number of batches that each worker prepares ahead."""
    begun: float = 0.0
    """Step of the augmentation schedule at the first sample."""
    pace: float = 1.0
    """Number of steps of that schedule per batch of all processes together."""
    _interleaving: Interleaving = field(init=False, repr=False)
    _shuffles: list[Shuffle | None] = field(init=False, repr=False)

    def __post_init__(self):
        if self.batch_size < 1 or self.workers < 0 or not 0 <= self.rank < self.world_size:
            raise InputError(
                f"a batch of {self.batch_size}, {self.workers} workers, process {self.rank} of {self.world_size}; "
                "wanted at least 1, at least 0, and a process below their number"
            )
        shuffles = [_shuffle(source.samples, self.seed + number) for number, source in enumerate(self.sources)]
        object.__setattr__(self, "_interleaving", Interleaving([source.share for source in self.sources], self.seed))
        object.__setattr__(self, "_shuffles", shuffles)

    def __getitem__(self, number: int) -> Sample:
        """Return sample number `number`, augmented.

        Raises:
            DatasetError: the sample cannot be read or used; the message names it.
        """
        which, draw = self._interleaving(number)
        source, shuffle = self.sources[which], self._shuffles[which]
        index = draw if shuffle is None else shuffle(draw)
        name = f"{source.name} {index}"
        try:
            sample = source.samples[index]
            name = f"{source.name} {sample.name or index}"
            # depends only on the seed and the number, not on the worker that makes the sample
            rng = np.random.default_rng([self.seed, 0, number])
            # the schedule advances with each batch of all processes together
            after = self.begun + self.pace * (number // (self.batch_size * self.world_size))
            varied = source.augmentation.apply(sample, rng, self._crop(number), after=after)
            if not np.isfinite(varied.flow).all():
                raise DatasetError("its flow is NaN or infinite at pixels that count as known")
            return varied.replace(name=name)
        except (OpticflowError, OSError, cv2.error, ValueError) as error:
            raise DatasetError(
                f"sample {number} of the training, {name}: {error}; leave it out of its data set or repair it"
            ) from error

    def _crop(self, number: int) -> tuple[int, int]:
        """Return the crop size of a sample, which is that of its whole batch."""
        return self.crop(number // (self.batch_size * self.world_size)) if callable(self.crop) else self.crop

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield batches without end.

        Args:
            start: number of samples that all processes together have already taken; a multiple of `world_size`.

        Raises:
            InputError: `start` is not such a number.
            DatasetError: a sample cannot be read or used.
        """
        return (to_device(batch, "cpu") for batch in self._loaded(start))

    def raw_batches(self, start: int = 0) -> Iterator[RawBatch]:
        """Yield the same batches for a GPU, as input of `to_device`: in pinned memory, with some prepared ahead.

        Workers write them into shared memory if it has room for at least one batch per worker. Otherwise the batches go
        through a pipe, which takes several times as long.
        """
        if not self.workers:  # nothing is done in the background
            yield from map(RawBatch.pinned, self._loaded(start))
            return
        # crops may differ from batch to batch, and a slot must hold the largest
        crops = [self.crop(batch) for batch in range(CROPS)] if callable(self.crop) else [self.crop]
        pixels = self.batch_size * max(height * width for height, width in crops)
        ahead = batches_ahead(self.prefetch, self.workers, pixels * self.world_size)
        slots = Slots(self.workers * ahead + READING, pixels) if ahead else None
        with Prefetch(map(RawBatch.pinned, self._loaded(start, slots, ahead)), READY) as batches:
            yield from batches

    def _loaded(self, start: int, slots: Slots | None = None, ahead: int = 0) -> Iterator[RawBatch]:
        if start < 0 or start % self.world_size:
            raise InputError(f"the training begins at sample {start}; wanted a multiple of {self.world_size} processes")
        # a resumed training begins at the number where it stopped; nothing is replayed
        numbers: Any = _Numbers(start + self.rank, self.world_size, self.batch_size)
        what: dict[str, Any] = {"dataset": _Numbered(self), "batch_sampler": numbers, "collate_fn": _stacked}
        # with slots, whole batches come through shared memory; otherwise the workers stack samples and send them
        if slots:
            turns: Any = slots.turns(numbers)
            what = {"dataset": _Slotted(self, slots), "sampler": turns, "batch_size": None, "collate_fn": _unchanged}
        loader = DataLoader(
            **what,
            num_workers=self.workers,
            prefetch_factor=(ahead or self.prefetch) if self.workers else None,
            worker_init_fn=_begin_worker,
            multiprocessing_context="spawn" if self.workers else None,  # forking a process with threads may hang it
            generator=torch.Generator(),  # else it would draw from the global generator, and once more on resuming
        )
        ready = iter(loader)
        # until the first batch arrives, a worker may also have failed to start
        why = 'out of memory perhaps, or as a script starts it outside of `if __name__ == "__main__":`'
        while True:
            try:
                stacked = next(ready)
            except RuntimeError as error:
                raise DatasetError(
                    f"a process that prepares samples has died, {why} ({error}); resume with fewer workers or a "
                    "smaller pool"
                ) from error
            why = "out of memory perhaps"
            if isinstance(stacked, DatasetError):
                raise stacked
            if slots:
                yield slots.read(*stacked)
            else:
                first, second, flow, valid = map(torch.from_numpy, stacked[:-1])
                yield RawBatch(first, second, flow, valid, stacked[-1])


def _shuffle(samples: Samples, seed: int) -> Shuffle | None:
    length = getattr(samples, "__len__", None)
    return None if length is None else Shuffle(length(), seed)


class _Numbered(Dataset):
    """PyTorch data set of the stream's samples, for a DataLoader. Errors are returned as values, since the loader would
    wrap them in a traceback."""

    def __init__(self, stream: TrainingStream) -> None:
        self.stream = stream

    def __getitem__(self, number: int) -> Sample | DatasetError:
        try:
            return self.stream[number]
        except DatasetError as error:
            return DatasetError(str(error))


class _Slotted(Dataset):
    """PyTorch data set of whole batches of the stream, each written into its slot of shared memory."""

    def __init__(self, stream: TrainingStream, slots: Slots) -> None:
        self.numbered, self.slots = _Numbered(stream), slots

    def __getitem__(self, turn: tuple[int, list[int]]) -> tuple[int, tuple[int, ...], list[str]] | DatasetError:
        slot, numbers = turn
        samples = []
        for number in numbers:
            sample = self.numbered[number]
            if isinstance(sample, DatasetError):
                return sample
            samples.append(sample)
        shape = self.slots.write(slot, samples)
        return slot, shape, [sample.name for sample in samples]


class _Numbers:
    """Endless lists of sample numbers, one list for each batch: every `step`-th number from `first` on."""

    def __init__(self, first: int, step: int, size: int) -> None:
        self.first, self.step, self.size = first, step, size

    def __iter__(self) -> Iterator[list[int]]:
        number = self.first
        while True:
            # this process takes every `step`-th number; the others take the numbers in between
            yield [number + self.step * i for i in range(self.size)]
            number += self.step * self.size


def _begin_worker(_: int) -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a worker when its parent process has ended; otherwise it may wait on its queue for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _unchanged(answer: Any) -> Any:
    return answer


def _stacked(samples: list[Sample | DatasetError]) -> Any:
    """Stack samples into arrays, or return the first error. Frames stay in 8 bits until they reach the training
    process. Tensors are not used: a tensor needs shared memory, of which containers have little, and a worker that ends
    while it sends one may abort in C++."""
    for sample in samples:
        if isinstance(sample, DatasetError):
            return sample
    whole = [sample for sample in samples if isinstance(sample, Sample)]
    arrays = (np.stack([getattr(sample, name) for sample in whole]) for name in ("first", "second", "flow", "valid"))
    return *arrays, [sample.name for sample in whole]
