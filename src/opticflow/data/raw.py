"""Samples before augmentation: worker processes generate or read them and pass them on in shared memory.

A pair of frames with its flow takes 2 MB. To receive it through a pipe would take the parent process longer than a GPU
needs to train on it. So each worker writes into a few slots of memory that it shares with the parent, and only the
number of a slot goes through its pipe: to the parent when the slot is full, and back when it may be filled again.
"""

import signal
import weakref
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, cast

import cv2
import numba
import numpy as np
import torch
import torch.multiprocessing
from jaxtyping import Int16

from opticflow.data.augmentation import Augmentation
from opticflow.data.augmentation.batched import STEPS, RawSamples
from opticflow.data.order import Interleaving, Shuffle
from opticflow.data.pool import PairSeries
from opticflow.errors import DatasetError, InputError, OpticflowError
from opticflow.runtime.interrupts import interrupts_held_back
from opticflow.scenes.rendered import RenderedPair
from opticflow.shapes import FlowArray, MaskArray, Sample


@dataclass(frozen=True)
class Origin:
    """A world or data set in a mix."""

    name: str
    make: Callable[[], PairSeries]
    """Function that makes the world or data set, called once in every worker: `partial(make_world, "chairs", seed)` or
    `partial(open_dataset, "chairs", folder)`. It is sent to the workers instead of its result, so it must be
    picklable. A data set, which has a length, is read in a new order in each epoch. Of each pair of a world, both
    directions of time are used."""
    augmentation: Augmentation
    share: float = 1.0
    """How often samples are drawn from it, relative to the other origins."""


class Arrival(NamedTuple):
    """A sample that is ready in a slot of shared memory."""

    slot: int
    origin: int
    """Number of its origin in the mix."""
    name: str


def in_steps(flow: FlowArray, valid: MaskArray) -> tuple[Int16[np.ndarray, "height width 2"], MaskArray]:
    """Round flow to steps of 1/32 pixel, with an error of at most 1/64 pixel; also return the mask where it is known.

    Vectors of 1024 pixels and more, which leave almost any frame, do not fit into 16 bits and count as unknown.

    Raises:
        DatasetError: the flow is NaN or infinite at a pixel that counts as known.
    """
    if not np.isfinite(flow[valid]).all():
        raise DatasetError("its flow is NaN or infinite at pixels that count as known")
    steps = np.rint(flow * np.float32(STEPS))  # H x W x 2, 1/32 pixel
    # the whole vector is unknown where either component overflows
    fits = valid & (np.abs(steps) < 2**15).all(-1)
    return np.where(fits[..., None], steps, 0).astype(np.int16), fits


def cut(sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Sample:
    """Return a random crop (height, width) of a sample.

    Raises:
        DatasetError: the frames are smaller than the crop.
    """
    height, width = sample.valid.shape
    if height < size[0] or width < size[1]:
        raise DatasetError(
            f"its frames are {width}x{height}, smaller than the {size[1]}x{size[0]} that are kept of all; "
            "keep smaller ones"
        )
    y, x = int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1))
    box = np.s_[y : y + size[0], x : x + size[1]]
    parts = {name: getattr(sample, name)[box] for name in ("first", "second", "flow", "valid", "occluded")}
    return sample.replace(**parts)


class RawWorkers:
    """Worker processes that fill slots of shared memory with samples of a mix, endlessly.

    Draw number i is the same whichever worker makes it, but the order of arrival depends on how long each draw takes.
    A worker waits while all its slots are full. The workers end when `close` is called, when this object is deleted, or
    when this process ends for any reason. The shared memory has no name, so none of it can be left behind.
    """

    def __init__(
        self,
        mix: Sequence[Origin],
        size: tuple[int, int],
        *,
        workers: int,
        seed: int = 0,
        slots: int = 6,
        first: int = 0,
    ) -> None:
        """Start the worker processes.

        Args:
            mix: worlds and data sets from which samples are drawn.
            size: height and width of the slots; larger samples are cropped at random, and smaller ones are an error.
            workers: number of processes.
            seed: random seed of the order and the crops.
            slots: number of slots per worker; enough for the samples that it makes between two calls of `arrived`.
            first: number of the first draw.

        Raises:
            InputError: `workers` or `slots` is less than 1, or a share is not larger than 0.
        """
        if workers < 1 or slots < 1:
            raise InputError(f"{workers} workers with {slots} slots; wanted at least 1 each")
        Interleaving([origin.share for origin in mix], seed)  # raises an error for invalid shares
        # worker w fills the slots from w * slots to before (w + 1) * slots, so that no two write to the same place
        self.slots = RawSamples.empty(workers * slots, size)
        for part in self.slots.parts:
            part.share_memory_()
        self._per_worker = slots
        context = torch.multiprocessing.get_context("spawn")  # forking a process with threads may hang it
        self.pipes: list[Connection] = []
        self.processes: list = []
        self._end = weakref.finalize(self, _end, self.processes, self.pipes)
        with interrupts_held_back():
            for worker in range(workers):
                ours, theirs = context.Pipe()
                own = list(range(worker * slots, (worker + 1) * slots))
                arguments = (theirs, self.slots, own, list(mix), seed, first + worker, workers)
                process = context.Process(target=_work, args=arguments, daemon=True, name=f"samples {worker}")
                self.pipes.append(ours)
                process.start()
                self.processes.append(process)
                theirs.close()  # so that the pipe is closed when its worker dies

    def arrived(self, timeout: float | None = None) -> list[Arrival]:
        """Return the samples that are ready; a worker reuses their slots after `release`.

        Args:
            timeout: seconds to wait for a sample; None means to wait as long as necessary.

        Raises:
            DatasetError: a sample cannot be read or used, or a worker has died.
        """
        found = []
        for pipe in wait(self.pipes, timeout):
            assert isinstance(pipe, Connection)
            try:
                found.append(pipe.recv())
                while pipe.poll():
                    found.append(pipe.recv())
            except (EOFError, OSError) as error:
                process = self.processes[self.pipes.index(pipe)]
                process.join(5)
                raise DatasetError(
                    f"a process that makes samples has died with exit code {process.exitcode}, out of memory or of "
                    "shared memory perhaps; try fewer workers"
                ) from error
        for message in found:
            if isinstance(message, str):
                raise DatasetError(message)
        return found

    def release(self, slot: int) -> None:
        """Give a slot back to its worker."""
        try:
            self.pipes[slot // self._per_worker].send(slot)
        except OSError:  # the worker has ended; `arrived` says why
            pass

    def close(self) -> None:
        """Stop all worker processes."""
        self._end()


def _end(processes: list, pipes: list[Connection]) -> None:
    # ask all processes to end before waiting for the first
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
    for pipe in pipes:
        pipe.close()


def _work(
    pipe: Connection, slots: RawSamples, free: list[int], mix: list[Origin], seed: int, first: int, workers: int
) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent alone handles it and ends the workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, height, width = slots.valid.shape
    for set_threads in (torch.set_num_threads, cv2.setNumThreads, numba.set_num_threads):
        set_threads(1)  # the workers are the parallelism
    try:
        for origin, name, parts in _samples(mix, (height, width), seed, first, workers):
            if not free:
                free.append(pipe.recv())
            slot = free.pop()
            for room, part in zip(slots.parts, parts, strict=True):
                room[slot].numpy()[:] = part
            pipe.send(Arrival(slot, origin, name))
            while pipe.poll():
                free.append(pipe.recv())
    except (EOFError, ConnectionError):
        return  # the parent has ended
    except DatasetError as error:
        pipe.send(" ".join(str(error).split()))


def _samples(
    mix: list[Origin], size: tuple[int, int], seed: int, first: int, workers: int
) -> Iterator[tuple[int, str, tuple[np.ndarray, ...]]]:
    """Yield the samples of one worker: number of the origin, name, and the parts of a `RawSamples`."""
    interleaving = Interleaving([origin.share for origin in mix], seed)
    opened: dict[int, _Opened] = {}
    # worker k of n makes the draws k, k + n, k + 2 n ..., so that none is made twice
    for position in count(first, workers):
        which, draw = interleaving(position)
        name = f"{mix[which].name} {draw}"
        # the crop depends on the position alone, not on which worker makes it
        rng = np.random.default_rng([seed, 5, position])
        # yield both samples of a draw or none
        ready = []
        try:
            if which not in opened:
                opened[which] = _Opened(mix[which].make(), seed + which)
            for sample in opened[which].two(draw):
                name = f"{mix[which].name} {sample.name or draw}"
                whole = cut(sample, size, rng)
                ready.append((which, name, (whole.first, whole.second, *in_steps(whole.flow, whole.valid))))
        except (OpticflowError, OSError, cv2.error, ValueError) as error:
            raise DatasetError(f"{name}: {error}; leave it out of its data set or repair it") from error
        yield from ready


class _Opened:
    """A world or a data set from which each draw takes two samples."""

    def __init__(self, samples: PairSeries, seed: int) -> None:
        self.samples = samples
        self.order = Shuffle(len(samples), seed) if isinstance(samples, Sized) else None

    def two(self, draw: int) -> list[Sample]:
        """Return both directions of a pair, or two samples of the data set."""
        if self.order is None:
            pair = self.samples[draw]
            assert isinstance(pair, RenderedPair)
            return [pair.sample(), pair.reversed().sample()]
        return [cast(Sample, self.samples[self.order(2 * draw + number)]) for number in (0, 1)]
