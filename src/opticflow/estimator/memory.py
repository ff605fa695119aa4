"""Predict how much memory an estimate takes."""

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
"""Height and width of the meta tensors on which the memory of a network is measured."""
LIBRARIES = 1.1
"""Ratio of the process's memory to that of its tensors: PyTorch's convolutions reorder their inputs and outputs."""
STARTED = 600_000_000 if torch.version.cuda else 300_000_000
"""Bytes of a process that has imported PyTorch and this package; measured with PyTorch 2.13 on Linux."""
FIXED = 250_000_000
"""Bytes for threads, compiled code and what the allocator keeps, in addition to the process before an estimate."""
WITHOUT_WEIGHTS = 110.0
"""Approximate bytes per pixel of a method without weights: some float images."""
EDGE = 60
"""Bytes per pixel of a pair of frames outside of the network: frames, flow, and the initial flow of tiles."""


def bytes_per_pixel(network: FlowNetwork, height: int = PROBE, width: int = PROBE) -> float:
    """Return the bytes per pixel that a network takes for a pair of frames, beyond its weights, in float32; measured
    on meta tensors, without computing anything.

    Args:
        network: the network that will run.
        height: height of the frames of the measurement, rounded up to what the network takes; it matters little where
            memory is linear in the number of pixels.
        width: width of these frames, rounded up as well.
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
    """Return the peak memory of this process, in bytes, when the network is given pairs of this many pixels at once.

    Args:
        network: the network that will run.
        pixels: number of pixels of a frame, or of the largest tile.
        height: height of the frames, which are in memory as a whole.
        width: width of the frames.
    """
    within = math.ceil(pixels * bytes_per_pixel(network))
    return psutil.Process().memory_info().rss + FIXED + EDGE * height * width + within


def memory_of_process(network: FlowNetwork, height: int, width: int) -> int:
    """Return the peak memory, in bytes, of a new process that estimates whole pairs of this size in float32 on a CPU.

    Args:
        network: the network that will run; its weights may be meta tensors.
        height: height of the frames.
        width: width of the frames.
    """
    weights = sum(tensor.nbytes for tensor in [*network.parameters(), *network.buffers()])
    return STARTED + weights + FIXED + math.ceil(height * width * (EDGE + bytes_per_pixel(network)))


def pixels_within(network: FlowNetwork, amount: int, *, height: int, width: int) -> int:
    """Return the number of pixels that the network can process at once, for frames of this size.

    Args:
        network: the network that will run.
        amount: number of bytes that the whole process may take.
        height: height of the frames, which are in memory as a whole.
        width: width of the frames.

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
