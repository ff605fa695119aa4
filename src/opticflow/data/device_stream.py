"""Training batches that are augmented on the training device.

with DeviceStream(mix, crop=(384, 512), batch=32, device="cuda", workers=14, capacity=12_000) as stream:
    for batch in stream.batches():
        ...
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import torch

from opticflow.data.augmentation.batched import vary
from opticflow.data.raw import Origin, RawWorkers
from opticflow.data.ring import Note, Ring
from opticflow.data.streams import Batch
from opticflow.errors import InputError


class DeviceStream:
    """A stream of training batches: worker processes make samples, a ring buffer on the device keeps them, and the
    device augments them.

    Making a sample takes a hundred milliseconds on a CPU; training on it takes a few on a GPU. So each sample is used
    several times, with a new augmentation each time. Batches are drawn from the whole ring, so they depend on how fast
    the samples arrive: unlike the batches of a `TrainingStream`, they are not bitwise reproducible. The random numbers
    of the draws and the augmentations depend only on the seed and the step.

    The constructor starts the worker processes. The first samples take longer, since workers make their pictures on
    first use. `close` or the end of the `with` block ends the workers. The ring is kept between calls of `batches`.
    """

    def __init__(
        self,
        mix: Sequence[Origin],
        *,
        crop: tuple[int, int] | Callable[[int], tuple[int, int]],
        batch: int,
        device: torch.device | str,
        workers: int,
        capacity: int,
        size: tuple[int, int] = (384, 512),
        seed: int = 0,
        minimum: int | None = None,
        begun: float = 0.0,
        pace: float = 1.0,
        first: int = 0,
    ) -> None:
        """Start the worker processes and allocate the ring.

        Args:
            mix: worlds and data sets from which samples are drawn.
            crop: height and width of the frames in a batch, or a function that returns them for a step.
            batch: number of samples per batch.
            device: device of the ring and the batches.
            workers: number of processes that make samples.
            capacity: number of samples in the ring.
            size: height and width of the samples in the ring; larger samples are cropped at random, and smaller ones
                are an error.
            seed: random seed of the order, the draws and the augmentations.
            minimum: number of samples that must be in the ring before the first batch. None means 10 batches, but at
                least 256 samples, or a full ring if that is less.
            begun: step of the augmentation schedule at the first training step.
            pace: number of steps of that schedule per training step.
            first: number of the first draw of the workers, so that a resumed training sees new pairs.

        Raises:
            InputError: a number is out of range.
        """
        minimum = min(capacity, max(256, 10 * batch)) if minimum is None else minimum
        if not 1 <= batch <= minimum <= capacity:
            raise InputError(
                f"batches of {batch}, the first of them with {minimum} samples in a ring of {capacity}; wanted at "
                "least 1, and each no more than the next"
            )
        self.mix, self.crop, self.batch, self.size, self.seed = mix, crop, batch, size, seed
        self.minimum, self.begun, self.pace = minimum, begun, pace
        self.device = torch.device(device)
        self.ring = Ring(capacity, size, self.device)
        self.workers = RawWorkers(mix, size, workers=workers, seed=seed, first=first)
        # a separate CUDA stream, beside the one that the network uses
        self._queue = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        if self._queue:
            self._queue.wait_stream(torch.cuda.current_stream(self.device))  # pending work may use the ring's memory

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield batches without end, on the device. On a GPU the next batch is prepared while the last one trains.

        Args:
            start: number of samples that were already taken; a multiple of the batch size.

        Raises:
            InputError: `start` is not such a number.
            DatasetError: a sample cannot be read or used, or a process has died.
        """
        if start < 0 or start % self.batch:
            raise InputError(f"the training begins at sample {start}; wanted a multiple of {self.batch}")
        ready: deque[tuple[Batch, Any]] = deque()
        for step in count(start // self.batch):
            with torch.cuda.stream(self._queue):  # has no effect if there is none
                self._fill()
                ready.append((self._batch(step), self._queue.record_event() if self._queue else None))
            # on a GPU, yield a batch after the next one is queued, so that CPU and GPU work at the same time
            if len(ready) > (self._queue is not None):
                yield self._handed_over(*ready.popleft())

    @property
    def uses(self) -> float:
        """Mean number of times that a sample has been used."""
        return self.ring.uses

    def close(self) -> None:
        """Stop the worker processes."""
        self.workers.close()

    def __enter__(self) -> "DeviceStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self) -> None:
        """Copy the samples that are ready into the ring; wait until the ring has at least `minimum` samples."""
        while True:
            enough = len(self.ring) >= self.minimum
            for arrival in self.workers.arrived(0 if enough else None):
                self.ring.put(self.workers.slots, arrival.slot, Note(arrival.origin, arrival.name))
                self.workers.release(arrival.slot)
            if enough:
                return

    def _batch(self, step: int) -> Batch:
        # the random numbers of the draw depend only on the seed and the step
        raw, notes = self.ring.draw(np.random.default_rng([self.seed, 4, step]), self.batch)
        crop = self.crop(step) if callable(self.crop) else self.crop
        after = self.begun + self.pace * step
        # those of a variation depend only on the seed and the sample's position in the training
        variations = [
            self.mix[note.origin].augmentation.draw(
                np.random.default_rng([self.seed, 0, step * self.batch + number]), self.size, crop, after=after
            )
            for number, note in enumerate(notes)
        ]
        return Batch(*vary(raw, variations), [note.name for note in notes])

    def _handed_over(self, batch: Batch, event: Any) -> Batch:
        """Mark the batch as used by the network's CUDA stream."""
        if event is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(event)
            for part in (batch.first, batch.second, batch.flow, batch.valid):
                part.record_stream(current)  # its memory is not reused before that stream has finished with it
        return batch
