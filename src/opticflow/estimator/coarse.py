"""Far motion, found where it is near: in smaller frames."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float32

from opticflow.shapes import FlowArray, Frame

Pair = Callable[[Frame, Frame, FlowArray], Float32[np.ndarray, "_ _ 2"]]
"""Estimates the flow of two frames that fit into memory, from a start."""

HALF = 0.5
"""Of the sides: a quarter of the work, and twice the reach. Smaller was no better on the public pairs."""


def coarse_flow(estimate: Pair, first: Frame, second: Frame, scale: float = HALF) -> FlowArray:
    """The flow of the frames at a part of their size, enlarged: where a method can start from.

    Args:
        estimate: for a pair of that part of the size.
        first: the first frame.
        second: the second frame.
        scale: of the sides.
    """
    height, width = first.shape[:2]
    size = max(1, int(width * scale)), max(1, int(height * scale))
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in (first, second)]
    flow = estimate(small[0], small[1], np.zeros((size[1], size[0], 2), np.float32))
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    flow *= np.array([width / size[0], height / size[1]], np.float32)
    return flow
