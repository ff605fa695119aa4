"""Far motion, found where it is near: in smaller frames."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float32

from opticflow.shapes import FlowArray, Frame

Pair = Callable[[Frame, Frame, FlowArray], Float32[np.ndarray, "_ _ 2"]]
"""Estimates the flow of two frames that fit into memory, from a start."""

HALF = 0.5
"""Of the sides: a quarter of the work, and twice the reach."""
LEVELS = 2
"""Half and a quarter: an eighth leaves too little to see."""
SMALLEST = 64
"""Pixels of the shorter side that are still worth an estimate of their own."""


def coarse_flow(estimate: Pair, first: Frame, second: Frame, scale: float = HALF, levels: int = LEVELS) -> FlowArray:
    """The flow of the frames at a part of their size, enlarged: where a method can start from.

    Args:
        estimate: for a pair of that part of the size.
        first: the first frame.
        second: the second frame.
        scale: of the sides.
        levels: that estimate starts from one at half its size in turn, and so on, so many estimates in all.
    """
    height, width = first.shape[:2]
    (size, *smaller) = coarse_sizes(width, height, scale, levels)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in (first, second)]
    if smaller:
        start = coarse_flow(estimate, small[0], small[1], HALF, levels - 1)
    else:
        start = np.zeros((size[1], size[0], 2), np.float32)
    flow = estimate(small[0], small[1], start)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    flow *= np.array([width / size[0], height / size[1]], np.float32)
    return flow


def coarse_sizes(width: int, height: int, scale: float = HALF, levels: int = LEVELS) -> list[tuple[int, int]]:
    """Widths and heights of the frames that `coarse_flow` estimates, the largest first."""
    size = max(1, int(width * scale)), max(1, int(height * scale))
    ends = levels <= 1 or min(size) * HALF < SMALLEST
    return [size] if ends else [size, *coarse_sizes(*size, HALF, levels - 1)]
