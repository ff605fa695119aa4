"""Rendering of small shaded meshes as RGBA cut-outs, which replace renderings of published 3-D models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numba import njit

from opticflow.scenes.layers import Texture

OVERSAMPLING = 2
"""Samples per texel along each axis."""

Points = Float[np.ndarray, "points 3"]


@dataclass(frozen=True)
class Finish:
    """The surface material of a part of a mesh."""

    sheet: UInt8[np.ndarray, "rows columns 3"]
    """Colour texture, repeated by reflection."""
    gloss: float = 0.0
    """Strength of the specular highlight, in [0, 1]."""


@dataclass(frozen=True)
class MeshPart:
    """A triangle mesh of one material; z points up."""

    vertices: Float[np.ndarray, "triangles 3 3"]
    normals: Float[np.ndarray, "triangles 3 3"]
    finish: Finish


def loft(loops: Float[np.ndarray, "loops points 3"], finish: Finish, *, smooth: bool) -> MeshPart:
    """Build a closed solid through a series of loops, with flat caps: a box, a tube, a cushion or a bent board.

    Args:
        loops: cross-sections of the solid, all with the same number of points.
        smooth: whether to shade the sides as one curved surface (tubes, cushions) or as separate flat facets (boards).
    """
    loops = np.asarray(loops, dtype=np.float64)
    around = np.roll(loops, -1, axis=1)
    a, b, c, d = loops[:-1], around[:-1], around[1:], loops[1:]  # each (loops - 1) x points x 3, the corners of quads
    sides = np.concatenate([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)]).reshape(-1, 3, 3)  # N x 3 x 3
    # normals of the facets
    flat = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])[:, None].repeat(3, axis=1)
    if smooth:
        # smooth normals are the cross products of the two surface tangents, around and along the solid
        along = np.gradient(loops, axis=0)
        across = np.roll(loops, -1, axis=1) - np.roll(loops, 1, axis=1)
        n = np.cross(across, along)
        n_around = np.roll(n, -1, axis=1)
        e, f, g, h = n[:-1], n_around[:-1], n_around[1:], n[1:]
        normals = np.concatenate([np.stack([e, f, g], axis=2), np.stack([e, g, h], axis=2)]).reshape(-1, 3, 3)
        # where the tangents are parallel, use the normal of the facet
        normals = np.where(np.linalg.norm(normals, axis=-1, keepdims=True) > 1e-12, normals, flat)
    else:
        normals = flat
    caps = []
    for loop in (loops[0], loops[-1]):
        centre = np.broadcast_to(loop.mean(axis=0), loop.shape)
        caps.append(np.stack([centre, loop, np.roll(loop, -1, axis=0)], axis=1))
    ends = np.concatenate(caps)
    end_normals = np.cross(ends[:, 1] - ends[:, 0], ends[:, 2] - ends[:, 0])[:, None].repeat(3, axis=1)
    return MeshPart(np.concatenate([sides, ends]), np.concatenate([normals, end_normals]), finish)


def render_sprite(
    parts: Sequence[MeshPart], size: int, *, azimuth: float, elevation: float, distance: float, light: Points
) -> Texture:
    """Render an object from one direction.

    Args:
        size: longer side of the cut-out, in texels.
        azimuth: direction of the camera about the z axis, in radians.
        elevation: angle of the camera above the ground, in radians.
        distance: distance of the camera from the centre of the object, in units of the object's radius.
        light: direction towards the light (1 x 3), in camera axes (right, up, towards the camera).

    Returns:
        RGBA texture with premultiplied colours and a transparent margin of two texels.
    """
    vertices = np.concatenate([part.vertices for part in parts])
    normals = np.concatenate([part.normals for part in parts])
    finishes = list({id(part.finish): part.finish for part in parts}.values())
    places = {id(finish): n for n, finish in enumerate(finishes)}
    which = np.concatenate([np.full(len(part.vertices), places[id(part.finish)], np.int32) for part in parts])

    low, high = vertices.min(axis=(0, 1)), vertices.max(axis=(0, 1))
    centred = vertices - (low + high) / 2
    radius = float(np.linalg.norm(high - low)) / 2
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = normals / np.maximum(lengths, 1e-12)
    mapping = _box_mapping(centred / radius, normals)

    camera = _camera(azimuth, elevation)
    seen = centred @ camera.T / radius  # triangles x 3 x (right, up, back), in radii
    depth = distance - seen[..., 2]  # distance from the camera along its axis, in radii
    x, y = seen[..., 0] / depth, -seen[..., 1] / depth
    extent = max(np.ptp(x), np.ptp(y))
    # leave a margin of two texels on each side
    scale = (size - 5) * OVERSAMPLING / extent
    x, y = (x - x.min()) * scale, (y - y.min()) * scale
    margin = 2 * OVERSAMPLING
    rows = -(-(int(y.max()) + 2 * margin + 1) // OVERSAMPLING) * OVERSAMPLING
    columns = -(-(int(x.max()) + 2 * margin + 1) // OVERSAMPLING) * OVERSAMPLING
    corners = np.stack([x + margin, y + margin, 1 / depth], axis=-1)  # triangles x 3 x (x, y, 1 / depth)

    # triangles x 3 x (normal, texture coordinates)
    attributes = np.concatenate([normals @ camera.T, mapping], axis=-1).astype(np.float32)
    sheets = np.stack([cv2.resize(finish.sheet, (256, 256)) for finish in finishes])  # finishes x 256 x 256 x 3
    gloss = np.array([finish.gloss for finish in finishes], np.float32)
    canvas = np.zeros((rows, columns, 4), np.uint8)
    towards = (light[0] / np.linalg.norm(light[0])).astype(np.float32)
    up = (camera @ np.array([0.0, 0.0, 1.0])).astype(np.float32)
    _fill(canvas, corners.astype(np.float32), attributes, which, sheets, gloss, towards, up)
    small = (columns // OVERSAMPLING, rows // OVERSAMPLING)
    return cv2.resize(canvas, small, interpolation=cv2.INTER_AREA)


def _camera(azimuth: float, elevation: float) -> np.ndarray:
    """Return the rotation to camera coordinates; its rows are the camera's right, up and backward axes."""
    back = np.array([np.cos(elevation) * np.sin(azimuth), -np.cos(elevation) * np.cos(azimuth), np.sin(elevation)])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    return np.stack([right, np.cross(back, right), back])


def _box_mapping(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return texture coordinates by box mapping: project each vertex along the axis that its triangle faces most."""
    axis = np.abs(normals.sum(axis=1)).argmax(axis=-1)  # index of the axis that each triangle faces
    choices = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    return np.take_along_axis(vertices, choices[:, None, :].repeat(3, axis=1), axis=-1) * 200


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _fill(canvas, corners, attributes, which, sheets, gloss, light, up):
    """Draw triangles with a z-buffer and Phong shading: two-sided diffuse and specular light from one lamp, and ambient
    light that is stronger from above."""
    rows, columns = canvas.shape[:2]
    size = sheets.shape[1]
    nearest = np.zeros((rows, columns), np.float32)  # largest 1 / depth so far
    for n in range(len(corners)):
        x0, y0 = corners[n, 0, 0], corners[n, 0, 1]
        x1, y1 = corners[n, 1, 0], corners[n, 1, 1]
        x2, y2 = corners[n, 2, 0], corners[n, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)  # twice the area; the sign is the orientation
        if abs(area) < 1e-9:
            continue
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2)))), min(rows - 1, int(max(y0, y1, y2)))
        left, right = max(0, int(np.ceil(min(x0, x1, x2)))), min(columns - 1, int(max(x0, x1, x2)))
        sheet, shine = which[n], gloss[which[n]]
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                # barycentric coordinates are ratios of areas
                b = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                c = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                a = 1 - b - c
                if a < 0 or b < 0 or c < 0:
                    continue
                # 1 / depth, unlike depth, is linear in image coordinates, so it can be interpolated there
                closeness = a * corners[n, 0, 2] + b * corners[n, 1, 2] + c * corners[n, 2, 2]
                if closeness <= nearest[y, x]:
                    continue
                nearest[y, x] = closeness
                # normals and texture coordinates are interpolated in the image, without perspective correction
                nx = a * attributes[n, 0, 0] + b * attributes[n, 1, 0] + c * attributes[n, 2, 0]
                ny = a * attributes[n, 0, 1] + b * attributes[n, 1, 1] + c * attributes[n, 2, 1]
                nz = a * attributes[n, 0, 2] + b * attributes[n, 1, 2] + c * attributes[n, 2, 2]
                length = np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9)
                # two-sided lighting: negate a normal that points away from the viewer
                if nz < 0:
                    length = -length
                nx, ny, nz = nx / length, ny / length, nz / length
                diffuse = max(np.float32(0), nx * light[0] + ny * light[1] + nz * light[2])
                # 1 for a surface that faces up, 0 for one that faces down
                sky = np.float32(0.5) + np.float32(0.5) * (nx * up[0] + ny * up[1] + nz * up[2])
                # Phong's model with a distant viewer: z component of the reflected light direction 2 (n . l) n - l
                mirrored = max(np.float32(0), 2 * diffuse * nz - light[2])
                glint = np.float32(255) * shine * mirrored**12
                brightness = np.float32(0.14) + np.float32(0.34) * sky + np.float32(0.68) * diffuse
                # the offset, a multiple of the period of 512 texels, makes the coordinates positive
                u = abs(int(a * attributes[n, 0, 3] + b * attributes[n, 1, 3] + c * attributes[n, 2, 3] + 4096))
                v = abs(int(a * attributes[n, 0, 4] + b * attributes[n, 1, 4] + c * attributes[n, 2, 4] + 4096))
                u, v = u % (2 * size), v % (2 * size)
                u, v = min(u, 2 * size - 1 - u), min(v, 2 * size - 1 - v)
                for k in range(3):
                    canvas[y, x, k] = np.uint8(min(np.float32(255), sheets[sheet, v, u, k] * brightness + glint))
                canvas[y, x, 3] = 255
