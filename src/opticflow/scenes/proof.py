"""Photometric check of the ground truth: the second frame, warped along the flow, must equal the first frame at all
pixels that are not occluded.

The error is the mean absolute difference of the three channels, in grey levels. Where two surfaces meet, linear
interpolation mixes their colours, so pixels near such borders are also reported separately: the rim consists of all
pixels that have another layer among their eight neighbours, in the first frame or at their target in the second.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32

from opticflow.ops.warp import warp
from opticflow.scenes.rendered import InstanceMap, RenderedPair
from opticflow.shapes import FlowArray, MaskArray

BIN = 0.05
"""Bin width of the histograms: in grey levels, or in hundredths of a pixel for `cycle`."""
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Residuals:
    """Residuals of one pair, for each pixel of the first frame."""

    error: Float32[np.ndarray, "height width"]
    """Mean absolute difference between the first frame and the second frame warped with the true flow, in grey
    levels."""
    disturbed: Float32[np.ndarray, "height width"]
    """The same difference with a flow that has a constant error, by default half a pixel in a random direction."""
    cycle: Float32[np.ndarray, "height width"]
    """Forward-backward difference: length of the forward flow plus the backward flow at its target, in pixels."""
    seen: MaskArray
    """Mask of the pixels that are not occluded."""
    rim: MaskArray
    """Mask of the pixels next to another layer, in the first frame or at their target."""


def residuals(pair: RenderedPair, rng: np.random.Generator, *, shift: float = 0.5) -> Residuals:
    """Warp the second frame and the backward flow along the forward flow, and compare them with the first frame.

    Args:
        shift: length of the error of the disturbed flow, in pixels.
    """
    angle = rng.uniform(0, 2 * np.pi)
    moved = pair.forward + np.float32(shift) * np.array([np.cos(angle), np.sin(angle)], np.float32)  # H x W x 2
    first, second = pair.first.astype(np.float32), pair.second.astype(np.float32)
    returned = _fetch(pair.backward, pair.forward)  # H x W x 2, the backward flow at each pixel's target
    return Residuals(
        error=np.abs(_fetch(second, pair.forward) - first).mean(-1),
        disturbed=np.abs(_fetch(second, moved) - first).mean(-1),
        cycle=np.hypot(*np.moveaxis(pair.forward + returned, -1, 0)),
        seen=~pair.first_occluded,
        rim=_rim(pair.first_instances, pair.second_instances, pair.forward),
    )


@dataclass(frozen=True)
class Proof:
    """Percentiles of the residuals of many pairs, in grey levels or pixels; the keys are the `PERCENTILES`."""

    pairs: int
    error: dict[int, float]
    """Percentiles of the error over visible pixels outside the rim."""
    with_rim: dict[int, float]
    """Percentiles of the error over all visible pixels."""
    disturbed: dict[int, float]
    """Percentiles of the error over visible pixels outside the rim, with a flow that is wrong by half a pixel."""
    cycle: dict[int, float]
    """Percentiles of the forward-backward difference over visible pixels outside the rim, in pixels."""
    rim_share: float
    """Share of the visible pixels that belong to the rim."""
    distinguished: float
    """Share of the pairs whose mean error is larger with the disturbed flow than with the true flow."""


def prove(pairs: Iterable[RenderedPair], *, seed: int = 0) -> Proof:
    """Compute the residuals of the pairs one by one, and return their percentiles; `seed` sets the disturbed flow."""
    rng = np.random.default_rng(seed)
    counts = {name: np.zeros(int(256 / BIN), np.int64) for name in ("error", "with_rim", "disturbed", "cycle")}
    number = distinguished = seen = rim = 0
    for pair in pairs:
        found = residuals(pair, rng)
        inner = found.seen & ~found.rim  # H x W, visible and outside the rim
        for name, values in (
            ("error", found.error[inner]),
            ("with_rim", found.error[found.seen]),
            ("disturbed", found.disturbed[inner]),
            ("cycle", 100 * found.cycle[inner]),
        ):
            # histograms need the same memory for any number of pairs
            bins = np.minimum(values / BIN, len(counts[name]) - 1).astype(np.int64)
            counts[name] += np.bincount(bins, minlength=len(counts[name]))
        distinguished += bool(found.disturbed[inner].mean() > found.error[inner].mean()) if inner.any() else 1
        seen, rim, number = seen + int(found.seen.sum()), rim + int((found.seen & found.rim).sum()), number + 1
    cycle = {key: value / 100 for key, value in _percentiles(counts["cycle"]).items()}
    return Proof(
        pairs=number,
        error=_percentiles(counts["error"]),
        with_rim=_percentiles(counts["with_rim"]),
        disturbed=_percentiles(counts["disturbed"]),
        cycle=cycle,
        rim_share=rim / max(seen, 1),
        distinguished=distinguished / max(number, 1),
    )


def _percentiles(counts: np.ndarray) -> dict[int, float]:
    """Return the upper edges of the bins that contain the percentiles."""
    cumulated = np.cumsum(counts)
    return {p: float((np.searchsorted(cumulated, p / 100 * cumulated[-1]) + 1) * BIN) for p in PERCENTILES}


def _fetch(values: Float[np.ndarray, "height width channels"], flow: FlowArray) -> np.ndarray:
    """Return the values at the targets of a flow, interpolated bilinearly."""
    tensors = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, -1, 0)))[None] for a in (values, flow)]
    return np.moveaxis(warp(*tensors)[0].numpy(), 0, -1)


def _rim(here: InstanceMap, there: InstanceMap, flow: FlowArray) -> MaskArray:
    height, width = here.shape
    y, x = np.mgrid[0:height, 0:width]
    column = np.clip(np.floor(x + flow[..., 0]), 0, width - 2).astype(int)  # H x W
    row = np.clip(np.floor(y + flow[..., 1]), 0, height - 2).astype(int)
    border = _borders(there)
    # linear interpolation reads four pixels at the target, so a border at any of them counts
    around = border[row, column] | border[row, column + 1] | border[row + 1, column] | border[row + 1, column + 1]
    return _borders(here) | around


def _borders(instances: InstanceMap) -> MaskArray:
    """Return the mask of the pixels that have another instance among their eight neighbours."""
    values, kernel = instances.astype(np.float32), np.ones((3, 3), np.uint8)
    return cv2.dilate(values, kernel) != cv2.erode(values, kernel)
