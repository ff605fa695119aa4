"""Regions over which errors are summed: by displacement, by occlusion and by distance to the nearest motion boundary.

The three splits together cut an image into cells; every region is a union of cells, so one pass over the pixels serves
them all.
"""

import cv2
import numpy as np
from jaxtyping import Float, Int

from opticflow.shapes import FlowArray, MaskArray

DISPLACEMENTS = (10.0, 40.0)
"""Lower limits of the displacement classes, as lengths of the true flow in pixels (Butler et al., ECCV 2012)."""
DISTANCES = (10.0, 60.0, 140.0)
"""Lower limits of the classes of distance to a motion boundary, in pixels (as in the tables of MPI-Sintel)."""
CELLS = (len(DISPLACEMENTS) + 1, 2, len(DISTANCES) + 1)
"""Numbers of classes: displacement x occlusion x distance."""

_ALL = slice(None)
REGIONS: dict[str, tuple[slice | int, slice | int, slice | int]] = {
    "all": (_ALL, _ALL, _ALL),
    "matched": (_ALL, 0, _ALL),
    "unmatched": (_ALL, 1, _ALL),
    "s0-10": (0, _ALL, _ALL),
    "s10-40": (1, _ALL, _ALL),
    "s40+": (2, _ALL, _ALL),
    "d0-10": (_ALL, _ALL, 0),
    "d10-60": (_ALL, _ALL, 1),
    "d60-140": (_ALL, _ALL, 2),
    "d140+": (_ALL, _ALL, 3),
}


def motion_boundaries(truth: FlowArray, valid: MaskArray) -> MaskArray:
    """Return the mask of the pixels whose true motion differs abruptly from that of their right or lower neighbour.

    |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002 (Sundaram, Brox, Keutzer, ECCV 2010, eq. 6), with forward differences.
    A difference to a pixel with unknown flow counts as zero. The benchmark servers measure distances from boundaries
    that they rendered and do not publish for all data; this definition only needs the true flow.
    """
    # H x W each, pixels
    u, v = (np.where(valid, truth[..., channel], 0).astype(np.float64) for channel in (0, 1))
    squared = np.zeros(valid.shape)  # H x W, squared gradient
    for axis in (0, 1):
        # a pixel and its neighbour below (axis 0) or on the right (axis 1)
        ahead, here = np.delete(valid, 0, axis), np.delete(valid, -1, axis)
        change = (np.diff(u, axis=axis) ** 2 + np.diff(v, axis=axis) ** 2) * (ahead & here)
        squared[tuple(slice(length) for length in change.shape)] += change
    return valid & (squared > 0.01 * (u**2 + v**2) + 0.002)


def boundary_distance(truth: FlowArray, valid: MaskArray) -> Float[np.ndarray, "height width"]:
    """Return the distance in pixels to the nearest motion boundary; infinite where there is none."""
    boundaries = motion_boundaries(truth, valid)
    if not boundaries.any():
        return np.full(valid.shape, np.inf)
    # OpenCV measures the distance to the nearest zero, so boundaries are zero here
    return cv2.distanceTransform((~boundaries).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def cells(truth: FlowArray, valid: MaskArray, occluded: MaskArray) -> Int[np.ndarray, "height width"]:
    """Return the cell of each pixel: a flat index into `CELLS`."""
    truth = np.where(valid[..., None], truth, 0)
    displacement = np.digitize(np.hypot(truth[..., 0], truth[..., 1]), DISPLACEMENTS)  # H x W, 0 to 2
    distance = np.digitize(boundary_distance(truth, valid), DISTANCES)  # H x W, 0 to 3
    return np.ravel_multi_index((displacement, occluded.astype(np.int64), distance), CELLS)
