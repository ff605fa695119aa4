"""A ring buffer of samples on the training device: the newest ones, each used several times."""

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
        """
        Args:
            capacity: samples; one of 384x512 takes 2.2 MB.
            size: height and width of them all.
            device: where they are kept.

        Raises:
            InputError: no room at all.
        """
        if capacity < 1:
            raise InputError(f"room for {capacity} samples; wanted at least 1")
        self.capacity = capacity
        self.put_in = 0
        """Samples put in so far."""
        self.taken_out = 0
        """Uses of samples so far."""
        self._room = RawSamples.empty(capacity, size, device)
        self._notes: list[Note] = []

    def __len__(self) -> int:
        """Number of samples in the buffer."""
        return len(self._notes)

    @property
    def uses(self) -> float:
        """Mean number of times that a sample has been used."""
        return self.taken_out / max(1, self.put_in)

    def put(self, samples: RawSamples, number: int, note: Note) -> None:
        """Copy sample number `number` of `samples`, whose flow has 16 bits, into the ring."""
        place = self.put_in % self.capacity  # of the oldest sample, once the ring is full
        for room, part in zip(self._room.parts, samples.parts, strict=True):
            room[place].copy_(part[number])
        self._notes[place : place + 1] = [note]  # a slice, so that it appends while the ring is not yet full
        self.put_in += 1

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[RawSamples, Sequence[Note]]:
        """Draw different samples of the buffer, all with equal probability.

        Raises:
            InputError: there are not so many.
        """
        if batch > len(self):
            raise InputError(f"a batch of {batch} from {len(self)} samples; wanted at least as many")
        places = rng.choice(len(self), batch, replace=False)
        self.taken_out += batch
        index = on(self._room.valid.device, places, np.int64)
        return RawSamples(*(part[index] for part in self._room.parts)), [self._notes[place] for place in places]
