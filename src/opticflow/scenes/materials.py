"""Procedural textures of single materials: fractal noise, repeated structures, writing, and almost textureless ones.

Each function draws one texture with a random generator.
"""

from collections.abc import Callable

import cv2
import numpy as np

from opticflow.scenes.noise import Field, fractal, soften
from opticflow.scenes.palettes import colour, paint, palette_around
from opticflow.shapes import Frame


def surface(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw the texture of a single material, such as cloth, bricks, wood, print or paint."""
    return soften(grained(rng, material(rng, height, width)))


def plain(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw an almost textureless picture: a single colour, or a smooth gradient of two or three colours."""
    if rng.random() < 0.3:
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = colour(rng)
        return canvas
    colours = np.stack([colour(rng) for _ in range(int(rng.integers(2, 4)))])  # N x 3
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = np.cos(angle) * x + np.sin(angle) * y if rng.random() < 0.6 else np.hypot(x - np.cos(angle), y)  # H x W
    ramp = (ramp - ramp.min()) / np.ptp(ramp) * (len(colours) - 1)
    canvas = np.stack([np.interp(ramp, np.arange(len(colours)), colours[:, c]) for c in range(3)], axis=-1)
    dither = rng.random((height, width, 1), dtype=np.float32)  # hides the steps of 8-bit quantisation
    return np.clip(np.floor(canvas + dither), 0, 255).astype(np.uint8)


def material(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a random material without grain; irregular materials are more frequent."""
    make = _MATERIALS[rng.choice(len(_MATERIALS), p=_MATERIAL_SHARES)]
    return make(rng, height, width)


def grained(rng: np.random.Generator, canvas: Frame) -> Frame:
    """Add fine detail, with a strength that varies over the picture.

    Without this detail, a third of a frame has too little texture to show its motion; in the nine samples of
    FlyingChairs and in the brighter scenes of Sintel, this share is 1 to 20 %.
    """
    height, width = canvas.shape[:2]
    detail = fractal(rng, height, width, coarsest=2 ** rng.uniform(1.5, 5), persistence=rng.uniform(0.8, 1.0))
    strength = 0.016 * 2 ** rng.uniform(0, 3)
    # H x W; the exponent makes the strength vary by octaves
    detail *= strength * np.exp2(fractal(rng, height, width, coarsest=256, persistence=0.5))
    detail = np.clip(detail, -0.4, 0.4)[..., None]
    return np.clip(canvas * (1 + detail) + 30 * detail, 0, 255).astype(np.uint8)


def _plane(rng: np.random.Generator, height: int, width: int, *, tilt: float = 0.6) -> tuple[Field, Field]:
    """Return the coordinates (H x W each, in pixels) on a plane that is rotated, and tilted slightly in perspective."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    # division by this homogeneous coordinate gives a perspective view
    recede = (
        1
        + np.float32(rng.uniform(-tilt, tilt)) * (y / height - 0.5)
        + np.float32(rng.uniform(-tilt, tilt)) * (x / width - 0.5)
    )
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return (cosine * x + sine * y) / recede, (cosine * y - sine * x) / recede


def mottle(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw isotropic noise that resembles stone, plaster, earth, grass or cloud."""
    coarsest = 2 ** rng.uniform(3, 8)
    field = fractal(rng, height, width, coarsest=coarsest, persistence=rng.uniform(0.4, 0.95))
    return paint(field, palette_around(rng, rng.uniform(0.15, 0.9)))


def _fibre(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw anisotropic noise, sometimes with waves, that resembles water, brushed metal, fur or wood."""
    field = fractal(rng, height, width, coarsest=2 ** rng.uniform(3, 6), persistence=0.7, stretch=rng.uniform(2, 12))
    if rng.random() < 0.5:
        across = np.arange(height, dtype=np.float32)[:, None] * np.float32(rng.uniform(0.02, 0.5))
        field = 1.2 * np.sin(across + np.float32(rng.uniform(0.5, 3)) * field) + 0.3 * field
    painted = paint(field, palette_around(rng, rng.uniform(0.2, 0.8)))
    return painted if height > width or rng.random() < 0.6 else np.ascontiguousarray(painted[::-1, ::-1])


def bricks(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a lattice of cells with joints, each cell with its own tone: bricks, tiles, planks or windows."""
    x, y = _plane(rng, height, width)
    tall = rng.uniform(8, 60)
    wide = tall * rng.choice([1.0, 2.0, rng.uniform(0.5, 5)])
    row = np.floor(y / np.float32(tall))  # number of the row at each pixel
    shift = x + row * np.float32(wide * rng.choice([0.0, 0.5, 0.3]))
    column = np.floor(shift / np.float32(wide))
    # a hash of the cell's row and column selects its tone
    tone = rng.random(4096, dtype=np.float32)[((row * 57 + column * 131).astype(np.int64)) % 4096]
    joint = np.float32(rng.uniform(0.3, 1.2) + 0.02 * tall)
    # signed distance to the border of the cell's face, in pixels; negative inside
    depth = np.maximum(
        np.abs(y - (row + 0.5) * np.float32(tall)) - np.float32(tall / 2 - joint),
        np.abs(shift - (column + 0.5) * np.float32(wide)) - np.float32(wide / 2 - joint),
    )
    cover = np.clip(0.5 - depth, 0, 1)[..., None]  # H x W x 1; 1 on a face, 0 in a joint
    field = np.float32(rng.uniform(0.3, 3)) * (tone - 0.5)
    field += np.float32(rng.uniform(0.1, 0.6)) * fractal(rng, height, width, coarsest=32, persistence=0.8)
    faces = paint(field, palette_around(rng, rng.uniform(0.2, 0.8)))
    mortar = faces.mean(axis=(0, 1)) + np.float32(rng.uniform(0.1, 0.7)) * (colour(rng) - faces.mean(axis=(0, 1)))
    mortar = mortar.astype(np.float32)
    return (mortar + cover * (faces - mortar)).astype(np.uint8)


def _stripes(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw a pattern that is periodic in one or two directions: stripes, checks, plaids, corrugated sheets or dots."""
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
    return paint(field, palette_around(rng, rng.uniform(0.3, 1.0)))


def _stones(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw the Voronoi cells of random points, convex or flat: pebbles, cracked earth or scales."""
    spacing = 2 ** rng.uniform(3, 6.3)
    count = max(4, int(height * width / spacing**2))
    # a distance transform labels each pixel with its nearest seed, which makes Voronoi cells
    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    tone = rng.standard_normal(count + 2, dtype=np.float32)[labels % (count + 2)]  # H x W, one value for each cell
    field = np.float32(rng.uniform(0.2, 1)) * tone - np.float32(rng.uniform(0.5, 2) / spacing) * (
        distance - spacing / 3
    )
    field += np.float32(rng.uniform(0.05, 0.4)) * fractal(rng, height, width, coarsest=16, persistence=0.8)
    return paint(field, palette_around(rng, rng.uniform(0.2, 0.9)))


def _leaves(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw many small overlapping shapes of similar colours: foliage, gravel or confetti."""
    palette = palette_around(rng, rng.uniform(0.3, 1.0))
    size = 2 ** rng.uniform(1.5, 4.5)
    canvas = paint(fractal(rng, height, width, coarsest=32, persistence=0.9), palette // 2)
    count = min(2500, int(1.5 * height * width / size**2))
    across = rng.uniform(0, width, count)
    # half of the time sorted by row, so that lower shapes are drawn in front of higher ones
    down = np.sort(rng.uniform(0, height, count)) if rng.random() < 0.5 else rng.uniform(0, height, count)
    length, slim = size * rng.lognormal(0, 0.4, count), rng.uniform(0.2, 0.9, count)
    angles, tones = rng.uniform(0, 360, count), rng.integers(0, 256, count)
    for i in range(count):
        box = ((across[i], down[i]), (length[i], length[i] * slim[i]), angles[i])
        cv2.ellipse(canvas, box, palette[tones[i]].tolist(), -1, cv2.LINE_AA)
    return canvas


def _writing(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Draw lines of text, as on paper, signs and screens."""
    canvas = paint(fractal(rng, height, width, coarsest=128, persistence=0.6), palette_around(rng, 0.15))
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
    """Draw a gradient with very faint grain, like sky, a painted wall or paper."""
    canvas = plain(rng, height, width).astype(np.float32)
    canvas += np.float32(rng.uniform(0, 4)) * fractal(rng, height, width, coarsest=64, persistence=0.9)[..., None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


_MATERIALS: list[Callable[[np.random.Generator, int, int], Frame]] = [
    mottle, _fibre, bricks, _stripes, _stones, _leaves, _writing, _nothing,
]  # fmt: skip
_MATERIAL_SHARES = [0.26, 0.14, 0.15, 0.09, 0.11, 0.13, 0.07, 0.05]
"""Probabilities of `_MATERIALS`. Most surfaces are irregular; regular ones are hard cases and get about a third."""
