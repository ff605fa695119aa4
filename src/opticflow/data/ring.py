"""A ring buffer of the newest samples on the training device, where each is used several times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opticflow.data.augmentation.batched import RawSamples
from opticflow.data.augmentation.batched.numbers import on
from opticflow.errors import InputError


@dataclass(frozen=True)
class Note:
    """The origin and the name of a sample in the ring."""

    origin: int
    """Number of its origin in the mix."""
    name: str


class Ring:
    """A ring buffer of samples; when it is full, a new sample replaces the oldest."""

    def __init__(self, capacity: int, size: tuple[int, int], device: torch.device | str = "cpu") -> None:
        """Allocate an empty buffer.

        Args:
            capacity: largest number of samples; a sample of 384x512 takes 2.2 MB.
            size: height and width of all samples.
            device: device on which they are kept.

        Raises:
            InputError: `capacity` is less than 1.
        """
        if capacity < 1:
            raise InputError(f"room for {capacity} samples; wanted at least 1")
        self.capacity = capacity
        self.put_in = 0
        """Number of samples put in so far."""
        self.taken_out = 0
        """Number of samples drawn so far, repetitions included."""
        self._room = RawSamples.empty(capacity, size, device)
        self._notes: list[Note] = []

    def __len__(self) -> int:
        """Return the number of samples in the buffer."""
        return len(self._notes)

    @property
    def uses(self) -> float:
        """Mean number of times that a sample has been used."""
        return self.taken_out / max(1, self.put_in)

    def put(self, samples: RawSamples, number: int, note: Note) -> None:
        """Copy sample number `number` of `samples`, whose flow is int16, into the buffer."""
        place = self.put_in % self.capacity  # of the oldest sample, once the ring is full
        for room, part in zip(self._room.parts, samples.parts, strict=True):
            room[place].copy_(part[number])
        self._notes[place : place + 1] = [note]  # a slice, so that it appends while the ring is not yet full
        self.put_in += 1

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[RawSamples, Sequence[Note]]:
        """Draw `batch` different samples from the buffer, all with equal probability.

        Raises:
            InputError: the buffer has fewer than `batch` samples.
        """
        if batch > len(self):
            raise InputError(f"a batch of {batch} from {len(self)} samples; wanted at least as many")
        places = rng.choice(len(self), batch, replace=False)
        self.taken_out += batch
        index = on(self._room.valid.device, places, np.int64)
        return RawSamples(*(part[index] for part in self._room.parts)), [self._notes[place] for place in places]
