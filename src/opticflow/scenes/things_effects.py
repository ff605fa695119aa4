"""The final pass: what a real camera adds to the clean picture."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Float64
from numba import njit

from opticflow.scenes.things_knobs import ThingsKnobs

Picture = Float32[np.ndarray, "height width 3"]
Map = Float32[np.ndarray, "height width"]

BLUR_PROBES = 11
"""Places along the motion that are averaged."""
TILE = 16
"""Side of the squares in which the fastest motion is sought."""
DEFOCUS_PROBES = 24


@dataclass(frozen=True)
class Effects:
    """How the camera of one scene alters its pictures."""

    shutter: float
    """Share of the time between frames during which the shutter is open."""
    defocus: float
    """Radius in pixels of the blur of a point at infinite distance."""
    focus: float
    """Distance that is sharp."""
    fog: float
    """Extinction per metre."""
    fog_colour: Float64[np.ndarray, "3"]
    gamma: float
    noise: float
    """Standard deviation in grey levels."""
    seed: int


def draw_effects(rng: np.random.Generator, knobs: ThingsKnobs) -> Effects:
    """Draw the camera of a scene."""
    return Effects(
        shutter=rng.uniform(*knobs.shutter),
        defocus=rng.uniform(*knobs.defocus) * knobs.zoom,
        focus=float(np.exp(rng.uniform(*np.log(knobs.object_depth)))),
        fog=rng.uniform(*knobs.fog) * (rng.random() < knobs.fog_chance),
        fog_colour=rng.uniform(120, 235) * rng.uniform(0.9, 1.1, 3),
        gamma=rng.uniform(*knobs.gamma),
        noise=rng.uniform(*knobs.noise),
        seed=int(rng.integers(2**31)),
    )


def finish(
    clean: Picture, depth: Map, velocity: Float32[np.ndarray, "height width 2"], effects: Effects, time: int
) -> Picture:
    """Turn the clean picture into the final one.

    Args:
        clean: grey levels from 0 to 255.
        depth: metres.
        velocity: pixels per frame.
        effects: the camera.
        time: number of the frame, which decides the noise.
    """
    picture = clean
    if effects.fog > 0:
        picture = _in_fog(picture, depth, effects)
    if effects.defocus > 0.2:
        picture = _defocused(picture, _confusion(depth, effects), depth)
    if effects.shutter > 0:
        picture = _moved(picture, depth, velocity * np.float32(effects.shutter))
    lut = 255 * np.linspace(0, 1, 1024, dtype=np.float32) ** np.float32(effects.gamma)
    picture = lut[np.clip(picture * np.float32(1023 / 255), 0, 1023).astype(np.int16)]
    if effects.noise > 0:
        rng = np.random.default_rng((effects.seed, time + 1))
        picture = picture + np.float32(effects.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    return picture


def _in_fog(picture: Picture, depth: Map, effects: Effects) -> Picture:
    """Koschmieder's law: light fades exponentially with the distance and the fog's own colour takes its place."""
    left = np.exp(-np.float32(effects.fog) * depth)[..., None]
    colour = effects.fog_colour.astype(np.float32)
    return colour + left * (picture - colour)


def _confusion(depth: Map, effects: Effects) -> Map:
    """Radius of the circle of confusion of a thin lens: proportional to |1 / focus - 1 / depth|."""
    radius = np.float32(effects.defocus) * np.abs(1 - np.float32(effects.focus) / depth)
    return np.minimum(radius, np.float32(2 * effects.defocus))


def _defocused(picture: Picture, radius: Map, depth: Map) -> Picture:
    blurred = np.empty_like(picture)
    _gather_disc(picture, radius, depth, float(radius.max()), blurred)
    return blurred


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _gather_disc(picture, radius, depth, largest, blurred):
    """Mean over the neighbours whose own blur reaches the pixel; what lies behind reaches no farther than it is blurred
    itself, so that a sharp edge stays sharp before a blurred ground."""
    height, width = radius.shape
    angle = np.arange(DEFOCUS_PROBES) * 2.399963229728653  # the golden angle spreads points evenly over a disc
    reach = np.sqrt((np.arange(DEFOCUS_PROBES) + 0.5) / DEFOCUS_PROBES)
    across, down = reach * np.cos(angle), reach * np.sin(angle)
    for row in range(height):
        for column in range(width):
            own, here = radius[row, column], depth[row, column]
            size = max(own, np.float32(0.0))
            # a nearer, blurred neighbour spreads over this pixel too; look as far as the largest blur nearby
            for probe in range(4):
                y = min(max(row + int(((probe & 1) * 2 - 1) * largest * 0.5), 0), height - 1)
                x = min(max(column + int(((probe >> 1) * 2 - 1) * largest * 0.5), 0), width - 1)
                if depth[y, x] < here:
                    size = max(size, radius[y, x])
            red, green, blue = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
            if size > 0.4:
                total = np.float32(1.0)
                for probe in range(DEFOCUS_PROBES):
                    dx, dy = across[probe] * size, down[probe] * size
                    y = min(max(int(row + dy + 0.5), 0), height - 1)
                    x = min(max(int(column + dx + 0.5), 0), width - 1)
                    spread = radius[y, x]
                    if depth[y, x] > here * np.float32(1.02):
                        spread = min(spread, own)
                    weight = min(max(spread - reach[probe] * size + np.float32(1.0), np.float32(0.0)), np.float32(1.0))
                    red += weight * picture[y, x, 0]
                    green += weight * picture[y, x, 1]
                    blue += weight * picture[y, x, 2]
                    total += weight
                red, green, blue = red / total, green / total, blue / total
            blurred[row, column, 0], blurred[row, column, 1], blurred[row, column, 2] = red, green, blue


def _moved(picture: Picture, depth: Map, streak: Float32[np.ndarray, "height width 2"]) -> Picture:
    """Motion blur by gathering along the dominant motion (McGuire et al., "A reconstruction filter for plausible motion
    blur", I3D 2012)."""
    tiles = _dominant(streak)
    blurred = np.empty_like(picture)
    _gather_line(picture, depth, streak, tiles, blurred)
    return blurred


def _dominant(streak: Float32[np.ndarray, "height width 2"]) -> Float32[np.ndarray, "rows columns 2"]:
    """The longest motion in each tile and its neighbours."""
    height, width = streak.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(streak, ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0)), mode="edge")
    blocks = padded.reshape(rows, TILE, columns, TILE, 2).swapaxes(1, 2).reshape(rows, columns, -1, 2)
    around = np.pad(_longest(blocks), ((1, 1), (1, 1), (0, 0)), mode="edge")
    return _longest(np.stack([around[y : y + rows, x : x + columns] for y in range(3) for x in range(3)], axis=2))


def _longest(blocks: Float32[np.ndarray, "rows columns vectors 2"]) -> Float32[np.ndarray, "rows columns 2"]:
    which = np.square(blocks).sum(-1).argmax(-1)
    return np.ascontiguousarray(np.take_along_axis(blocks, which[..., None, None], axis=2)[:, :, 0])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _gather_line(picture, depth, streak, tiles, blurred):
    """Mean along the dominant motion over what moves across the pixel, before it or with it."""
    height, width = depth.shape
    for row in range(height):
        for column in range(width):
            line_x, line_y = tiles[row // TILE, column // TILE, 0], tiles[row // TILE, column // TILE, 1]
            red, green, blue = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
            long_square = line_x * line_x + line_y * line_y
            if long_square > 0.25:
                length = np.sqrt(long_square)
                here = depth[row, column]
                own = np.sqrt(streak[row, column, 0] ** 2 + streak[row, column, 1] ** 2) * np.float32(0.5)
                # an offset that differs from pixel to pixel hides the steps between the probes
                shift = np.float32(((row * 7 + column * 13) & 15) / 16.0 - 0.5)
                total = np.float32(1.0 / max(own * 2.0, 1.0))
                red, green, blue = red * total, green * total, blue * total
                for probe in range(BLUR_PROBES):
                    along = np.float32((probe + 0.5 + shift) / BLUR_PROBES - 0.5)
                    x = min(max(int(column + along * line_x + 0.5), 0), width - 1)
                    y = min(max(int(row + along * line_y + 0.5), 0), height - 1)
                    distance = abs(along) * length
                    other = np.sqrt(streak[y, x, 0] ** 2 + streak[y, x, 1] ** 2) * np.float32(0.5)
                    there = depth[y, x]
                    nearer = min(max(np.float32(0.5) + (here - there) / (np.float32(0.05) * here), 0.0), 1.0)
                    weight = nearer * min(max(other - distance + np.float32(1.0), 0.0), 1.0) / max(other, 0.5)
                    weight += (1.0 - nearer) * min(max(own - distance + np.float32(1.0), 0.0), 1.0) / max(own, 0.5)
                    weight = np.float32(weight * length / BLUR_PROBES)
                    red += weight * picture[y, x, 0]
                    green += weight * picture[y, x, 1]
                    blue += weight * picture[y, x, 2]
                    total += weight
                red, green, blue = red / total, green / total, blue / total
            blurred[row, column, 0], blurred[row, column, 1], blurred[row, column, 2] = red, green, blue
