"""Colour: textures without aliasing, light, and anti-aliased edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8
from numba import njit

from opticflow.scenes.things_rasteriser import EMPTY, SAMPLES, Visibility

MOST_PROBES = 4
"""A texture seen at a slant is averaged over at most this many places along the long side of the pixel's footprint."""


@dataclass(frozen=True)
class Textures:
    """Pictures and their halved copies, in one array that a kernel can index."""

    texels: UInt8[np.ndarray, "texels 3"]
    starts: Int64[np.ndarray, "textures levels"]
    """Where each level of each texture begins in `texels`."""
    side: int
    """Side of the largest level, a power of two."""


def stack_textures(pictures: Sequence[UInt8[np.ndarray, "side side 3"]]) -> Textures:
    """Build the pyramids of square pictures whose side is a power of two."""
    side = pictures[0].shape[0]
    levels, starts, position = [], [], 0
    for picture in pictures:
        level, row = picture, []
        while True:
            row.append(position)
            levels.append(level.reshape(-1, 3))
            position += level.shape[0] * level.shape[1]
            if level.shape[0] == 1:
                break
            half = level.shape[0] // 2
            level = cv2.resize(level, (half, half), interpolation=cv2.INTER_AREA)
        starts.append(row)
    return Textures(np.concatenate(levels), np.array(starts, dtype=np.int64), side)


@dataclass(frozen=True)
class Surface:
    """What the triangles look like; it does not change with time."""

    triangles: Int32[np.ndarray, "triangles 3"]
    patches: Int32[np.ndarray, " triangles"]
    """Smooth piece of surface that a triangle belongs to: within one, a pixel needs one sample of colour."""
    materials: Int32[np.ndarray, " triangles"]
    coordinates: Float32[np.ndarray, "vertices 2"]
    """Texture coordinates; 1 is one repetition. The textures repeat mirrored, so that no seam shows."""
    tints: Float32[np.ndarray, "materials 3"]
    """Factor on the colour of the texture."""
    gloss: Float32[np.ndarray, "materials 2"]
    """Strength and exponent of the highlight (Blinn, 1977)."""
    textures: Textures
    """Texture number i belongs to material number `textures_of[i]`."""
    textures_of: Int32[np.ndarray, " materials"]


@dataclass(frozen=True)
class Light:
    """A distant lamp and light from everywhere."""

    direction: Float64[np.ndarray, "3"]
    """Towards the lamp, of length one, in camera coordinates."""
    ambient: float
    """Share of the texture's colour that is seen in the dark."""
    diffuse: float
    """Further share that is seen where the surface faces the lamp."""
    specular: float = 1.0
    """Factor on the highlights."""


ALBEDO = Light(np.array([0.0, 0.0, -1.0]), ambient=1.0, diffuse=0.0, specular=0.0)
"""Light that makes the colour independent of time, view and motion, for photometric checks."""


def shade(
    visibility: Visibility,
    surface: Surface,
    normals: Float32[np.ndarray, "vertices 3"],
    light: Light,
    softness: float,
) -> Float32[np.ndarray, "height width 3"]:
    """The picture, in grey levels from 0 to 255.

    Args:
        visibility: what is seen.
        surface: what it looks like.
        normals: of the vertices, in camera coordinates.
        light: the lamp.
        softness: levels of the texture pyramid added to the one at which a texel is as large as a pixel.
    """
    lens = visibility.lens
    picture = np.empty((lens.height, lens.width, 3), dtype=np.float32)
    _shade(
        visibility.seen, visibility.inverse_depth, visibility.edges, lens.focal, *lens.centre,
        surface.triangles, surface.patches, surface.materials, surface.coordinates, normals, surface.tints,
        surface.gloss, surface.textures.texels, surface.textures.starts, surface.textures.side, surface.textures_of,
        light.direction, light.ambient, light.diffuse, light.specular, softness, picture,
    )  # fmt: skip
    return picture


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _fetch(texels, start, side, u, v):
    """Bilinear reading of one level of a texture, repeated mirrored."""
    x, y = u * side - 0.5, v * side - 0.5
    floor_x, floor_y = np.floor(x), np.floor(y)
    fx, fy = np.float32(x - floor_x), np.float32(y - floor_y)
    period = 2 * side - 1
    x0, y0 = int(floor_x) & period, int(floor_y) & period
    x1, y1 = (x0 + 1) & period, (y0 + 1) & period
    x0, x1, y0, y1 = min(x0, period - x0), min(x1, period - x1), min(y0, period - y0), min(y1, period - y1)
    a, b = start + y0 * side + x0, start + y0 * side + x1
    c, d = start + y1 * side + x0, start + y1 * side + x1
    one = np.float32(1.0)
    wa, wb, wc, wd = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
    return (
        wa * texels[a, 0] + wb * texels[b, 0] + wc * texels[c, 0] + wd * texels[d, 0],
        wa * texels[a, 1] + wb * texels[b, 1] + wc * texels[c, 1] + wd * texels[d, 1],
        wa * texels[a, 2] + wb * texels[b, 2] + wc * texels[c, 2] + wd * texels[d, 2],
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _colour(
    number, x, y, focal, centre_x, centre_y, edges, triangles, materials, coordinates, normals, tints, gloss, texels,
    starts, texture_side, textures_of, light, ambient, diffuse, specular, softness,
):  # fmt: skip
    """Colour of triangle `number` at the point (x, y) of the picture."""
    edge = edges[number]
    e0 = edge[0, 0] * x + edge[0, 1] * y + edge[0, 2]
    e1 = edge[1, 0] * x + edge[1, 1] * y + edge[1, 2]
    e2 = edge[2, 0] * x + edge[2, 1] * y + edge[2, 2]
    depth = 1.0 / (e0 + e1 + e2)
    i, j, k = triangles[number]
    b0, b1, b2 = e0 * depth, e1 * depth, e2 * depth
    u0, u1, u2 = coordinates[i, 0], coordinates[j, 0], coordinates[k, 0]
    v0, v1, v2 = coordinates[i, 1], coordinates[j, 1], coordinates[k, 1]
    u, v = b0 * u0 + b1 * u1 + b2 * u2, b0 * v0 + b1 * v1 + b2 * v2
    # the footprint of the pixel in the texture: derivatives of u = sum(e u_i) / sum(e)
    wx, wy = edge[0, 0] + edge[1, 0] + edge[2, 0], edge[0, 1] + edge[1, 1] + edge[2, 1]
    ux = (edge[0, 0] * u0 + edge[1, 0] * u1 + edge[2, 0] * u2 - u * wx) * depth
    uy = (edge[0, 1] * u0 + edge[1, 1] * u1 + edge[2, 1] * u2 - u * wy) * depth
    vx = (edge[0, 0] * v0 + edge[1, 0] * v1 + edge[2, 0] * v2 - v * wx) * depth
    vy = (edge[0, 1] * v0 + edge[1, 1] * v1 + edge[2, 1] * v2 - v * wy) * depth
    # half axes of the ellipse that is the image of a circle: the singular values of the 2 x 2 derivative
    total = ux * ux + uy * uy + vx * vx + vy * vy
    area = abs(ux * vy - uy * vx)
    root = np.sqrt(max(0.0, total * total / 4.0 - area * area))
    long_square = total / 2.0 + root
    short_square = area * area / max(long_square, 1e-30)
    short_square = max(short_square, long_square / (MOST_PROBES * MOST_PROBES))
    probes = min(MOST_PROBES, int(np.sqrt(long_square / max(short_square, 1e-30)) + 0.5))
    probes = max(probes, 1)
    top = starts.shape[1] - 1
    level = 0.5 * np.log2(max(short_square * texture_side * texture_side, 1e-12)) + softness
    level = min(max(level, 0.0), float(top))
    fine = min(int(level), top - 1)
    blend = np.float32(level - fine)
    axis_u, axis_v = 0.0, 0.0
    if probes > 1:
        # direction of the long axis: eigenvector of J J^T
        cross = ux * vx + uy * vy
        axis_u, axis_v = cross, long_square - (ux * ux + uy * uy)
        if abs(cross) < 1e-12 * long_square:
            if ux * ux + uy * uy > vx * vx + vy * vy:
                axis_u, axis_v = 1.0, 0.0
            else:
                axis_u, axis_v = 0.0, 1.0
        length = np.sqrt(long_square / max(axis_u * axis_u + axis_v * axis_v, 1e-30))
        axis_u, axis_v = axis_u * length, axis_v * length
    material = materials[number]
    texture = textures_of[material]
    red = green = blue = np.float32(0.0)
    for probe in range(probes):
        along = (probe + 0.5) / probes - 0.5
        pu, pv = u + along * axis_u, v + along * axis_v
        r0, g0, s0 = _fetch(texels, starts[texture, fine], texture_side >> fine, pu, pv)
        r1, g1, s1 = _fetch(texels, starts[texture, fine + 1], texture_side >> (fine + 1), pu, pv)
        red += r0 + blend * (r1 - r0)
        green += g0 + blend * (g1 - g0)
        blue += s0 + blend * (s1 - s0)
    strength = np.float32(ambient)
    shine = np.float32(0.0)
    if diffuse > 0.0:
        nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[k, 0]
        ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[k, 1]
        nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[k, 2]
        length = 1.0 / np.sqrt(max(nx * nx + ny * ny + nz * nz, 1e-20))
        facing = (nx * light[0] + ny * light[1] + nz * light[2]) * length
        # a half-Lambert floor keeps the texture readable on the dark side
        strength += np.float32(diffuse * (0.8 * max(facing, 0.0) + 0.2 * (0.5 + 0.5 * facing)))
        if specular > 0.0 and gloss[material, 0] > 0.0 and facing > 0.0:
            dx, dy = (centre_x - x) / focal, (centre_y - y) / focal
            back = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
            hx, hy, hz = light[0] + dx * back, light[1] + dy * back, light[2] - back
            half = (nx * hx + ny * hy + nz * hz) * length / np.sqrt(max(hx * hx + hy * hy + hz * hz, 1e-20))
            if half > 0.0:
                shine = np.float32(255.0 * specular * gloss[material, 0] * half ** gloss[material, 1])
    strength /= probes
    return (
        red * strength * tints[material, 0] + shine,
        green * strength * tints[material, 1] + shine,
        blue * strength * tints[material, 2] + shine,
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _shade(
    seen, inverse_depth, edges, focal, centre_x, centre_y, triangles, patches, materials, coordinates, normals, tints,
    gloss, texels, starts, texture_side, textures_of, light, ambient, diffuse, specular, softness, picture,
):  # fmt: skip
    """One colour per pixel inside a smooth piece; one per piece, weighted by its samples, where several meet."""
    height, width = picture.shape[:2]
    middle = SAMPLES // 2
    done = np.empty(SAMPLES * SAMPLES, dtype=np.bool_)
    for row in range(height):
        for column in range(width):
            base_row, base_column = row * SAMPLES, column * SAMPLES
            done[:] = False
            red = green = blue = np.float32(0.0)
            # the centre first: it is nearly always the only colour needed
            for turn in range(SAMPLES * SAMPLES):
                index = (turn + middle * SAMPLES + middle) % (SAMPLES * SAMPLES)
                if done[index]:
                    continue
                sample_row, sample_column = index // SAMPLES, index % SAMPLES
                number = seen[base_row + sample_row, base_column + sample_column]
                inverse = inverse_depth[base_row + sample_row, base_column + sample_column]
                count, sum_row, sum_column = 0, 0, 0
                for other in range(SAMPLES * SAMPLES):
                    other_row, other_column = other // SAMPLES, other % SAMPLES
                    if done[other]:
                        continue
                    peer = seen[base_row + other_row, base_column + other_column]
                    if peer != number:
                        if peer == EMPTY or number == EMPTY or patches[peer] != patches[number]:
                            continue
                        ratio = inverse_depth[base_row + other_row, base_column + other_column] / inverse
                        if ratio > 1.05 or ratio < 0.95:
                            continue
                    done[other] = True
                    count += 1
                    sum_row += other_row
                    sum_column += other_column
                if number == EMPTY:
                    continue
                x = column + (sum_column / count - middle) / SAMPLES
                y = row + (sum_row / count - middle) / SAMPLES
                edge = edges[number]
                reached = (
                    (edge[0, 0] + edge[1, 0] + edge[2, 0]) * x
                    + (edge[0, 1] + edge[1, 1] + edge[2, 1]) * y
                    + (edge[0, 2] + edge[1, 2] + edge[2, 2])
                )
                if not 0.8 * inverse < reached < 1.25 * inverse:  # the plane of a steep triangle, left too far behind
                    x = column + (sample_column - middle) / SAMPLES
                    y = row + (sample_row - middle) / SAMPLES
                r, g, b = _colour(
                    number, x, y, focal, centre_x, centre_y, edges, triangles, materials, coordinates, normals, tints,
                    gloss, texels, starts, texture_side, textures_of, light, ambient, diffuse, specular, softness,
                )  # fmt: skip
                weight = np.float32(count / (SAMPLES * SAMPLES))
                red += weight * r
                green += weight * g
                blue += weight * b
            picture[row, column, 0] = min(red, np.float32(255.0))
            picture[row, column, 1] = min(green, np.float32(255.0))
            picture[row, column, 2] = min(blue, np.float32(255.0))
