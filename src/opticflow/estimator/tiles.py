"""Estimate frames that are too large to be processed at once, by overlapping tiles that start from a coarse flow.

The downsampled frames give a coarse flow first. Each tile is then matched with the part of the second frame to which
the coarse flow moves it. The remaining motion is small and stays within the tile.
"""

import math
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from jaxtyping import Float32

from opticflow.errors import InputError
from opticflow.shapes import FlowArray, Frame, MaskArray

OVERLAP = 96
"""Overlap of neighbouring tiles in pixels; more than the part of the receptive field that matters for a 1/8 feature."""

LARGEST_SCALE = 0.5
"""Largest scale of the small frames; at 1/2 the range of motion is twice as large, for a quarter of the work."""
SMALLEST = 64
"""Least length in pixels of the shorter side of the half-size frames from which the small frames are initialised."""

Tile = Float32[np.ndarray, "_ _ 2"]
EstimatePair = Callable[[Frame, Frame, FlowArray], Tile]
"""A function that estimates the flow of two frames that fit into memory, from an initial flow."""


def estimate_in_tiles(
    estimate: EstimatePair, first: Frame, second: Frame, *, pixels: int, multiple: int, start: FlowArray | None = None
) -> FlowArray:
    """Estimate the flow from `first` to `second`.

    Where tiles overlap, their flows are blended, each with a weight that falls to its borders. A network that looks
    at statistics of its whole input (RAFT's instance norm) sees those of the tile, which is an approximation.

    Args:
        estimate: estimates a pair of frames of at most `pixels` pixels.
        first: the first frame.
        second: the second frame.
        pixels: number of pixels of the largest tile.
        multiple: sides of tiles are multiples of this.
        start: an initial flow of the whole frame; None: the flow of the downsampled frames (`far_motion`).

    Raises:
        InputError: `pixels` is less than `smallest_tile`.
    """
    height, width = first.shape[:2]
    if start is None:
        scale = min(LARGEST_SCALE, math.sqrt(0.9 * pixels / (height * width)))
        start = far_motion(estimate, first, second, scale)
    rows, columns = layout(height, width, pixels, multiple)
    total = np.zeros((height, width, 2), np.float32)
    weights = np.zeros((height, width, 1), np.float32)
    for row in rows:
        for column in columns:
            own = row, column
            flow = _estimate_tile(estimate, first, second, start, own)
            weight = _ramp(row, height)[:, None, None] * _ramp(column, width)[None, :, None]
            total[own] += weight * flow
            weights[own] += weight
    total /= weights
    return total


def far_motion(
    estimate: EstimatePair, first: Frame, second: Frame, scale: float, *, halved_first: bool = True
) -> FlowArray:
    """Estimate the flow of the frames resized by `scale`, and upsample it.

    Args:
        estimate: estimates a pair of frames of the small size.
        first: the first frame.
        second: the second frame.
        scale: factor on height and width.
        halved_first: start from the flow of frames of half the small size, unless those are smaller than SMALLEST.
    """
    height, width = first.shape[:2]
    size = max(1, int(width * scale)), max(1, int(height * scale))
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in (first, second)]
    if halved_first and min(size) // 2 >= SMALLEST:
        start = far_motion(estimate, small[0], small[1], LARGEST_SCALE, halved_first=False)
    else:
        start = np.zeros((size[1], size[0], 2), np.float32)
    flow = estimate(small[0], small[1], start)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    flow *= np.array([width / size[0], height / size[1]], np.float32)
    return flow


def _estimate_tile(
    estimate: EstimatePair, first: Frame, second: Frame, seeds: FlowArray, own: tuple[slice, slice]
) -> Tile:
    """Estimate the flow of one tile: the median of its initial flow, in whole pixels, plus the remaining motion."""
    start = seeds[own]
    usual = np.rint(np.median(start.reshape(-1, 2)[::7], axis=0)).astype(int)
    y, x = (
        np.clip(np.arange(part.start, part.stop) + shift, 0, side - 1)
        for part, shift, side in zip(own, usual[::-1], second.shape, strict=False)
    )
    target = np.ascontiguousarray(second[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
    target = target[np.ix_(y - y[0], x - x[0])]  # beyond the frame its border is replicated
    moved = usual.astype(np.float32)
    return estimate(np.ascontiguousarray(first[own]), target, start - moved) + moved


def seams(tiles: Iterable[tuple[slice, slice]], height: int, width: int) -> MaskArray:
    """Return the mask of the pixels where tiles overlap, whose flows are blended."""
    covered = np.zeros((height, width), int)
    for tile in tiles:
        covered[tile] += 1
    return covered > 1


def smallest_tile(multiple: int) -> int:
    """Return the number of pixels of the smallest useful tile."""
    return _side(10**6, 10**6, multiple) ** 2


def layout(height: int, width: int, pixels: int, multiple: int) -> tuple[list[slice], list[slice]]:
    """Return the rows and columns of the grid of tiles with the least work, among the grids whose tiles fit.

    Raises:
        InputError: `pixels` is less than `smallest_tile`.
    """
    best = None
    for across in range(1, width + 1):
        tile_width = _side(width, across, multiple)
        down = next((n for n in range(1, height + 1) if _side(height, n, multiple) * tile_width <= pixels), None)
        if down is not None:
            work = across * down * tile_width * _side(height, down, multiple)
            best = min(best or (work, across, down), (work, across, down))
        if tile_width == min(width, _side(10**6, 10**6, multiple)):
            break  # tiles do not become narrower than this
    if best is None:
        raise InputError(f"tiles of {pixels} pixels are too small; wanted at least {smallest_tile(multiple)}")
    _, across, down = best
    return _cut(height, down, multiple), _cut(width, across, multiple)


def _side(length: int, count: int, multiple: int) -> int:
    """Return the length of each of `count` overlapping tiles that together cover a length."""
    return min(length, math.ceil((length + (count - 1) * OVERLAP) / count / multiple) * multiple)


def _cut(length: int, count: int, multiple: int) -> list[slice]:
    side = _side(length, count, multiple)
    starts = np.linspace(0, length - side, count).round().astype(int)
    return [slice(start, start + side) for start in starts.tolist()]


def _ramp(part: slice, length: int) -> np.ndarray:
    """Return the blending weights along one axis of a tile; they fall towards its borders inside the frame."""
    side = part.stop - part.start
    rising = (np.arange(side, dtype=np.float32) + 0.5) / min(OVERLAP, side)
    left = rising if part.start > 0 else np.full(side, np.inf, np.float32)
    right = rising[::-1] if part.stop < length else np.full(side, np.inf, np.float32)
    return np.minimum(np.minimum(left, right), 1)
