"""Rasterisation: which triangle is visible at each point of the picture, and where that point moves.

A triangle with corners v0, v1, v2 in camera coordinates (x right, y down, z forward) meets the viewing ray
d = ((x - cx) / f, (y - cy) / f, 1) at the depth z where 1/z = e0 + e1 + e2, e_i = d . (v_j x v_k) / det(v0, v1, v2).
The three e_i are linear in the pixel coordinates, none is negative inside the triangle, and z e_i are the
perspective-correct barycentric coordinates (Olano and Greer, "Triangle scan conversion using 2D homogeneous
coordinates", Graphics Hardware 1997). No clipping is needed, and all ground truth follows from these nine numbers.

The kernels have no type annotations: Numba compiles them, and the shape checks of the tests cannot wrap compiled code.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int32
from numba import njit

from opticflow.shapes import FlowArray, MaskArray

SAMPLES = 3
"""Number of visibility samples per pixel and axis; odd, so that the middle sample is the pixel centre, where all ground
truth is sampled."""

NEAR = 0.05
"""Depth of the near plane: nothing closer to the camera is visible."""

EMPTY = -1
"""Triangle number where no triangle is visible."""

# Tolerance of the occlusion test: a surface hides a point if it is nearer by more than this share of the depth. A point
# is compared with the plane of a triangle seen within a sixth of a pixel, so only the curvature of a mesh within that
# distance matters.
DEPTH_TOLERANCE = 2e-3

# Tolerance in pixels for rounding errors: a sample on an edge that two triangles share belongs to at least one of them,
# and a point that moves onto the border of the picture counts as inside.
HAIR = 1e-6


Points = Float64[np.ndarray, "vertices 3"]
Triangles = Int32[np.ndarray, "triangles 3"]


@dataclass(frozen=True)
class Lens:
    """The intrinsics of a pinhole camera with square pixels; pixel (0, 0) has its centre at (0.0, 0.0)."""

    width: int
    height: int
    focal: float
    """Focal length in pixels."""

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point: the centre of the picture."""
        return (self.width - 1) / 2, (self.height - 1) / 2


@dataclass(frozen=True)
class Visibility:
    """Visible triangles and their depths (a z-buffer) at one time, at SAMPLES x SAMPLES points of every pixel."""

    lens: Lens
    points: Points
    """Vertices in camera coordinates."""
    edges: Float64[np.ndarray, "triangles 3 3"]
    """The e_i of the module's docstring, each as the a, b, c of e = a x + b y + c; defined for visible triangles."""
    seen: Int32[np.ndarray, "sub_height sub_width"]
    """Number of the visible triangle, or EMPTY."""
    inverse_depth: Float32[np.ndarray, "sub_height sub_width"]


def look(points: Points, triangles: Triangles, lens: Lens) -> Visibility:
    """Find the visible triangles. Only fronts are visible: the side from which the corners run counter-clockwise."""
    size = (lens.height * SAMPLES, lens.width * SAMPLES)  # rows and columns of samples
    seen = np.full(size, EMPTY, dtype=np.int32)
    inverse_depth = np.zeros(size, dtype=np.float32)
    edges = np.empty((len(triangles), 3, 3))  # triangles x 3 edges x (a, b, c)
    _rasterise(points, triangles, lens.focal, *lens.centre, edges, seen, inverse_depth)
    return Visibility(lens, points, edges, seen, inverse_depth)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _rasterise(points, triangles, focal, mid_x, mid_y, edges, seen, inverse_depth):
    """Draw every triangle that faces the camera into the two buffers, and write its row of `edges`."""
    sub_height, sub_width = seen.shape
    # (x, y) of the last samples, in pixels: the middle sample of a pixel is its centre, which has integer coordinates
    right, bottom = (sub_width - 1 - SAMPLES // 2) / SAMPLES, (sub_height - 1 - SAMPLES // 2) / SAMPLES
    slope, offset = np.empty(3), np.empty(3)
    for number in range(len(triangles)):
        i, j, k = triangles[number]
        x0, y0, z0 = points[i]
        x1, y1, z1 = points[j]
        x2, y2, z2 = points[k]
        if z0 < NEAR and z1 < NEAR and z2 < NEAR:
            continue
        # v1 x v2; the sign of the determinant tells from which side the triangle is seen
        ax, ay, az = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
        determinant = x0 * ax + y0 * ay + z0 * az
        if not determinant < 0.0:  # seen from behind, or edge on
            continue
        # a triangle that reaches nearer than NEAR may have an unbounded image: no bounding box then
        crosses = z0 < NEAR or z1 < NEAR or z2 < NEAR
        low_x, low_y, high_x, high_y = -1.0 / SAMPLES, -1.0 / SAMPLES, right, bottom
        if not crosses:
            px0, py0 = focal * x0 / z0 + mid_x, focal * y0 / z0 + mid_y
            px1, py1 = focal * x1 / z1 + mid_x, focal * y1 / z1 + mid_y
            px2, py2 = focal * x2 / z2 + mid_x, focal * y2 / z2 + mid_y
            low_x, high_x = max(low_x, min(px0, px1, px2)), min(high_x, max(px0, px1, px2))
            low_y, high_y = max(low_y, min(py0, py1, py2)), min(high_y, max(py0, py1, py2))
        first_row = int(np.ceil(SAMPLES * low_y + SAMPLES // 2 - HAIR))
        last_row = int(np.floor(SAMPLES * high_y + SAMPLES // 2 + HAIR))
        if first_row > last_row or low_x > high_x:
            continue
        # v2 x v0 and v0 x v1, for the other two e_i
        bx, by, bz = y2 * z0 - z2 * y0, z2 * x0 - x2 * z0, x2 * y0 - y2 * x0
        cx, cy, cz = y0 * z1 - z0 * y1, z0 * x1 - x0 * z1, x0 * y1 - y0 * x1
        edge = edges[number]
        scale = 1.0 / (determinant * focal)
        # e = d . a / det, written as a linear function of x and y
        edge[0, 0], edge[0, 1], edge[0, 2] = (
            ax * scale,
            ay * scale,
            (az * focal - ax * mid_x - ay * mid_y) * scale,
        )
        edge[1, 0], edge[1, 1], edge[1, 2] = (
            bx * scale,
            by * scale,
            (bz * focal - bx * mid_x - by * mid_y) * scale,
        )
        edge[2, 0], edge[2, 1], edge[2, 2] = (
            cx * scale,
            cy * scale,
            (cz * focal - cx * mid_x - cy * mid_y) * scale,
        )
        # the sum of the e_i is 1/z, which is linear in x and y too: the depth test needs no division
        wa = edge[0, 0] + edge[1, 0] + edge[2, 0]
        wb = edge[0, 1] + edge[1, 1] + edge[2, 1]
        wc = edge[0, 2] + edge[1, 2] + edge[2, 2]
        # along a row, e_i changes its sign at x = slope y + offset
        for side in range(3):
            if edge[side, 0] != 0.0:
                slope[side] = -edge[side, 1] / edge[side, 0]
                offset[side] = -edge[side, 2] / edge[side, 0]
        for row in range(first_row, last_row + 1):
            y = (row - SAMPLES // 2) / SAMPLES
            # each e_i >= 0 is a half-plane, so the samples of a row inside the triangle are one interval
            left, end = low_x, high_x
            for side in range(3):
                if edge[side, 0] > 0.0:
                    left = max(left, slope[side] * y + offset[side])
                elif edge[side, 0] < 0.0:
                    end = min(end, slope[side] * y + offset[side])
                elif edge[side, 1] * y + edge[side, 2] < 0.0:
                    end = left - 1.0  # the whole row is outside
            first = int(np.ceil(SAMPLES * left + SAMPLES // 2 - HAIR))
            last = int(np.floor(SAMPLES * end + SAMPLES // 2 + HAIR))
            step = wa / SAMPLES  # change of 1/z from sample to sample
            start = wa * ((first - SAMPLES // 2) / SAMPLES) + wb * y + wc
            if last < first:
                continue
            nearest, visible = inverse_depth[row, first : last + 1], seen[row, first : last + 1]
            if not crosses:
                # selections instead of branches, so that the compiler can vectorise this loop
                for place in range(len(nearest)):
                    inverse = np.float32(start + step * place)
                    nearer = inverse > nearest[place]
                    visible[place] = number if nearer else visible[place]
                    nearest[place] = inverse if nearer else nearest[place]
            else:
                for place in range(len(nearest)):
                    inverse = np.float32(start + step * place)
                    # parts of the triangle that are nearer than NEAR, or behind the camera (1/z < 0), are not seen
                    if nearest[place] < inverse < 1.0 / NEAR:
                        visible[place] = number
                        nearest[place] = inverse


@dataclass(frozen=True)
class SurfaceMotion:
    """Exact flow and occlusion from one time to another, for the surface points visible at the pixel centres."""

    flow: FlowArray
    occluded: MaskArray
    """Mask of the points that are hidden, facing away or out of view at the other time."""


def motion(here: Visibility, there: Visibility, triangles: Triangles) -> SurfaceMotion:
    """Return the exact flow of every pixel from one time to another, and the occlusion mask."""
    height, width = here.lens.height, here.lens.width
    flow = np.empty((height, width, 2), dtype=np.float32)
    occluded = np.empty((height, width), dtype=np.bool_)  # H x W
    _move(
        here.seen, here.edges, there.points, there.seen, there.edges, triangles, here.lens.focal, *here.lens.centre,
        flow, occluded,
    )  # fmt: skip
    return SurfaceMotion(flow, occluded)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _hidden(number, x, y, z, seen, edges):
    """Whether another surface hides the point of triangle `number` that is imaged at (x, y) with depth z.

    The depth is compared with those triangles, seen at the four samples around (x, y), that cover the point. If none
    covers it, and the samples show neither the point's own triangle nor EMPTY (triangles smaller than the
    distance between samples), the triangle at the nearest sample decides.
    """
    top, left = SAMPLES * y + SAMPLES // 2, SAMPLES * x + SAMPLES // 2  # in samples
    row, column = int(np.floor(top)), int(np.floor(left))
    own = False
    last = number  # neighbouring samples often see the same triangle, which is then tested once
    for corner in range(4):
        other = seen[min(row + (corner >> 1), len(seen) - 1), min(column + (corner & 1), seen.shape[1] - 1)]
        if other == number or other == EMPTY:
            own = True
        elif other != last:
            last = other
            edge = edges[other]
            e0 = edge[0, 0] * x + edge[0, 1] * y + edge[0, 2]
            e1 = edge[1, 0] * x + edge[1, 1] * y + edge[1, 2]
            e2 = edge[2, 0] * x + edge[2, 1] * y + edge[2, 2]
            if e0 >= 0.0 and e1 >= 0.0 and e2 >= 0.0:
                # e0 + e1 + e2 is 1/z of the other triangle: above 1 / z of the point, it is nearer
                if (e0 + e1 + e2) * z > 1.0 + DEPTH_TOLERANCE:
                    return True
                own = True
    if own:
        return False
    edge = edges[seen[min(int(top + 0.5), len(seen) - 1), min(int(left + 0.5), seen.shape[1] - 1)]]
    inverse = edge[:, 0].sum() * x + edge[:, 1].sum() * y + edge[:, 2].sum()
    return inverse * z > 1.0 + DEPTH_TOLERANCE


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move(seen, edges, points_there, seen_there, edges_there, triangles, focal, mid_x, mid_y, flow, occluded):
    """Move the point at each pixel centre along with its triangle, and test whether it is visible at the other time."""
    height, width = occluded.shape
    for row in range(height):
        for column in range(width):
            number = seen[row * SAMPLES + SAMPLES // 2, column * SAMPLES + SAMPLES // 2]
            if number == EMPTY:
                flow[row, column, 0] = flow[row, column, 1] = 0.0
                occluded[row, column] = True
                continue
            edge = edges[number]
            e0 = edge[0, 0] * column + edge[0, 1] * row + edge[0, 2]
            e1 = edge[1, 0] * column + edge[1, 1] * row + edge[1, 2]
            e2 = edge[2, 0] * column + edge[2, 1] * row + edge[2, 2]
            depth = 1.0 / (e0 + e1 + e2)
            b0, b1, b2 = e0 * depth, e1 * depth, e2 * depth  # perspective-correct barycentric coordinates
            # a point keeps its barycentric coordinates when its triangle moves, so its new position is exact
            i, j, k = triangles[number]
            x0, y0, z0 = points_there[i]
            x1, y1, z1 = points_there[j]
            x2, y2, z2 = points_there[k]
            z = b0 * z0 + b1 * z1 + b2 * z2
            # A point that passes behind the camera has no image; its flow is that of a point just in front of it.
            safe = max(z, NEAR)
            x = focal * (b0 * x0 + b1 * x1 + b2 * x2) / safe + mid_x
            y = focal * (b0 * y0 + b1 * y1 + b2 * y2) / safe + mid_y
            flow[row, column, 0] = x - column
            flow[row, column, 1] = y - row
            inside = -HAIR <= x <= width - 1 + HAIR and -HAIR <= y <= height - 1 + HAIR
            if z < NEAR or not inside:
                occluded[row, column] = True
                continue
            # the determinant of `_rasterise`: negative where the front is seen
            turned = x0 * (y1 * z2 - z1 * y2) + y0 * (z1 * x2 - x1 * z2) + z0 * (x1 * y2 - y1 * x2)
            if turned >= 0.0:
                occluded[row, column] = True
                continue
            occluded[row, column] = _hidden(number, x, y, z, seen_there, edges_there)


def depth_of(visibility: Visibility) -> Float32[np.ndarray, "height width"]:
    """Return the depth along the optical axis at the pixel centres; infinite where nothing is visible."""
    with np.errstate(divide="ignore"):
        return 1.0 / visibility.inverse_depth[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]
