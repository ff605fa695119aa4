"""The cost of a network, in parameters, multiply-adds and memory, measured by running it on meta tensors."""

import os
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from opticflow.models.network import FlowNetwork


@dataclass(frozen=True)
class Cost:
    """The cost of one pair of frames in float32."""

    parameters: int
    multiply_adds: int
    """Multiply-adds of convolutions and matrix products, and of the refinement; not counted are sampling, RAFT's
    products that are computed during lookups, and element-wise work."""
    memory: int
    """Bytes of the weights and of the peak of all tensors. PyTorch and its libraries need more, for themselves and
    within convolutions."""


class _LargestSum(TorchDispatchMode):
    """Tracks the peak of the total size of all tensors that are created in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.largest = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.seen:
            return
        self.seen.add(key)
        self.now += storage.nbytes()
        self.largest = max(self.largest, self.now)
        weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def measure_cost(build: Callable[[], FlowNetwork], height: int, width: int, iterations: int | None = None) -> Cost:
    """Return the cost of a network at a size, which is rounded up to what the network takes.

    Args:
        build: makes the network, which must run on meta tensors, as the learned networks do.
        height: height of the frames.
        width: width of the frames.
        iterations: number of iterations of an iterative network; None: its own.
    """
    with process_left_alone(), torch.device("meta"), torch.inference_mode():
        network = build().to("meta").eval()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        weights = sum(t.nbytes for t in [*network.parameters(), *network.buffers()])
        sides = (-(-max(side, network.min_size) // network.stride) * network.stride for side in (height, width))
        frames = torch.empty(1, 3, *sides)
        with FlopCounterMode(display=False) as operations:
            peak = peak_of_tensors(lambda: network(frames, frames, iterations=iterations))
    work = operations.get_total_flops() // 2 + network.outside_multiply_adds * height * width
    return Cost(parameters, work, weights + 2 * frames.nbytes + peak)


def peak_of_tensors(run: Callable[[], object]) -> int:
    """Return the peak size in bytes of the tensors that a function creates."""
    with process_left_alone(), _LargestSum() as alive:
        run()
    return alive.largest


@contextmanager
def process_left_alone() -> Iterator[None]:
    """Return a context for meta tensors. At their first use PyTorch may import its compilers, which change the
    environment and the filters of warnings; both are restored afterwards."""
    before = os.environ.copy()
    with warnings.catch_warnings():
        try:
            yield
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
