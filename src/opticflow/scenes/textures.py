"""Procedural pictures, rich enough to stand for photographs: every function draws one from a random generator.

Natural pictures are occluding surfaces of all sizes (the dead-leaves model of Lee, Mumford and Huang, 2001) whose
spectra fall off like 1/f; the surfaces here are noise of several octaves, repeated structure, writing and almost
nothing at all, and they are laid over each other as landscapes, streets, walls and heaps.

All pictures are band-limited (`SOFTNESS`), as a lens does, so that they can be resampled at sub-pixel positions
without aliasing.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from opticflow.shapes import Frame

SOFTNESS = 0.7
"""Standard deviation in pixels of the blur that ends each picture. Linear interpolation of a step of 200 grey levels
so softened is wrong by at most 200 * 0.242 / SOFTNESS^2 / 8 = 12.3 levels."""

Field = Float32[np.ndarray, "height width"]
Stencil = UInt8[np.ndarray, "height width"]


def picture(rng: np.random.Generator, height: int, width: int) -> Frame:
    """A picture that stands for a photograph: a landscape, a street, a wall or a heap of things, lit and cluttered."""
    layout = _LAYOUTS[rng.choice(len(_LAYOUTS), p=_LAYOUT_SHARES)]
    canvas = layout(rng, height, width)
    _clutter(rng, canvas, int(rng.integers(0, 40)))
    _wires(rng, canvas, int(rng.integers(0, 9)))
    return soften(_light(rng, _grained(rng, canvas)))


def surface(rng: np.random.Generator, height: int, width: int) -> Frame:
    """A single material, as on one thing: cloth, bricks, wood, print, paint."""
    return soften(_grained(rng, _material(rng, height, width)))


def plain(rng: np.random.Generator, height: int, width: int) -> Frame:
    """One colour, or a smooth gradient of two or three colours, and hardly any texture."""
    if rng.random() < 0.3:
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = colour(rng)
        return canvas
    colours = np.stack([colour(rng) for _ in range(int(rng.integers(2, 4)))])
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = np.cos(angle) * x + np.sin(angle) * y if rng.random() < 0.6 else np.hypot(x - np.cos(angle), y)
    ramp = (ramp - ramp.min()) / np.ptp(ramp) * (len(colours) - 1)
    canvas = np.stack([np.interp(ramp, np.arange(len(colours)), colours[:, c]) for c in range(3)], axis=-1)
    dither = rng.random((height, width, 1), dtype=np.float32)  # hides the steps of 8 bits
    return np.clip(np.floor(canvas + dither), 0, 255).astype(np.uint8)


def soften(canvas: Frame, sigma: float = SOFTNESS) -> Frame:
    """Band-limit a picture so that it can be resampled."""
    return cv2.GaussianBlur(canvas, (0, 0), sigma)


def fractal(
    rng: np.random.Generator, height: int, width: int, *, coarsest: float, persistence: float, stretch: float = 1.0
) -> Field:
    """Noise of several octaves with mean 0 and standard deviation 1.

    Args:
        coarsest: size in pixels of the largest structure.
        persistence: strength of each octave relative to the next coarser one; 0.5 is smooth, 1 is sand.
        stretch: how many times wider than high the structure is.
    """
    octaves = max(1, round(np.log2(max(coarsest, 2))))
    step = 2**octaves
    rows, columns = -(-height // step) + 2, -(-int(width / stretch) // step) + 2
    field = rng.standard_normal((rows, columns), dtype=np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        size = (2 * field.shape[1] - 2, 2 * field.shape[0] - 2)
        field = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
        amplitude *= persistence
        if amplitude > 0.01:
            field += amplitude * 3.4 * (rng.random(field.shape, dtype=np.float32) - 0.5)
    field = field[: height + 2, : int(width / stretch) + 2]
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    mean, deviation = cv2.meanStdDev(field)
    return (field - np.float32(mean[0, 0])) / np.float32(max(deviation[0, 0], 1e-6))


# Colours -------------------------------------------------------------------------------------------------------


def colour(rng: np.random.Generator) -> np.ndarray:
    """One RGB colour in [0, 255]; mostly muted, and mostly of earth, plants or sky."""
    hue = rng.normal((0.6, 1.9, 3.5)[rng.choice(3, p=[0.55, 0.25, 0.2])], 0.4)
    if rng.random() < 0.2:
        hue = rng.uniform(0, 6)
    saturation, value = rng.beta(1.1, 2.6), rng.uniform(0.06, 1.0)
    channel = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return 255 * value * (1 - saturation * (1 - channel))


def _palette(rng: np.random.Generator, contrast: float) -> UInt8[np.ndarray, "256 3"]:
    """A curve through colour space around one colour; `contrast` in [0, 1] says how far it goes."""
    base = colour(rng)
    stops = np.stack([base + contrast * (colour(rng) - base) for _ in range(int(rng.integers(2, 5)))])
    stops = stops[np.argsort(stops.sum(axis=1))]
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=-1).astype(np.uint8)


def _paint(field: Field, palette: UInt8[np.ndarray, "256 3"]) -> Frame:
    """Look a field with mean 0 and deviation 1 up in a palette that spans two and a half deviations."""
    index = cv2.convertScaleAbs(np.clip(field * 51 + 127.5, 0, 255))
    return cv2.LUT(cv2.merge([index, index, index]), palette[None])


# Materials -----------------------------------------------------------------------------------------------------


def _material(rng: np.random.Generator, height: int, width: int) -> Frame:
    make = _MATERIALS[rng.choice(len(_MATERIALS), p=_MATERIAL_SHARES)]
    return make(rng, height, width)


def _plane(rng: np.random.Generator, height: int, width: int, *, tilt: float = 0.6) -> tuple[Field, Field]:
    """Coordinates in pixels of a plane that is turned and a little tilted against the picture."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    recede = (
        1
        + np.float32(rng.uniform(-tilt, tilt)) * (y / height - 0.5)
        + np.float32(rng.uniform(-tilt, tilt)) * (x / width - 0.5)
    )
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return (cosine * x + sine * y) / recede, (cosine * y - sine * x) / recede


def _mottle(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Stone, plaster, earth, grass, cloud: isotropic noise."""
    coarsest = 2 ** rng.uniform(3, 8)
    field = fractal(rng, height, width, coarsest=coarsest, persistence=rng.uniform(0.4, 0.95))
    return _paint(field, _palette(rng, rng.uniform(0.15, 0.9)))


def _fibre(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Water, brushed metal, fur, wood: noise that is drawn out, with waves across it."""
    field = fractal(rng, height, width, coarsest=2 ** rng.uniform(3, 6), persistence=0.7, stretch=rng.uniform(2, 12))
    if rng.random() < 0.5:
        across = np.arange(height, dtype=np.float32)[:, None] * np.float32(rng.uniform(0.02, 0.5))
        field = 1.2 * np.sin(across + np.float32(rng.uniform(0.5, 3)) * field) + 0.3 * field
    painted = _paint(field, _palette(rng, rng.uniform(0.2, 0.8)))
    return painted if height > width or rng.random() < 0.6 else np.ascontiguousarray(painted[::-1, ::-1])


def _bricks(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Bricks, tiles, planks, windows in a front: a lattice of cells, each of its own tone, with joints."""
    x, y = _plane(rng, height, width)
    tall = rng.uniform(8, 60)
    wide = tall * rng.choice([1.0, 2.0, rng.uniform(0.5, 5)])
    row = np.floor(y / np.float32(tall))
    shift = x + row * np.float32(wide * rng.choice([0.0, 0.5, 0.3]))
    column = np.floor(shift / np.float32(wide))
    tone = rng.random(4096, dtype=np.float32)[((row * 57 + column * 131).astype(np.int64)) % 4096]
    joint = np.float32(rng.uniform(0.3, 1.2) + 0.02 * tall)
    depth = np.maximum(
        np.abs(y - (row + 0.5) * np.float32(tall)) - np.float32(tall / 2 - joint),
        np.abs(shift - (column + 0.5) * np.float32(wide)) - np.float32(wide / 2 - joint),
    )
    cover = np.clip(0.5 - depth, 0, 1)[..., None]
    field = np.float32(rng.uniform(0.3, 3)) * (tone - 0.5)
    field += np.float32(rng.uniform(0.1, 0.6)) * fractal(rng, height, width, coarsest=32, persistence=0.8)
    faces = _paint(field, _palette(rng, rng.uniform(0.2, 0.8)))
    mortar = faces.mean(axis=(0, 1)) + np.float32(rng.uniform(0.1, 0.7)) * (colour(rng) - faces.mean(axis=(0, 1)))
    mortar = mortar.astype(np.float32)
    return (mortar + cover * (faces - mortar)).astype(np.uint8)


def _stripes(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Stripes, checks, plaids, corrugated sheets and dots: periodic in one or two directions."""
    x, y = _plane(rng, height, width)
    period, other = (
        np.float32(2 * np.pi / 2 ** rng.uniform(2.3, 6.5)),
        np.float32(2 * np.pi / 2 ** rng.uniform(2.3, 6.5)),
    )
    kind = rng.integers(4)
    field = np.sin(period * x)
    if kind == 1:
        field = field * np.sin(period * y)
    elif kind == 2:
        field = field + np.sin(other * y)
    elif kind == 3:
        field = np.maximum(field + np.sin(period * y) - 1, -0.5)
    if rng.random() < 0.7:
        field = np.tanh(field * np.float32(rng.uniform(1, 6)))
    field = 1.5 * field + np.float32(rng.uniform(0, 0.4)) * fractal(rng, height, width, coarsest=64, persistence=0.8)
    return _paint(field, _palette(rng, rng.uniform(0.3, 1.0)))


def _stones(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Pebbles, cracked earth, scales: the cells of random points, bulging or flat."""
    spacing = 2 ** rng.uniform(3, 6.3)
    count = max(4, int(height * width / spacing**2))
    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    tone = rng.standard_normal(count + 2, dtype=np.float32)[labels % (count + 2)]
    field = np.float32(rng.uniform(0.2, 1)) * tone - np.float32(rng.uniform(0.5, 2) / spacing) * (
        distance - spacing / 3
    )
    field += np.float32(rng.uniform(0.05, 0.4)) * fractal(rng, height, width, coarsest=16, persistence=0.8)
    return _paint(field, _palette(rng, rng.uniform(0.2, 0.9)))


def _leaves(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Foliage, gravel, confetti: many small overlapping shapes of one family of colours."""
    palette = _palette(rng, rng.uniform(0.3, 1.0))
    size = 2 ** rng.uniform(1.5, 4.5)
    canvas = _paint(fractal(rng, height, width, coarsest=32, persistence=0.9), palette // 2)
    count = min(2500, int(1.5 * height * width / size**2))
    across = rng.uniform(0, width, count)
    down = np.sort(rng.uniform(0, height, count)) if rng.random() < 0.5 else rng.uniform(0, height, count)
    length, slim = size * rng.lognormal(0, 0.4, count), rng.uniform(0.2, 0.9, count)
    angles, tones = rng.uniform(0, 360, count), rng.integers(0, 256, count)
    for i in range(count):
        box = ((across[i], down[i]), (length[i], length[i] * slim[i]), angles[i])
        cv2.ellipse(canvas, box, palette[tones[i]].tolist(), -1, cv2.LINE_AA)
    return canvas


def _writing(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Print: lines of letters on paper, signs, screens."""
    canvas = _paint(fractal(rng, height, width, coarsest=128, persistence=0.6), _palette(rng, 0.15))
    ink = colour(rng).tolist()
    scale = rng.uniform(0.3, 2.2)
    line = max(8, int(34 * scale * rng.uniform(0.9, 1.6)))
    letters = np.array(list("ABCDEFGHIKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789  .,:-/"))
    fonts = [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX]
    font = fonts[rng.integers(len(fonts))]
    thickness = max(1, int(scale * rng.uniform(0.8, 3)))
    margin = int(rng.uniform(-20, width / 4))
    for baseline in range(line, height + line, line):
        text = "".join(rng.choice(letters, int(rng.integers(3, 8 + int(width / (16 * scale))))))
        cv2.putText(canvas, text, (margin, baseline), font, scale, ink, thickness, cv2.LINE_AA)
    return canvas


def _nothing(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Sky, painted walls, paper: a gradient with the faintest grain."""
    canvas = plain(rng, height, width).astype(np.float32)
    canvas += np.float32(rng.uniform(0, 4)) * fractal(rng, height, width, coarsest=64, persistence=0.9)[..., None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


_MATERIALS: list[Callable[[np.random.Generator, int, int], Frame]] = [
    _mottle, _fibre, _bricks, _stripes, _stones, _leaves, _writing, _nothing,
]  # fmt: skip
_MATERIAL_SHARES = [0.26, 0.14, 0.15, 0.09, 0.11, 0.13, 0.07, 0.05]
"""Most surfaces are irregular; regular ones are the hard cases and get a third."""


# Layouts -------------------------------------------------------------------------------------------------------


def _landscape(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Sky above ranges of hills or a skyline, ground in front."""
    canvas = _sky(rng, height, width)
    horizon = rng.uniform(0.1, 0.55)
    ranges = int(rng.integers(2, 6))
    for depth in np.linspace(0, 1, ranges):
        level = height * (horizon + (1 - horizon) * 0.9 * depth**1.5)
        rough = rng.uniform(0.01, 0.12) * height
        ridge = level + rough * fractal(rng, 4, width, coarsest=2 ** rng.uniform(4, 8), persistence=0.55)[1]
        if rng.random() < 0.3:  # a skyline: steps instead of slopes
            step = int(rng.integers(10, 70))
            ridge = np.repeat(ridge[::step], step)[:width] - rough
        below = np.clip(np.arange(height, dtype=np.float32)[:, None] - ridge + 0.5, 0, 1)[..., None]
        ground = _material(rng, height, width).astype(np.float32)
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
    cover = np.clip(clouds * rng.uniform(0.2, 0.8) + rng.uniform(-0.6, 0.3), 0, 1)[..., None]
    canvas = top + ramp * (bottom - top)
    return np.clip(canvas + cover * (235 - canvas), 0, 255).astype(np.uint8)


def _street(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Fronts side by side, with rows of windows, above pavement."""
    canvas = _sky(rng, height, width)
    left = -int(rng.integers(0, 100))
    while left < width:
        wide = int(rng.integers(width // 12, width // 3))
        top = int(height * rng.uniform(0, 0.45))
        x0, x1 = max(left, 0), min(left + wide, width)
        if x1 - x0 > 4:
            front = (_bricks if rng.random() < 0.5 else _mottle)(rng, height - top, x1 - x0)
            _windows(rng, front)
            canvas[top:, x0:x1] = front
        left += wide
    road = int(height * rng.uniform(0.65, 0.95))
    canvas[road:] = _material(rng, height - road, width)
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
    """One material from border to border."""
    return _material(rng, height, width)


def _heap(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Things of all sizes upon each other: dead leaves with a power law of sizes."""
    canvas = _material(rng, height, width)
    _clutter(rng, canvas, int(rng.integers(60, 200)), largest=0.6)
    return canvas


_LAYOUTS: list[Callable[[np.random.Generator, int, int], Frame]] = [_landscape, _street, _wall, _heap]
_LAYOUT_SHARES = [0.35, 0.25, 0.15, 0.25]
"""FlyingChairs took 33 % city, 13 % landscape and 53 % mountain photographs; walls and heaps add variety."""


def outline(rng: np.random.Generator, kind: str, count: int = 64) -> Float32[np.ndarray, "corners 2"]:
    """A closed random outline within the unit circle: `polygon`, `blob` or `star`."""
    if kind == "polygon":
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        radius = rng.uniform(0.6, 1.0, len(angles))
    elif kind == "star":
        angles = np.linspace(0, 2 * np.pi, 2 * int(rng.integers(3, 10)), endpoint=False)
        radius = np.where(np.arange(len(angles)) % 2 == 0, 1.0, rng.uniform(0.2, 0.7))
    else:
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        radius = np.ones(count)
        for order in range(2, 7):
            radius += rng.normal(0, 0.45 / order) * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.15, None)
        radius /= radius.max()
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=-1).astype(np.float32)


def _clutter(rng: np.random.Generator, canvas: Frame, count: int, largest: float = 0.25) -> None:
    """Lay shapes upon a canvas, each cut from one of a few materials, shaded from one side."""
    if count == 0:
        return
    height, width = canvas.shape[:2]
    sheets = [_material(rng, height // 2, width // 2) for _ in range(int(rng.integers(2, 5)))]
    for _ in range(count):
        radius = max(2.0, largest * height * min(1.0, 0.04 * rng.pareto(1.3) + 0.02))
        corners = outline(rng, ("polygon", "blob", "star")[rng.choice(3, p=[0.5, 0.4, 0.1])], 24)
        corners = corners * radius * rng.uniform(0.4, 1.0, 2).astype(np.float32)
        turn = rng.uniform(0, 2 * np.pi)
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
    cv2.fillPoly(stencil, [np.round((corners - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    top, left = rng.integers(0, sheet.shape[0] - tall + 1), rng.integers(0, sheet.shape[1] - wide + 1)
    tint = colour(rng) / 128 if rng.random() < 0.7 else np.ones(3)
    slope = rng.uniform(-0.5, 0.5, 2)
    y, x = np.ogrid[-0.5 : 0.5 : tall * 1j, -0.5 : 0.5 : wide * 1j]
    shade = (1 + slope[0] * y + slope[1] * x)[..., None] * tint
    patch = np.clip(sheet[top : top + tall, left : left + wide] * shade, 0, 255)
    target = canvas[y0 : y0 + tall, x0 : x0 + wide]
    target[:] = (target + (stencil[..., None] / 255) * (patch - target)).astype(np.uint8)


def _wires(rng: np.random.Generator, canvas: Frame, count: int) -> None:
    """Wires, poles, branches: long thin curves across the picture."""
    height, width = canvas.shape[:2]
    for _ in range(count):
        along = np.linspace(0, 1, 24)[:, None]
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
        bend = rng.normal(0, 0.1, 2) * (width, height) * np.sin(np.pi * along)
        curve = np.round((ends[0] + along * (ends[1] - ends[0]) + bend) * 16).astype(np.int32)
        thickness = int(min(14, 1 + rng.exponential(2.0)))
        cv2.polylines(canvas, [curve], False, colour(rng).tolist(), thickness, cv2.LINE_AA, shift=4)


def _grained(rng: np.random.Generator, canvas: Frame) -> Frame:
    """Fine detail over everything, stronger here and weaker there.

    Without it a third of a frame says nothing about its motion; in the nine samples of FlyingChairs and in Sintel's
    brighter scenes it is 1 to 20 %.
    """
    height, width = canvas.shape[:2]
    detail = fractal(rng, height, width, coarsest=2 ** rng.uniform(1.5, 5), persistence=rng.uniform(0.8, 1.0))
    strength = 0.016 * 2 ** rng.uniform(0, 3)
    detail *= strength * np.exp2(fractal(rng, height, width, coarsest=256, persistence=0.5))
    detail = np.clip(detail, -0.4, 0.4)[..., None]
    return np.clip(canvas * (1 + detail) + 30 * detail, 0, 255).astype(np.uint8)


def _light(rng: np.random.Generator, canvas: Frame) -> Frame:
    """Uneven light, a cast shadow now and then, a random exposure and tint."""
    height, width = canvas.shape[:2]
    light = 1 + np.float32(rng.uniform(0, 0.25)) * fractal(rng, height, width, coarsest=256, persistence=0.4)
    if rng.random() < 0.3:
        corners = (rng.uniform(-0.3, 1.3, (4, 2)) * (width, height)).astype(np.int32)
        shadow = np.zeros((height, width), np.float32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(corners), 1.0)
        light *= 1 - np.float32(rng.uniform(0.2, 0.6)) * cv2.blur(shadow, (9, 9))
    tint = (rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, 3)).astype(np.float32)
    return np.clip(canvas * (light[..., None] * tint), 0, 255).astype(np.uint8)
