"""Shared memory that the workers of a stream write batches into, so that only a number goes through their pipe."""

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import torch

from opticflow.data.batches import RawBatch
from opticflow.shapes import Sample

SHARED_MEMORY = Path("/dev/shm")
"""The folder of shared memory on Linux. Containers often have only 64 MB of it."""
SHARE = 0.8
"""Share of the free shared memory that the slots may take."""
READING = 2
"""Slots beyond those that workers may be writing to. One is enough: a DataLoader asks for the next batch when it
returns one, so that the batch returned before it has been copied by then."""


class Slots:
    """Slots of shared memory for batches; a batch stays valid until its slot is used again."""

    def __init__(self, count: int, pixels: int) -> None:
        """
        Args:
            count: how many batches there is room for.
            pixels: number of pixels in the largest batch, all samples together.
        """
        self.first, self.second = (_shared(count, pixels, 3, kind=torch.uint8) for _ in range(2))
        self.flow, self.valid = _shared(count, pixels, 2, kind=torch.float32), _shared(count, pixels, kind=torch.bool)

    def turns(self, batches: Iterable[list[int]]) -> Iterator[tuple[int, list[int]]]:
        """Yield the sample numbers of each batch together with its slot."""
        return zip(cycle(range(len(self.first))), batches, strict=False)

    def write(self, slot: int, samples: Sequence[Sample]) -> tuple[int, ...]:
        """Write a batch of samples into a slot.

        Returns:
            Samples, height and width, which `read` wants to know.
        """
        shape = (len(samples), *samples[0].valid.shape)
        for name in ("first", "second", "flow", "valid"):
            # stacked straight into shared memory, without a copy in between
            np.stack([getattr(sample, name) for sample in samples], out=self._view(name, slot, shape).numpy())
        return shape

    def read(self, slot: int, shape: tuple[int, ...], names: list[str]) -> RawBatch:
        """Return the batch in a slot, without a copy."""
        first, second, flow, valid = (self._view(name, slot, shape) for name in ("first", "second", "flow", "valid"))
        return RawBatch(first, second, flow, valid, names)

    def _view(self, name: str, slot: int, shape: tuple[int, ...]) -> torch.Tensor:
        room = getattr(self, name)[slot]  # pixels of the largest batch, x channels where there are any
        return room[: math.prod(shape)].view(*shape, *room.shape[1:])


def batches_ahead(wanted: int, workers: int, pixels: int) -> int:
    """Return how many batches of this many pixels each worker can prepare ahead in the free shared memory, at most the
    wanted number."""
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0
    size = 15 * pixels  # bytes: two frames 6, flow 8, mask 1
    # the slots beyond those of the workers are for the reader
    return max(0, min(wanted, (int(SHARE * free / size) - READING) // workers))


def _shared(*shape: int, kind: torch.dtype) -> torch.Tensor:
    # as PyTorch's own collate function does: `share_memory_` would touch all of it here, where workers do it at once
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * kind.itemsize, device="cpu")
    return torch.empty(0, dtype=kind).set_(storage).view(shape)
