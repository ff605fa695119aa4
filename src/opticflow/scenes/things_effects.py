"""The final pass: effects of a real camera on the clean picture."""

from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from numba import njit

from opticflow.scenes.things_config import ThingsConfig
from opticflow.shapes import Frame

Picture = Float32[np.ndarray, "height width 3"]
Map = Float32[np.ndarray, "height width"]

BLUR_PROBES = 11
"""Largest number of samples averaged along the motion."""
TILE = 16
"""Side in pixels of the tiles in which the fastest motion is found."""
DEFOCUS_PROBES = 22


@dataclass(frozen=True)
class CameraEffects:
    """Parameters of the camera effects in one scene."""

    shutter: float
    """Exposure time as a share of the time between frames."""
    defocus: float
    """Radius in pixels of the defocus blur of a point at infinite distance."""
    focus: float
    """Distance in metres that is in focus."""
    fog: float
    """Extinction coefficient per metre."""
    fog_colour: Float64[np.ndarray, "3"]
    gamma: float
    noise: float
    """Standard deviation of the noise in grey levels."""
    seed: int


def draw_effects(rng: np.random.Generator, config: ThingsConfig) -> CameraEffects:
    """Draw the parameters of the camera effects in one scene."""
    return CameraEffects(
        shutter=rng.uniform(*config.shutter),
        defocus=rng.uniform(*config.defocus) * config.zoom,
        focus=float(np.exp(rng.uniform(*np.log(config.object_depth)))),
        fog=rng.uniform(*config.fog) * (rng.random() < config.fog_chance),
        fog_colour=rng.uniform(120, 235) * rng.uniform(0.9, 1.1, 3),
        gamma=rng.uniform(*config.gamma),
        noise=rng.uniform(*config.noise),
        seed=int(rng.integers(2**31)),
    )


def finish(
    clean: Picture, depth: Map, velocity: Float32[np.ndarray, "height width 2"], effects: CameraEffects, time: int
) -> Frame:
    """Return the final picture: the clean picture with the camera effects.

    Args:
        clean: grey levels from 0 to 255.
        depth: depth in metres.
        velocity: flow to the next frame, in pixels.
        effects: parameters of the effects.
        time: index of the frame, which selects the noise.
    """
    picture = clean.copy()
    # in the order of the light path: fog, lens, shutter, sensor
    if effects.fog > 0:
        _fog(picture, depth, effects.fog, effects.fog_colour.astype(np.float32))
    if effects.defocus > 0.2:
        picture = _defocused(picture, depth, effects)
    if effects.shutter > 0:
        picture = _moved(picture, depth, velocity, effects.shutter)
    noise = np.zeros((1, 1, 1), dtype=np.float32)  # `_expose` reads this shape as no noise
    if effects.noise > 0:
        rng = np.random.default_rng((effects.seed, time + 2**16))  # the offset keeps seeds positive for times before 0
        noise = np.float32(effects.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    curve = 255 * np.linspace(0, 1, 1024) ** effects.gamma  # 1024 grey levels
    levels = np.empty(picture.shape, dtype=np.uint8)
    _expose(picture, curve.astype(np.float32), noise, levels)
    return levels


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _fog(picture, depth, extinction, colour):
    """Apply fog by Koschmieder's law: light decreases exponentially with the distance, and the fog's own colour
    replaces it."""
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            left = np.float32(np.exp(np.float32(-extinction) * depth[row, column]))  # share of the light that arrives
            for channel in range(3):
                picture[row, column, channel] = colour[channel] + left * (
                    picture[row, column, channel] - colour[channel]
                )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _expose(picture, curve, noise, levels):
    """Apply a tone curve to the grey levels, add noise and round to 8 bits."""
    noisy = noise.shape[0] > 1
    scale = np.float32((len(curve) - 1) / 255.0)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            for channel in range(3):
                place = min(max(picture[row, column, channel] * scale, np.float32(0.0)), np.float32(len(curve) - 1))
                value = curve[int(place + np.float32(0.5))]
                if noisy:
                    value += noise[row, column, channel]
                levels[row, column, channel] = np.uint8(min(max(value + np.float32(0.5), 0.0), 255.0))


def _defocused(picture: Picture, depth: Map, effects: CameraEffects) -> Picture:
    """Spread every pixel over its circle of confusion, whose radius for a thin lens is proportional to |1 - focus /
    depth|."""
    radius = np.float32(effects.defocus) * np.abs(1 - np.float32(effects.focus) / depth)  # H x W, pixels
    # the blur of very near points would grow without bound
    radius = np.minimum(radius, np.float32(2 * effects.defocus))
    # a nearer, blurred neighbour spreads over a pixel too: look as far as the largest blur nearby
    side = 2 * int(radius.max()) + 1
    reach = cv2.dilate(radius, np.ones((side, side), dtype=np.uint8))
    blurred = np.empty_like(picture)
    _gather_disc(picture, radius, reach, depth, blurred)
    return blurred


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _gather_disc(picture, radius, reach, depth, blurred):
    """Average the neighbours whose own blur reaches the pixel. A neighbour behind the pixel spreads no farther than the
    pixel's own blur radius, so that a sharp edge stays sharp in front of a blurred background."""
    height, width = radius.shape
    one, nothing = np.float32(1.0), np.float32(0.0)
    angle = np.arange(DEFOCUS_PROBES) * 2.399963229728653  # the golden angle spreads points evenly over a disc
    # share of the radius; the square root makes the density even
    part = np.sqrt((np.arange(DEFOCUS_PROBES) + 0.5) / DEFOCUS_PROBES)
    across, down = (part * np.cos(angle)).astype(np.float32), (part * np.sin(angle)).astype(np.float32)
    part = part.astype(np.float32)
    for row in range(height):
        for column in range(width):
            red, green, blue = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
            own, size = radius[row, column], reach[row, column]
            if size > np.float32(0.5):
                behind = depth[row, column] * np.float32(1.02)  # depth from which on a neighbour counts as behind
                total = one  # the pixel's own weight
                # a disc of few pixels needs few probes; every second one is still spread evenly
                stride = 1 if size > 3.0 else 2
                for probe in range(0, DEFOCUS_PROBES, stride):
                    y = min(max(int(row + down[probe] * size + np.float32(0.5)), 0), height - 1)
                    x = min(max(int(column + across[probe] * size + np.float32(0.5)), 0), width - 1)
                    spread = radius[y, x]
                    if depth[y, x] > behind:
                        spread = min(spread, own)
                    # a neighbour counts if its blur reaches the pixel; the weight fades over one pixel
                    weight = min(max(spread - part[probe] * size + one, nothing), one)
                    red += weight * picture[y, x, 0]
                    green += weight * picture[y, x, 1]
                    blue += weight * picture[y, x, 2]
                    total += weight
                share = one / total
                red, green, blue = red * share, green * share, blue * share
            blurred[row, column, 0], blurred[row, column, 1], blurred[row, column, 2] = red, green, blue


def _moved(picture: Picture, depth: Map, velocity: Float32[np.ndarray, "height width 2"], shutter: float) -> Picture:
    """Apply motion blur: gather colours along the dominant motion (McGuire et al., "A reconstruction filter for
    plausible motion blur", I3D 2012)."""
    height, width = depth.shape
    # H x W, pixels in half of the exposure
    speed = np.hypot(velocity[..., 0], velocity[..., 1]) * np.float32(shutter / 2)
    # tile rows x tile columns x 2, pixels per exposure
    tiles = np.zeros((-(-height // TILE), -(-width // TILE), 2), dtype=np.float32)
    _dominant(velocity, speed, shutter, tiles)
    blurred = np.empty_like(picture)
    _gather_line(picture, depth, speed, tiles, blurred)
    return blurred


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _dominant(velocity, speed, shutter, tiles):
    """Write into `tiles` the longest motion during the exposure in each tile and its neighbours."""
    rows, columns = tiles.shape[:2]
    height, width = speed.shape
    most = np.zeros((rows, columns), dtype=np.float32)  # fastest motion of each tile
    where = np.zeros((rows, columns, 2), dtype=np.int64)  # row and column of the pixel that has it
    for row in range(height):
        for column in range(width):
            tile_row, tile_column = row // TILE, column // TILE
            if speed[row, column] > most[tile_row, tile_column]:
                most[tile_row, tile_column] = speed[row, column]
                where[tile_row, tile_column, 0], where[tile_row, tile_column, 1] = row, column
    # a surface of a neighbouring tile may sweep over this one, so its motion counts too
    for row in range(rows):
        for column in range(columns):
            best = np.float32(0.0)
            for near_row in range(max(row - 1, 0), min(row + 2, rows)):
                for near_column in range(max(column - 1, 0), min(column + 2, columns)):
                    if most[near_row, near_column] > best:
                        best = most[near_row, near_column]
                        y, x = where[near_row, near_column, 0], where[near_row, near_column, 1]
                        tiles[row, column, 0] = velocity[y, x, 0] * shutter
                        tiles[row, column, 1] = velocity[y, x, 1] * shutter


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
@no_type_check
def _gather_line(picture, depth, speed, tiles, blurred):
    """Average along the dominant motion. A nearer neighbour counts if its own streak reaches the pixel, a farther one
    if the pixel's streak reaches it."""
    height, width = depth.shape
    half, one, nothing = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    for row in range(height):
        for column in range(width):
            line_x, line_y = tiles[row // TILE, column // TILE, 0], tiles[row // TILE, column // TILE, 1]
            red, green, blue = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
            length = np.sqrt(line_x * line_x + line_y * line_y)
            if length > half:
                here, own = depth[row, column], speed[row, column]
                steep = np.float32(20.0) / here  # a step in depth of 2.5 % separates surfaces fully
                # a moving surface is spread over its streak, so each pixel gets a smaller share of it
                own_share = one / max(own, half)
                # an offset that differs from pixel to pixel hides the steps between the probes
                shift = np.float32(((row * 7 + column * 13) & 15) / 16.0)
                probes = min(BLUR_PROBES, int(length) + 2)
                total = half * own_share
                red, green, blue = red * total, green * total, blue * total
                for probe in range(probes):
                    along = (np.float32(probe) + shift) / np.float32(probes) - half
                    x = min(max(int(column + along * line_x + half), 0), width - 1)
                    y = min(max(int(row + along * line_y + half), 0), height - 1)
                    other, margin = speed[y, x], one - abs(along) * length
                    # a nearer neighbour must reach the pixel by its own streak, a farther one by the pixel's
                    nearer = min(max(half + (here - depth[y, x]) * steep, nothing), one)
                    weight = nearer * min(max(other + margin, nothing), one) / max(other, half)
                    weight += (one - nearer) * min(max(own + margin, nothing), one) * own_share
                    weight *= length / np.float32(probes)  # length of the line in pixels per probe
                    red += weight * picture[y, x, 0]
                    green += weight * picture[y, x, 1]
                    blue += weight * picture[y, x, 2]
                    total += weight
                share = one / total
                red, green, blue = red * share, green * share, blue * share
            blurred[row, column, 0], blurred[row, column, 1], blurred[row, column, 2] = red, green, blue
