"""Stacks of flow for two-stream networks, as a data set of PyTorch."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from os import PathLike
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from opticflow.errors import InputError
from opticflow.store.flow_store import FlowReader, open_store


class FlowStacks(Dataset[tuple[Tensor, int]]):
    """Stacks of L consecutive flows of many clips: the input of the temporal stream of Simonyan and Zisserman
    ("Two-Stream Convolutional Networks for Action Recognition in Videos", NeurIPS 2014, section 3.1).

    An item is the stack, 2L x H x W float32 in pixels, in the order u1, v1, u2, v2 ..., and the index of its clip.

    Args:
        clips: stores, their paths, or `FlowClip`s.
        length: number of flows in a stack, L.
        sampling: `random`: an item for each clip, from a place drawn anew each time by PyTorch's random numbers, for
            training; `dense`: an item for each place in each clip, for tests.
        backward: the backward flow of each pair instead of its forward flow.
        transform: applied to each stack: crop, subtract the mean, divide ...

    Raises:
        InputError: no clips, another sampling, or a clip that is shorter than a stack.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> stacks = opticflow.FlowStacks(["clip.flows"], length=2)
        >>> for stack, clip in DataLoader(stacks, batch_size=1):
        ...     print(tuple(stack.shape), clip)
        (1, 4, 64, 96) tensor([0])
    """

    def __init__(
        self,
        clips: Sequence[FlowReader | str | PathLike[str]],
        *,
        length: int = 10,
        sampling: Literal["random", "dense"] = "random",
        backward: bool = False,
        transform: Callable[[Tensor], Tensor] | None = None,
    ):
        if sampling not in ("random", "dense"):
            raise InputError(f"there is no sampling {sampling!r}; known are random, dense")
        if not clips or length < 1:
            raise InputError(f"got {len(clips)} clips and a length of {length}; wanted at least one of each")
        self.clips = [clip if isinstance(clip, FlowReader) else open_store(clip) for clip in clips]
        self.length, self.sampling, self.backward, self.transform = length, sampling, backward, transform
        places = [len(clip) - length + 1 for clip in self.clips]
        for clip, count in zip(self.clips, places, strict=True):
            if count < 1:
                raise InputError(f"{clip!r} has {len(clip)} pairs; wanted at least {length}, the length of a stack")
        self._ends = list(accumulate(places))

    def __len__(self) -> int:
        return len(self.clips) if self.sampling == "random" else self._ends[-1]

    def __getitem__(self, item: int) -> tuple[Tensor, int]:
        if not -len(self) <= item < len(self):
            raise IndexError(f"there is no item {item}; the data set has {len(self)}")
        item %= len(self)
        if self.sampling == "random":
            index = item
            start = int(torch.randint(len(self.clips[index]) - self.length + 1, ()))
        else:
            index = bisect_right(self._ends, item)
            start = item - (self._ends[index - 1] if index else 0)
        stack = torch.from_numpy(self.clips[index].stack(start, self.length, backward=self.backward))
        return self.transform(stack) if self.transform else stack, index
