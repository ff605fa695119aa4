"""Training batches that are augmented on the device that trains.

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
    """Samples that worker processes make, kept in a ring buffer on the device and augmented there.

    Making a sample costs a hundred milliseconds of a processor, training on it a few of a GPU: so a sample is used
    several times, in another variation each time. Batches draw from all that the ring holds, so one training's batches
    depend on how fast the samples came: unlike those of a `TrainingStream` they cannot be had again bit for bit.
    The draws and the variations are functions of the seed and the step.

    It begins with starting its processes, which make their stocks of pictures first. `close`, or the end of the
    `with`, ends them; the ring is kept between calls of `batches`.
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
        """
        Args:
            mix: what samples are drawn from.
            crop: height and width of the batches, or a function that tells it for each step.
            batch: samples in each.
            device: where they are wanted.
            workers: processes that make samples.
            capacity: samples in the ring.
            size: height and width of the samples in the ring: larger ones are cropped to it at random, smaller ones
                refused.
            seed: of order, draws and variations.
            minimum: samples that must be there before the first batch; if not given 10 batches and at least 256, or a
                full ring if that is less.
            begun: the step at which the augmentations' schedule stands at the first step.
            pace: steps of that schedule for each one.
            first: the number of the first pair that is made, so that a resumed training sees new pairs.

        Raises:
            InputError: numbers that make no sense.
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
        # a queue of its own beside the one in which the network's work waits
        self._queue = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        if self._queue:
            self._queue.wait_stream(torch.cuda.current_stream(self.device))  # the ring may lie where work still waits

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield batches without end, on the device. On a GPU the next batch is prepared while the last one trains.

        Args:
            start: number of samples that were already taken; a multiple of the batch.

        Raises:
            InputError: `start` is not such a number.
            DatasetError: a sample cannot be read or used, or a process has died.
        """
        if start < 0 or start % self.batch:
            raise InputError(f"the training begins at sample {start}; wanted a multiple of {self.batch}")
        ready: deque[tuple[Batch, Any]] = deque()
        for step in count(start // self.batch):
            with torch.cuda.stream(self._queue):  # nothing without one
                self._fill()
                ready.append((self._batch(step), self._queue.record_event() if self._queue else None))
            # on a GPU a batch is given out once the next one is queued, so that both devices work at the same time
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
        """Move the samples that the workers have ready into the ring; wait until there are enough."""
        while True:
            enough = len(self.ring) >= self.minimum
            for arrival in self.workers.arrived(0 if enough else None):
                self.ring.put(self.workers.slots, arrival.slot, Note(arrival.origin, arrival.name))
                self.workers.release(arrival.slot)
            if enough:
                return

    def _batch(self, step: int) -> Batch:
        # the draw depends on the seed and the step alone
        raw, notes = self.ring.draw(np.random.default_rng([self.seed, 4, step]), self.batch)
        crop = self.crop(step) if callable(self.crop) else self.crop
        after = self.begun + self.pace * step
        # a variation depends on the seed and on the sample's place in the training alone
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
                part.record_stream(current)  # its memory is not used again before that queue is done with it
        return batch
