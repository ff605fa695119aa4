"""Shading: mipmapped textures, light, and anti-aliased edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8, UInt32
from numba import njit

from opticflow.scenes.things_rasteriser import EMPTY, SAMPLES, Visibility

MOST_PROBES = 3
"""Largest number of texture samples along the long axis of a pixel's footprint (anisotropic filtering)."""

EIGHT, SIXTEEN = np.uint32(8), np.uint32(16)
STEP = 1.05
"""Ratio of depths within a pixel above which two parts of a smooth surface are shaded separately."""


@dataclass(frozen=True)
class Textures:
    """Square pictures and their mipmap levels, in one array that a kernel can index."""

    texels: UInt32[np.ndarray, " texels"]
    """Red, green and blue in the lowest three bytes, so that one load reads a colour."""
    starts: Int64[np.ndarray, "textures levels"]
    """Index in `texels` at which each level of each texture begins."""
    sides: Int64[np.ndarray, " textures"]
    """Side of the finest level of each texture, a power of two."""


def stack_textures(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Textures:
    """Build the mipmaps of square pictures whose sides are powers of two."""
    sides = [len(picture) for picture in pictures]
    starts = np.zeros((len(pictures), max(sides).bit_length()), dtype=np.int64)  # textures x levels
    levels, position = [], 0
    for number, picture in enumerate(pictures):
        level = picture
        for depth in range(sides[number].bit_length()):
            if depth > 0:
                level = cv2.resize(level, (len(level) // 2, len(level) // 2), interpolation=cv2.INTER_AREA)
            starts[number, depth] = position
            levels.append(cv2.cvtColor(level, cv2.COLOR_RGB2RGBA).reshape(-1))
            position += level.shape[0] * level.shape[1]
    texels = np.concatenate(levels).view("<u4")
    return Textures(texels, starts, np.array(sides, dtype=np.int64))


@dataclass(frozen=True)
class Surface:
    """Triangles with their texture, tint and gloss; constant over time."""

    triangles: Int32[np.ndarray, "triangles 3"]
    patches: Int32[np.ndarray, " triangles"]
    """Number of the smooth surface that a triangle belongs to; within one, a pixel needs one colour sample."""
    materials: Int32[np.ndarray, " triangles"]
    coordinates: Float32[np.ndarray, "vertices 2"]
    """Texture coordinates; 1 is one repetition. Repetitions are mirrored, so that no seam is visible."""
    tints: Float32[np.ndarray, "materials 3"]
    """Factor on the colour of the texture."""
    gloss: Float32[np.ndarray, "materials 2"]
    """Strength and exponent of the highlight (Blinn, 1977)."""
    textures: Textures
    """Material number i has texture number `textures_of[i]`."""
    textures_of: Int32[np.ndarray, " materials"]


@dataclass(frozen=True)
class Light:
    """A distant lamp and ambient light."""

    direction: Float64[np.ndarray, "3"]
    """Unit vector towards the lamp, in camera coordinates."""
    ambient: float
    """Share of the texture's colour that is visible without the lamp."""
    diffuse: float
    """Additional share where the surface faces the lamp."""
    specular: float = 1.0
    """Factor on the highlights."""


ALBEDO = Light(np.array([0.0, 0.0, -1.0]), ambient=1.0, diffuse=0.0, specular=0.0)
"""Light under which colours do not depend on time, view or motion, for photometric checks."""


def shade(
    visibility: Visibility,
    surface: Surface,
    normals: Float32[np.ndarray, "vertices 3"],
    light: Light,
    softness: float,
) -> Float32[np.ndarray, "height width 3"]:
    """Return the shaded picture, in grey levels from 0 to 255.

    Args:
        visibility: visible triangles and their depths.
        surface: textures, tints and gloss of the triangles.
        normals: normals of the vertices, in camera coordinates.
        light: lamp and ambient light.
        softness: number of mipmap levels added to the level at which a texel is as large as a pixel.
    """
    lens = visibility.lens
    picture = np.empty((lens.height, lens.width, 3), dtype=np.float32)
    _shade(
        visibility.seen, visibility.inverse_depth, visibility.edges, lens.focal, *lens.centre,
        surface.triangles, surface.patches, surface.materials, surface.coordinates, normals, surface.tints,
        surface.gloss, surface.textures.texels, surface.textures.starts, surface.textures.sides, surface.textures_of,
        light.direction.astype(np.float32), light.ambient, light.diffuse, light.specular, softness, picture,
    )  # fmt: skip
    return picture


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _fetch(texels, start, side, u, v):
    """Sample one level of a texture, bilinearly, with mirrored repetition."""
    # in texels: the centre of a texel is at a half-integer value of u * side
    x, y = u * np.float32(side) - np.float32(0.5), v * np.float32(side) - np.float32(0.5)
    floor_x, floor_y = np.floor(x), np.floor(y)
    fx, fy = x - floor_x, y - floor_y
    # a mirrored texture repeats after 2 * side texels, a power of two, so a bit mask does the modulo
    period = 2 * side - 1
    x0, y0 = int(floor_x) & period, int(floor_y) & period
    x1, y1 = (x0 + 1) & period, (y0 + 1) & period
    x0, x1, y0, y1 = min(x0, period - x0), min(x1, period - x1), min(y0, period - y0), min(y1, period - y1)
    a, b = texels[np.uint64(start + y0 * side + x0)], texels[np.uint64(start + y0 * side + x1)]
    c, d = texels[np.uint64(start + y1 * side + x0)], texels[np.uint64(start + y1 * side + x1)]
    one, byte = np.float32(1.0), np.uint32(255)
    wa, wb, wc, wd = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy  # bilinear weights
    return (
        wa * np.float32(a & byte) + wb * np.float32(b & byte) + wc * np.float32(c & byte) + wd * np.float32(d & byte),
        wa * np.float32(a >> EIGHT & byte)
        + wb * np.float32(b >> EIGHT & byte)
        + wc * np.float32(c >> EIGHT & byte)
        + wd * np.float32(d >> EIGHT & byte),
        wa * np.float32(a >> SIXTEEN & byte)
        + wb * np.float32(b >> SIXTEEN & byte)
        + wc * np.float32(c >> SIXTEEN & byte)
        + wd * np.float32(d >> SIXTEEN & byte),
    )


@njit(inline="always", nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _colour(
    number, x, y, focal, centre_x, centre_y, edges, triangles, materials, coordinates, normals, tints, gloss, texels,
    starts, sides, textures_of, light, ambient, diffuse, specular, softening,
):  # fmt: skip
    """Return the colour of triangle `number` at the point (x, y) of the picture."""
    edge = edges[number]
    e0 = edge[0, 0] * x + edge[0, 1] * y + edge[0, 2]
    e1 = edge[1, 0] * x + edge[1, 1] * y + edge[1, 2]
    e2 = edge[2, 0] * x + edge[2, 1] * y + edge[2, 2]
    # e_i / (e0 + e1 + e2) are the perspective-correct barycentric coordinates (see `things_rasteriser`)
    inverse = 1.0 / (e0 + e1 + e2)
    i, j, k = triangles[number, 0], triangles[number, 1], triangles[number, 2]
    # single precision is enough from here on: its error is a thousandth of a texel
    b0, b1, b2 = np.float32(e0 * inverse), np.float32(e1 * inverse), np.float32(e2 * inverse)
    # derivatives of the e_i with respect to x and y, divided by the sum of the e_i
    ax, bx, cx = np.float32(edge[0, 0] * inverse), np.float32(edge[1, 0] * inverse), np.float32(edge[2, 0] * inverse)
    ay, by, cy = np.float32(edge[0, 1] * inverse), np.float32(edge[1, 1] * inverse), np.float32(edge[2, 1] * inverse)
    u0, u1, u2 = coordinates[i, 0], coordinates[j, 0], coordinates[k, 0]
    v0, v1, v2 = coordinates[i, 1], coordinates[j, 1], coordinates[k, 1]
    u, v = b0 * u0 + b1 * u1 + b2 * u2, b0 * v0 + b1 * v1 + b2 * v2
    # the footprint of the pixel in the texture: derivatives of u = sum(e u_i) / sum(e)
    wx, wy = ax + bx + cx, ay + by + cy
    ux, uy = ax * u0 + bx * u1 + cx * u2 - u * wx, ay * u0 + by * u1 + cy * u2 - u * wy
    vx, vy = ax * v0 + bx * v1 + cx * v2 - v * wx, ay * v0 + by * v1 + cy * v2 - v * wy
    # half axes of the ellipse that is the image of a circle: the singular values of the 2 x 2 derivative
    one, half, tiny = np.float32(1.0), np.float32(0.5), np.float32(1e-20)
    su, sv = ux * ux + uy * uy, vx * vx + vy * vy
    mean, area = half * (su + sv), abs(ux * vy - uy * vx)
    long_square = mean + np.sqrt(max(mean * mean - area * area, np.float32(0.0))) + tiny
    axis_u = axis_v = np.float32(0.0)
    probes = 1
    if area * np.float32(1.6) < long_square:  # long axis: eigenvector of the derivative times its transpose
        probes = min(MOST_PROBES, int(long_square / (area + tiny) + half))
        axis_u, axis_v = ux * vx + uy * vy, long_square - su
        # both forms are eigenvectors; this choice avoids the one that may cancel to zero
        if su > sv:
            axis_u, axis_v = long_square - sv, axis_u
        # scale the axis to the length of the footprint, in texture coordinates
        length = np.sqrt(long_square / (axis_u * axis_u + axis_v * axis_v + tiny))
        axis_u, axis_v = axis_u * length, axis_v * length
    material = materials[number]
    texture = textures_of[material]
    side = sides[texture]
    # texels between two probes; within an octave, the levels are blended linearly
    spacing = np.sqrt(long_square) * np.float32(side * softening / probes)
    fine = 0
    while spacing > np.float32(2.0) and side >> (fine + 2) > 0:
        fine, spacing = fine + 1, half * spacing
    blend = min(max(spacing - np.float32(1.0), np.float32(0.0)), np.float32(1.0))  # share of the coarser level
    red = green = blue = np.float32(0.0)
    for probe in range(probes):
        along = (np.float32(probe) + half) / np.float32(probes) - half  # from -1/2 to 1/2
        pu, pv = u + along * axis_u, v + along * axis_v
        r0, g0, s0 = _fetch(texels, starts[texture, fine], side >> fine, pu, pv)
        r1, g1, s1 = _fetch(texels, starts[texture, fine + 1], side >> (fine + 1), pu, pv)
        red += r0 + blend * (r1 - r0)
        green += g0 + blend * (g1 - g0)
        blue += s0 + blend * (s1 - s0)
    strength = np.float32(ambient)
    shine = np.float32(0.0)
    if diffuse > 0.0:
        # interpolated normals make a mesh look smooth (Phong, 1975)
        nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[k, 0]
        ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[k, 1]
        nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[k, 2]
        length = one / np.sqrt(nx * nx + ny * ny + nz * nz + tiny)
        facing = (nx * light[0] + ny * light[1] + nz * light[2]) * length
        # a half-Lambert term keeps the texture visible on the dark side
        strength += np.float32(diffuse) * (
            np.float32(0.8) * max(facing, np.float32(0.0)) + (facing + one) / np.float32(10)
        )
        if specular > 0.0 and gloss[material, 0] > 0.0 and facing > 0.0:
            # Blinn's highlight is strongest where the normal halves the angle between the lamp and the viewer
            dx, dy = np.float32((centre_x - x) / focal), np.float32((centre_y - y) / focal)
            back = one / np.sqrt(dx * dx + dy * dy + one)
            hx, hy, hz = light[0] + dx * back, light[1] + dy * back, light[2] - back
            aligned = (nx * hx + ny * hy + nz * hz) * length / np.sqrt(hx * hx + hy * hy + hz * hz + tiny)
            if aligned > 0.0:
                shine = np.float32(255.0 * specular) * gloss[material, 0] * aligned ** gloss[material, 1]
    strength /= np.float32(probes)  # the colours are sums over the probes
    return (
        red * strength * tints[material, 0] + shine,
        green * strength * tints[material, 1] + shine,
        blue * strength * tints[material, 2] + shine,
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _is_smooth(seen, inverse_depth, patches, row, column):
    """Whether all samples of a pixel show one smooth surface without a step in depth."""
    first = seen[row, column]
    # most pixels show a single triangle, which can be tested without reading depths
    same = True
    for down in range(SAMPLES):
        for across in range(SAMPLES):
            same &= seen[row + down, column + across] == first
    if same or first == EMPTY:
        return same
    # inverse depths of the farthest and the nearest sample
    least = most = inverse_depth[row, column]
    for down in range(SAMPLES):
        for across in range(SAMPLES):
            number = seen[row + down, column + across]
            if number == EMPTY or patches[number] != patches[first]:
                return False
            inverse = inverse_depth[row + down, column + across]
            least, most = min(least, inverse), max(most, inverse)
    return most < np.float32(STEP) * least


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _gather(index, done, number, row, column, seen, inverse_depth, patches, edges):
    """Mark the samples of a pixel that show the same surface as sample `index`; return their mean position and their
    number."""
    base_row, base_column = row * SAMPLES, column * SAMPLES
    first_row, first_column = index // SAMPLES, index % SAMPLES
    inverse = inverse_depth[base_row + first_row, base_column + first_column]
    count, sum_row, sum_column = 0, 0, 0
    for other in range(index, SAMPLES * SAMPLES):
        other_row, other_column = other // SAMPLES, other % SAMPLES
        if done[other]:
            continue
        peer = seen[base_row + other_row, base_column + other_column]
        if peer != number:
            if peer == EMPTY or number == EMPTY or patches[peer] != patches[number]:
                continue
            other_inverse = inverse_depth[base_row + other_row, base_column + other_column]
            if max(inverse, other_inverse) > np.float32(STEP) * min(inverse, other_inverse):
                continue
        done[other] = True
        count, sum_row, sum_column = count + 1, sum_row + other_row, sum_column + other_column
    middle = SAMPLES // 2
    x, y = column + (sum_column / count - middle) / SAMPLES, row + (sum_row / count - middle) / SAMPLES
    if number != EMPTY:
        edge = edges[number]
        reached = edge[:, 0].sum() * x + edge[:, 1].sum() * y + edge[:, 2].sum()
        if not 0.8 * inverse < reached < 1.25 * inverse:  # too far along the plane of a steep triangle
            x, y = column + (first_column - middle) / SAMPLES, row + (first_row - middle) / SAMPLES
    return x, y, count


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _shade(
    seen, inverse_depth, edges, focal, centre_x, centre_y, triangles, patches, materials, coordinates, normals, tints,
    gloss, texels, starts, sides, textures_of, light, ambient, diffuse, specular, softness, picture,
):  # fmt: skip
    """Shade each pixel. Inside a smooth surface, one colour is computed. Where several surfaces meet, one colour
    per surface is computed and weighted by its number of samples."""
    height, width = picture.shape[:2]
    middle, samples = SAMPLES // 2, SAMPLES * SAMPLES
    softening = 2.0**softness  # factor on the footprint
    done = np.empty(samples, dtype=np.bool_)
    for row in range(height):
        for column in range(width):
            base_row, base_column = row * SAMPLES, column * SAMPLES
            smooth = _is_smooth(seen, inverse_depth, patches, base_row, base_column)
            if not smooth:
                done[:] = False
            red = green = blue = np.float32(0.0)
            for index in range(samples):
                if not smooth and done[index]:
                    continue
                x, y, count = float(column), float(row), samples
                number = seen[base_row + middle, base_column + middle]
                if not smooth:
                    number = seen[base_row + index // SAMPLES, base_column + index % SAMPLES]
                    x, y, count = _gather(index, done, number, row, column, seen, inverse_depth, patches, edges)
                if number != EMPTY:
                    r, g, b = _colour(
                        number, x, y, focal, centre_x, centre_y, edges, triangles, materials, coordinates, normals,
                        tints, gloss, texels, starts, sides, textures_of, light, ambient, diffuse, specular, softening,
                    )  # fmt: skip
                    weight = np.float32(count) / np.float32(samples)  # share of the pixel's samples
                    red, green, blue = red + weight * r, green + weight * g, blue + weight * b
                if smooth:
                    break
            picture[row, column, 0], picture[row, column, 1], picture[row, column, 2] = red, green, blue
