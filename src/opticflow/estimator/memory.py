"""How much memory an estimate takes, said before it starts."""

import copy
import math

import psutil
import torch
from torch import nn

from opticflow.errors import InputError
from opticflow.estimator.tiles import smallest_tile
from opticflow.models import FlowNetwork
from opticflow.models.cost import peak_of_tensors

PROBE = 512
"""Rows and columns of frames without contents, on which a network is tried."""
LIBRARIES = 1.1
"""The process takes this many times what its tensors take: PyTorch's convolutions reorder what goes in and out."""
STARTED = 600_000_000 if torch.version.cuda else 300_000_000
"""Bytes of a process that has imported PyTorch and this package; measured with PyTorch 2.13 on Linux."""
FIXED = 250_000_000
"""For threads, compiled code and what the allocator keeps, beyond the process before an estimate."""
WITHOUT_WEIGHTS = 110.0
"""Bytes per pixel that a method without weights takes, about: some float images."""
EDGE = 60
"""Bytes per pixel of a pair of frames that go around the network: frames, flow, and the flow that tiles start from."""


def bytes_per_pixel(network: FlowNetwork, height: int = PROBE, width: int = PROBE) -> float:
    """What a pair of frames takes in a network beyond its weights, in float32, found without computing anything.

    Args:
        network: what will run.
        height: of the frames that are tried, rounded up to what the network takes; it matters little where memory is
            linear in the pixels.
        width: likewise.
    """
    if not any(True for _ in network.parameters()):
        return max(WITHOUT_WEIGHTS, network.outside_bytes)
    with torch.inference_mode():
        memo = {id(tensor): _empty(tensor) for tensor in [*network.parameters(), *network.buffers()]}
        shadow = copy.deepcopy(network, memo)
        sides = [-(-max(side, network.min_size) // network.stride) * network.stride for side in (height, width)]
        frames = torch.empty(1, 3, *sides, device="meta")
        peak = peak_of_tensors(lambda: shadow(frames, frames, iterations=1))
    return max(LIBRARIES * (peak + 2 * frames.nbytes) / math.prod(sides), network.outside_bytes)


def memory_needed(network: FlowNetwork, pixels: int, *, height: int, width: int) -> int:
    """Bytes that this process takes at its peak when the network is given pairs of so many pixels at once.

    Args:
        network: what will run.
        pixels: of a pair, or of the largest tile.
        height: of the frames, which are held whole.
        width: of the frames.
    """
    within = math.ceil(pixels * bytes_per_pixel(network))
    return psutil.Process().memory_info().rss + FIXED + EDGE * height * width + within


def memory_of_process(network: FlowNetwork, height: int, width: int) -> int:
    """Bytes that a process of its own takes at its peak to estimate whole pairs of this size in float32 on a CPU.

    Args:
        network: what will run; its weights need no contents.
        height: of the frames.
        width: of the frames.
    """
    weights = sum(tensor.nbytes for tensor in [*network.parameters(), *network.buffers()])
    return STARTED + weights + FIXED + math.ceil(height * width * (EDGE + bytes_per_pixel(network)))


def pixels_within(network: FlowNetwork, amount: int, *, height: int, width: int) -> int:
    """The number of pixels of a pair that the network can be given at once, of frames of a size.

    Args:
        network: what will run.
        amount: bytes that the whole process may take.
        height: of the frames, which are held whole.
        width: of the frames.

    Raises:
        InputError: not even a small tile fits.
    """
    pixels = int((amount - memory_needed(network, 0, height=height, width=width)) / bytes_per_pixel(network))
    smallest = max(smallest_tile(network.stride), network.min_size**2)
    if pixels < smallest:
        needed = memory_needed(network, smallest, height=height, width=width)
        used = psutil.Process().memory_info().rss
        raise InputError(
            f"{amount / 1e9:.2g} GB are too little for frames of {width}x{height}; "
            f"at least {needed / 1e9:.2g} GB are needed (of which the process has {used / 1e9:.2g} GB)"
        )
    return pixels


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty
