"""Procedural pictures that replace photographs, drawn with a random generator.

Natural pictures resemble occluding surfaces of all sizes (the dead-leaves model of Lee, Mumford and Huang, 2001), with
spectra that fall off like 1/f. This module layers materials to form landscapes, streets, walls and heaps.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.scenes.materials import bricks, grained, material, mottle
from opticflow.scenes.noise import fractal, soften
from opticflow.scenes.outlines import outline
from opticflow.scenes.palettes import colour
from opticflow.shapes import Frame


def picture(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a picture that replaces a photograph: a landscape, a street, a wall or a heap of objects, with light and
    clutter."""
    layout = _LAYOUTS[rng.choice(len(_LAYOUTS), p=_LAYOUT_SHARES)]
    canvas = layout(rng, height, width)
    _clutter(rng, canvas, int(rng.integers(0, 40)))
    _wires(rng, canvas, int(rng.integers(0, 9)))
    return soften(_light(rng, grained(rng, canvas)))


def _landscape(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a landscape: the sky, ranges of hills or skylines, and the ground in front."""
    canvas = _sky(rng, height, width)
    horizon = rng.uniform(0.1, 0.55)
    ranges = int(rng.integers(2, 6))
    # from far to near, so that each range hides those behind it
    for depth in np.linspace(0, 1, ranges):
        level = height * (horizon + (1 - horizon) * 0.9 * depth**1.5)
        rough = rng.uniform(0.01, 0.12) * height
        # row of the ridge in each column; shape: width
        ridge = level + rough * fractal(rng, 4, width, coarsest=2 ** rng.uniform(4, 8), persistence=0.55)[1]
        if rng.random() < 0.3:  # a skyline: steps instead of slopes
            step = int(rng.integers(10, 70))
            ridge = np.repeat(ridge[::step], step)[:width] - rough
        # H x W x 1; 1 below the ridge, with an edge one pixel wide
        below = np.clip(np.arange(height, dtype=np.float32)[:, None] - ridge + 0.5, 0, 1)[..., None]
        ground = material(rng, height, width).astype(np.float32)
        # aerial perspective: far ranges take on the colour of the sky
        haze = np.float32(0.6 * (1 - depth) * rng.random())
        ground += haze * (canvas[0].mean(axis=0) - ground)
        canvas = (canvas + below * (ground - canvas)).astype(np.uint8)
    return canvas


def _sky(rng: np.random.Generator, height: int, width: int) -> Frame:
    top, bottom = np.array([70, 120, 190]) * rng.uniform(0.5, 1.2), np.array([190, 205, 225]) * rng.uniform(0.7, 1.1)
    if rng.random() < 0.35:
        top, bottom = colour(rng), 0.5 * colour(rng) + 100
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    clouds = fractal(rng, height, width, coarsest=256, persistence=0.55, stretch=rng.uniform(1, 4))
    # H x W x 1, opacity of the clouds
    cover = np.clip(clouds * rng.uniform(0.2, 0.8) + rng.uniform(-0.6, 0.3), 0, 1)[..., None]
    canvas = top + ramp * (bottom - top)
    return np.clip(canvas + cover * (235 - canvas), 0, 255).astype(np.uint8)


def _street(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a street: a row of facades with windows, and the pavement below."""
    canvas = _sky(rng, height, width)
    left = -int(rng.integers(0, 100))
    while left < width:
        wide = int(rng.integers(width // 12, width // 3))
        top = int(height * rng.uniform(0, 0.45))
        x0, x1 = max(left, 0), min(left + wide, width)
        if x1 - x0 > 4:
            front = (bricks if rng.random() < 0.5 else mottle)(rng, height - top, x1 - x0)
            _windows(rng, front)
            canvas[top:, x0:x1] = front
        left += wide
    road = int(height * rng.uniform(0.65, 0.95))
    canvas[road:] = material(rng, height - road, width)
    return canvas


def _windows(rng: np.random.Generator, front: Frame) -> None:
    height, width = front.shape[:2]
    pitch_y, pitch_x = int(rng.integers(18, 90)), int(rng.integers(14, 70))
    tall, wide = int(pitch_y * rng.uniform(0.4, 0.8)), int(pitch_x * rng.uniform(0.4, 0.8))
    frame, glass = colour(rng).tolist(), colour(rng) * 0.6
    for y in range(pitch_y // 4, height, pitch_y):
        for x in range(pitch_x // 4, width - wide // 2, pitch_x):
            pane = np.clip(glass * rng.uniform(0.4, 1.6), 0, 255).tolist()
            cv2.rectangle(front, (x, y), (x + wide, y + tall), pane, -1)
            cv2.rectangle(front, (x, y), (x + wide, y + tall), frame, 1 + wide // 24)


def _wall(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a single material over the whole picture."""
    return material(rng, height, width)


def _heap(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw overlapping objects of all sizes: a dead-leaves model with a power-law distribution of sizes."""
    canvas = material(rng, height, width)
    _clutter(rng, canvas, int(rng.integers(60, 200)), largest=0.6)
    return canvas


_LAYOUTS: list[Callable[[np.random.Generator, int, int], Frame]] = [_landscape, _street, _wall, _heap]
_LAYOUT_SHARES = [0.35, 0.25, 0.15, 0.25]
"""Probabilities of `_LAYOUTS`. FlyingChairs used 33 % city, 13 % landscape and 53 % mountain photographs; walls and
heaps add variety."""


def _clutter(rng: np.random.Generator, canvas: Frame, count: int, largest: float = 0.25) -> None:
    """Draw `count` shapes over a canvas, each cut from one of a few materials and shaded from one side."""
    if count == 0:
        return
    height, width = canvas.shape[:2]
    sheets = [material(rng, height // 2, width // 2) for _ in range(int(rng.integers(2, 5)))]
    for _ in range(count):
        # a Pareto distribution of sizes gives many small shapes and few large ones
        radius = max(2.0, largest * height * min(1.0, 0.04 * rng.pareto(1.3) + 0.02))
        corners = outline(rng, ("polygon", "blob", "star")[rng.choice(3, p=[0.5, 0.4, 0.1])], 24)
        corners = corners * radius * rng.uniform(0.4, 1.0, 2).astype(np.float32)
        turn = rng.uniform(0, 2 * np.pi)
        # corners x 2, pixels
        corners = corners @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
        centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        _cut(rng, canvas, sheets[rng.integers(len(sheets))], corners + centre.astype(np.float32))


def _cut(
    rng: np.random.Generator, canvas: Frame, sheet: UInt8[np.ndarray, "_rows _columns 3"], corners: np.ndarray
) -> None:
    height, width = canvas.shape[:2]
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, (width, height))
    tall, wide = min(y1 - y0, sheet.shape[0]), min(x1 - x0, sheet.shape[1])
    if tall < 2 or wide < 2:
        return
    stencil = np.zeros((tall, wide), np.uint8)
    # coordinates in 1/16 pixel
    cv2.fillPoly(stencil, [np.round((corners - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    top, left = rng.integers(0, sheet.shape[0] - tall + 1), rng.integers(0, sheet.shape[1] - wide + 1)
    tint = colour(rng) / 128 if rng.random() < 0.7 else np.ones(3)
    slope = rng.uniform(-0.5, 0.5, 2)
    y, x = np.ogrid[-0.5 : 0.5 : tall * 1j, -0.5 : 0.5 : wide * 1j]
    shade = (1 + slope[0] * y + slope[1] * x)[..., None] * tint  # rows x columns x 3, factor applied to the colours
    patch = np.clip(sheet[top : top + tall, left : left + wide] * shade, 0, 255)
    target = canvas[y0 : y0 + tall, x0 : x0 + wide]
    target[:] = (target + (stencil[..., None] / 255) * (patch - target)).astype(np.uint8)


def _wires(rng: np.random.Generator, canvas: Frame, count: int) -> None:
    """Draw long thin curves across the picture, such as wires, poles and branches."""
    height, width = canvas.shape[:2]
    for _ in range(count):
        along = np.linspace(0, 1, 24)[:, None]
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
        bend = rng.normal(0, 0.1, 2) * (width, height) * np.sin(np.pi * along)
        # 24 x 2, in 1/16 pixel
        curve = np.round((ends[0] + along * (ends[1] - ends[0]) + bend) * 16).astype(np.int32)
        thickness = int(min(14, 1 + rng.exponential(2.0)))
        cv2.polylines(canvas, [curve], False, colour(rng).tolist(), thickness, cv2.LINE_AA, shift=4)


def _light(rng: np.random.Generator, canvas: Frame) -> Frame:
    """Apply uneven illumination, sometimes a cast shadow, and a random exposure and tint."""
    height, width = canvas.shape[:2]
    # H x W, factor applied to the grey levels
    light = 1 + np.float32(rng.uniform(0, 0.25)) * fractal(rng, height, width, coarsest=256, persistence=0.4)
    if rng.random() < 0.3:
        corners = (rng.uniform(-0.3, 1.3, (4, 2)) * (width, height)).astype(np.int32)
        shadow = np.zeros((height, width), np.float32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(corners), 1.0)
        light *= 1 - np.float32(rng.uniform(0.2, 0.6)) * cv2.blur(shadow, (9, 9))
    tint = (rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, 3)).astype(np.float32)
    return np.clip(canvas * (light[..., None] * tint), 0, 255).astype(np.uint8)
