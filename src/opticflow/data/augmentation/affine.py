"""Affine transforms of both frames of a sample; the flow stays exact.

Every geometric augmentation, dense or sparse, goes through `transform`.

The compiled kernels have no type annotations, since the shape checks of the tests cannot wrap compiled code.
"""

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from numba import njit

from opticflow.shapes import Frame, Sample

Matrix = Float64[np.ndarray, "3 3"]

ONE_MOTION = 1.0
"""Largest difference in pixels, in either component, of neighbouring vectors that count as one motion."""


def translation(x: float, y: float) -> Matrix:
    """Return the map that translates by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def scaling(x: float, y: float) -> Matrix:
    """Return the map that scales about the point (0, 0)."""
    return np.diag([x, y, 1.0])


def rotation(angle: float) -> Matrix:
    """Return the map that rotates about the point (0, 0) by `angle` radians, from x towards y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def covers(matrix: Matrix, size: tuple[int, int], crop: tuple[int, int]) -> bool:
    """Whether the map sends every pixel of a crop (height, width) into a frame of `size` (height, width)."""
    (height, width), (rows, columns) = size, crop
    # an affine map turns the crop into a parallelogram, so it is enough to test the four corners
    corners = np.array([[0, columns - 1, 0, columns - 1], [0, 0, rows - 1, rows - 1], [1, 1, 1, 1]])
    x, y, _ = matrix @ corners
    return bool(x.min() >= -0.5 and y.min() >= -0.5 and x.max() <= width - 0.5 and y.max() <= height - 0.5)


def transform(sample: Sample, first: Matrix, second: Matrix, size: tuple[int, int]) -> Sample:
    """Resample both frames of a sample by an affine map each, and compute the flow between the new frames.

    A point x of the new first frame shows the point p = A x of the old first frame. Its target is p + f(p) in the old
    second frame, and B^-1 (p + f(p)) in the new second frame. So the new flow is

        f'(x) = B^-1 (A x + f(A x)) - x.

    This formula is evaluated at every pixel. Only f is interpolated: bilinearly if all four neighbours are known and
    belong to one motion, otherwise by the nearest pixel. So a vector is never a mix of two motions. Sparse ground truth
    is mostly read at the nearest pixel. Where frames are enlarged, it grows into blocks: each is a copy of one measured
    vector, at most half an old pixel away from the place of its measurement. (RAFT scatters sparse ground truth
    forwards instead, which leaves holes.)

    Args:
        sample: the sample to transform.
        first: A, the map from pixels of the new first frame to pixels of the old one.
        second: B, the same map for the second frames.
        size: height and width of the new frames.

    Returns:
        The new sample. Its flow is known where A x lies in the old frame and the old flow is known there. Pixels that
        leave the new second frame are occluded too, unless the old occlusion mask is all false (unknown). Frames are
        sampled bilinearly, without smoothing when they shrink, as in RAFT.
    """
    flow, valid, occluded = _look_up(sample.flow, sample.valid, sample.occluded, first, np.linalg.inv(second), *size)
    return sample.replace(
        first=_warp(sample.first, first, size),
        second=_warp(sample.second, second, size),
        flow=flow,
        valid=valid,
        occluded=occluded if sample.occluded.any() else np.zeros(size, dtype=bool),
    )


def _warp(frame: Frame, matrix: Matrix, size: tuple[int, int]) -> UInt8[np.ndarray, "rows columns 3"]:
    # the matrix maps new pixels to old ones, which OpenCV calls the inverse map
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, matrix[:2], (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _look_up(flow, valid, occluded, first, back, rows, columns):
    height, width = valid.shape
    new_flow = np.zeros((rows, columns, 2), dtype=np.float32)
    new_valid = np.zeros((rows, columns), dtype=np.bool_)
    new_occluded = np.zeros((rows, columns), dtype=np.bool_)
    for y in range(rows):
        for x in range(columns):
            # p = A x in the formula of `transform`
            px = first[0, 0] * x + first[0, 1] * y + first[0, 2]
            py = first[1, 0] * x + first[1, 1] * y + first[1, 2]
            near_x, near_y = int(np.floor(px + 0.5)), int(np.floor(py + 0.5))
            if near_x < 0 or near_y < 0 or near_x >= width or near_y >= height or not valid[near_y, near_x]:
                continue
            u, v = flow[near_y, near_x, 0], flow[near_y, near_x, 1]
            left, top = min(max(int(np.floor(px)), 0), width - 1), min(max(int(np.floor(py)), 0), height - 1)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            # vectors on both sides of a motion boundary must not be mixed
            together = True
            for row in (top, bottom):
                for column in (left, right):
                    away = max(abs(flow[row, column, 0] - u), abs(flow[row, column, 1] - v))
                    together &= valid[row, column] and away <= ONE_MOTION
            fx, fy = float(u), float(v)
            if together:
                share_x, share_y = min(max(px - left, 0.0), 1.0), min(max(py - top, 0.0), 1.0)
                fx = _between(flow, 0, left, right, top, bottom, share_x, share_y)
                fy = _between(flow, 1, left, right, top, bottom, share_x, share_y)
            end_x, end_y = px + fx, py + fy  # in the old second frame
            end_x, end_y = (  # in the new second frame
                back[0, 0] * end_x + back[0, 1] * end_y + back[0, 2],
                back[1, 0] * end_x + back[1, 1] * end_y + back[1, 2],
            )
            new_flow[y, x, 0], new_flow[y, x, 1] = end_x - x, end_y - y
            new_valid[y, x] = True
            gone = end_x < 0 or end_y < 0 or end_x > columns - 1 or end_y > rows - 1
            new_occluded[y, x] = occluded[near_y, near_x] or gone
    return new_flow, new_valid, new_occluded


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _between(flow, channel, left, right, top, bottom, share_x, share_y):
    upper = flow[top, left, channel] * (1 - share_x) + flow[top, right, channel] * share_x
    lower = flow[bottom, left, channel] * (1 - share_x) + flow[bottom, right, channel] * share_x
    return upper * (1 - share_y) + lower * share_y
