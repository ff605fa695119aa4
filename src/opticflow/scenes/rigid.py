"""Rigid scenes of textured planes under camera motion: a street, a corridor or open country, with upright objects.

The camera axes are x right, y down and z forward. A point X in the coordinates of the first view is at R X + t in those
of the second. The image of a plane n . X = d moves by the homography K (R + t n^T / d) K^-1 (Hartley and Zisserman,
"Multiple view geometry", section 13.1); so the flow is exact.

The textures of the planes are rendered at the pixels of the first frame, in perspective and with mipmap filtering. So
both frames sample them at nearly their original scale.
"""

from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from numba import njit

from opticflow.scenes import noise
from opticflow.scenes.layers import Homography, Layer

Vector = Float64[np.ndarray, "3"]
Atlas = UInt8[np.ndarray, "_rows _columns 3"]

ATLAS_SIZE = 512
"""Rows and columns of the finest mipmap level of an atlas."""
MARGIN = 0.2
"""Width of the border by which the textures of planes extend beyond the frame, as a share of the frame size."""


@dataclass(frozen=True)
class View:
    """A pinhole camera and its motion between the frames."""

    intrinsics: Float64[np.ndarray, "3 3"]
    """Camera matrix K, in pixels."""
    rotation: Float64[np.ndarray, "3 3"]
    """Rotation R from the coordinates of the first view to those of the second."""
    translation: Vector
    """Translation t of the points in camera coordinates, in units of the height of the camera above the ground."""

    def homography(self, normal: Vector, distance: float) -> Homography:
        """Return the homography from the first frame to the second for the plane normal . X = distance."""
        inner = self.rotation + np.outer(self.translation, normal) / distance
        return self.intrinsics @ inner @ np.linalg.inv(self.intrinsics)


@dataclass(frozen=True)
class Plane:
    """A textured plane normal . X = distance; `across` and `down` are the directions of the axes of its texture."""

    normal: Vector
    distance: float
    across: Vector
    down: Vector
    texels: float
    """Texels per unit of length (the height of the camera)."""


def atlas(frame: UInt8[np.ndarray, "rows columns 3"]) -> Atlas:
    """Pack a square picture and its mipmap levels into one array, the finest at the top."""
    # 768 x 512 x 3; the coarser levels are side by side below the finest one
    packed = np.zeros((ATLAS_SIZE * 3 // 2, ATLAS_SIZE, 3), np.uint8)
    level, left = cv2.resize(frame, (ATLAS_SIZE, ATLAS_SIZE), interpolation=cv2.INTER_AREA), 0
    packed[:ATLAS_SIZE] = level
    while level.shape[0] > 4:
        level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        packed[ATLAS_SIZE : ATLAS_SIZE + level.shape[0], left : left + level.shape[1]] = level
        left += level.shape[1]
    return packed


def draw_view(
    rng: np.random.Generator, height: int, width: int, displacement: float, *, turning: float
) -> tuple[View, float]:
    """Draw a camera whose motion moves points at a middle distance by about `displacement` pixels.

    Args:
        turning: share of the displacement that is due to camera rotation, in [0, 1].

    Returns:
        the camera, and the row of the horizon in pixels.
    """
    focal = width * rng.uniform(0.6, 1.5)  # pixels
    horizon = height * rng.uniform(0.2, 0.6)  # row, pixels
    intrinsics = np.array([[focal, 0, width * rng.uniform(0.4, 0.6)], [0, focal, horizon], [0, 0, 1.0]])
    direction = np.array([rng.normal(0, 0.5), rng.normal(0, 0.08), rng.normal(0, 1.0)])
    # half of the cameras move along their axis, mostly forwards (t_z < 0), as in a car
    if rng.random() < 0.5:
        direction = np.array([rng.normal(0, 0.1), rng.normal(0, 0.03), rng.choice([1.0, -1.0], p=[0.2, 0.8])])
    direction /= np.linalg.norm(direction)
    depth = 2 * focal / height  # of the ground about half-way between the horizon and the lower border
    # a sideways translation T moves a point at that depth by focal T / depth; a forward one about half as far
    length = (1 - turning) * displacement * depth / focal / (np.hypot(*direction[:2]) + 0.5 * abs(direction[2]))
    angles = rng.normal(0, [0.6, 1.0, 0.5]) * turning * displacement / focal  # rotation about x, y and z in radians
    rotation, _ = cv2.Rodrigues(angles)
    # a longer translation could move the camera through visible surfaces
    length = min(length, 0.3 * depth)
    return View(intrinsics, np.asarray(rotation, dtype=np.float64), length * direction), horizon


def street(rng: np.random.Generator, texels: float) -> list[Plane]:
    """Draw a street: return the ground plane, then the walls on neither, one or both sides.

    Args:
        texels: scale of the texel densities of the planes, in texels per camera height.
    """
    x, y, z = np.eye(3)
    planes = [Plane(y, 1.0, x, z, texels * rng.uniform(0.3, 1.5))]
    for side in (-1, 1):
        if rng.random() < 0.4:
            planes.append(Plane(side * x, rng.uniform(0.8, 5), z, y, texels * rng.uniform(0.2, 0.8)))
    return planes


def plane_layer(
    view: View, plane: Plane, before: list[Plane], picture: Atlas, height: int, width: int, gain: np.ndarray
) -> Layer:
    """Return a layer with the part of a plane that is in front of the camera.

    Args:
        before: planes that hide this one where they are nearer. Layers drawn later need not be listed.
    """
    top, left = int(MARGIN * height), int(MARGIN * width)  # pixels beyond the frame
    texture = np.zeros((height + 2 * top, width + 2 * left, 4), np.uint8)
    shift = np.array([[1.0, 0, -left], [0, 1.0, -top], [0, 0, 1.0]])
    rays = np.linalg.inv(view.intrinsics) @ shift  # 3 x 3, from homogeneous texels to viewing directions
    along = np.stack([plane.across, plane.down]) * (plane.distance * plane.texels)  # 2 x 3, texels
    # a ray r meets the plane n . X = d at d / (n . r) times its length, so the nearer plane has the larger n . r / d
    hiding = np.array([other.normal * (plane.distance / other.distance) for other in before]).reshape(-1, 3)
    _texture_plane(texture, picture, along @ rays, plane.normal @ rays, hiding @ rays)
    # band-limited, so that the layer can be resampled without aliasing
    texture = cv2.GaussianBlur(texture, (0, 0), noise.SOFTNESS)
    second = view.homography(plane.normal, plane.distance) @ shift
    return Layer(texture, shift, second, endless=True, gain=gain)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _texture_plane(texture, atlas, along, facing, hiding):
    """Render the texture of a plane: sample the mipmap level whose texels are about as large as a pixel's footprint.

    At the homogeneous pixel p, the coordinates on the plane in texels are along @ p / facing @ p. The plane is visible
    where facing @ p is positive and larger than each hiding @ p.
    """
    size = atlas.shape[1]
    for y in range(texture.shape[0]):
        for x in range(texture.shape[1]):
            toward = facing[0] * x + facing[1] * y + facing[2]
            if toward <= 1e-4:
                continue
            hidden = False
            for k in range(len(hiding)):
                hidden |= hiding[k, 0] * x + hiding[k, 1] * y + hiding[k, 2] >= toward
            if hidden:
                continue
            u = (along[0, 0] * x + along[0, 1] * y + along[0, 2]) / toward
            v = (along[1, 0] * x + along[1, 1] * y + along[1, 2]) / toward
            # footprint in texels: derivatives of u and v with respect to the pixel, by the quotient rule
            footprint = 1.0
            for k in range(2):
                change = max(abs(along[0, k] - u * facing[k]), abs(along[1, k] - v * facing[k])) / toward
                footprint = max(footprint, change)
            level, scale, corner_row, corner_column = 0, 1.0, 0, 0
            # go to the level at which a texel is as large as a pixel, within a factor of the square root of 2
            while footprint > 1.41 and size * scale > 4:
                corner_row, corner_column = size, corner_column + (0 if level == 0 else int(size * scale))
                scale *= 0.5
                footprint *= 0.5
                level += 1
            wide = size * scale
            # the picture is repeated by reflection, so that no seam is visible
            s, t = abs(u * scale) % (2 * wide), abs(v * scale) % (2 * wide)
            s, t = min(s, 2 * wide - s), min(t, 2 * wide - t)
            # texel centres are at half-integers; all four neighbours must belong to this level
            s, t = min(max(s - 0.5, 0.0), wide - 1.001), min(max(t - 0.5, 0.0), wide - 1.001)
            j, i = int(s), int(t)
            a, b = s - j, t - i
            i, j = i + corner_row, j + corner_column
            # in floating point: differences of bytes would wrap around
            for c in range(3):
                upper = atlas[i, j, c] + a * (np.float64(atlas[i, j + 1, c]) - atlas[i, j, c])
                lower = atlas[i + 1, j, c] + a * (np.float64(atlas[i + 1, j + 1, c]) - atlas[i + 1, j, c])
                texture[y, x, c] = np.uint8(upper + b * (lower - upper) + 0.5)
            texture[y, x, 3] = 255
