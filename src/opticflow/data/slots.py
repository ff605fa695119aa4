"""Shared memory into which the workers of a stream write batches, so that only small messages go through pipes."""

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
"""Number of slots in addition to those that workers may be writing to. One would be enough: a DataLoader requests the
next batch when it returns one, and by then the batch returned before has been copied."""


class Slots:
    """Slots of shared memory for batches; a batch stays valid until its slot is used again."""

    def __init__(self, count: int, pixels: int) -> None:
        """Allocate the slots.

        Args:
            count: number of slots; each has room for one batch.
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
            The number of samples, the height and the width, for `read`.
        """
        shape = (len(samples), *samples[0].valid.shape)
        for name in ("first", "second", "flow", "valid"):
            # stacked directly into shared memory, without an intermediate copy
            np.stack([getattr(sample, name) for sample in samples], out=self._view(name, slot, shape).numpy())
        return shape

    def read(self, slot: int, shape: tuple[int, ...], names: list[str]) -> RawBatch:
        """Return the batch in a slot, without a copy."""
        first, second, flow, valid = (self._view(name, slot, shape) for name in ("first", "second", "flow", "valid"))
        return RawBatch(first, second, flow, valid, names)

    def _view(self, name: str, slot: int, shape: tuple[int, ...]) -> torch.Tensor:
        room = getattr(self, name)[slot]  # pixels of the largest batch (x channels)
        return room[: math.prod(shape)].view(*shape, *room.shape[1:])


def batches_ahead(wanted: int, workers: int, pixels: int) -> int:
    """Return the number of batches, each of `pixels` pixels, that every worker can prepare ahead: at most `wanted`, and
    0 if the free shared memory is too small."""
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0
    size = 15 * pixels  # bytes: two frames 6, flow 8, mask 1
    # `READING` slots are for the reader
    return max(0, min(wanted, (int(SHARE * free / size) - READING) // workers))


def _shared(*shape: int, kind: torch.dtype) -> torch.Tensor:
    # as in PyTorch's collate function; `share_memory_` would write to all of the memory here, one slot after another,
    # whereas the workers write to their slots at the same time
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * kind.itemsize, device="cpu")
    return torch.empty(0, dtype=kind).set_(storage).view(shape)
