"""Random alpha masks for cut-outs: solid shapes, shapes with holes, and thin ones such as fences, wires and writing."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.scenes import outlines

Stencil = UInt8[np.ndarray, "rows columns"]

_SHIFT = 4
"""Number of fractional bits of the coordinates passed to OpenCV: a resolution of 1/16 px."""
_MARGIN = 3
"""Width in texels of the transparent margin around each shape, which leaves room for a soft edge."""


def solid(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw a polygon, a blob or a star."""
    stencil = np.zeros((rows, columns), np.uint8)
    kind = ("polygon", "blob", "star")[rng.choice(3, p=[0.35, 0.5, 0.15])]
    corners = outlines.outline(rng, kind, 48)
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.array([columns - 1, rows - 1]) - 2 * _MARGIN  # (x, y), texels
    _fill(stencil, (corners - low) / (high - low) * room + _MARGIN, 255)
    return stencil


def pierced(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw a solid shape with one to six holes."""
    stencil = solid(rng, rows, columns)
    for _ in range(int(rng.integers(1, 7))):
        corners = outlines.outline(rng, "blob", 24) * (rng.uniform(0.05, 0.22) * min(rows, columns))
        _fill(stencil, corners + rng.uniform(0.15, 0.85, 2) * (columns, rows), 0)
    return stencil


def ring(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw a frame or a ring: a solid shape with a smaller copy of itself cut out."""
    stencil = solid(rng, rows, columns)
    inner = cv2.resize(stencil, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    top, left = (rows - inner.shape[0]) // 2, (columns - inner.shape[1]) // 2
    # the bitwise AND with the complement keeps grey values at the edge of the hole
    stencil[top : top + inner.shape[0], left : left + inner.shape[1]] &= 255 - inner
    return stencil


def fence(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw parallel bars in one or two directions."""
    stencil = np.zeros((rows, columns), np.uint8)
    angle = rng.choice([0.0, rng.uniform(0, np.pi)])
    for turn in (angle, angle + np.pi / 2) if rng.random() < 0.6 else (angle,):
        pitch, thick = rng.uniform(9, 45), _thickness(rng)
        along = np.array([np.cos(turn), np.sin(turn)])
        across = np.array([-along[1], along[0]])
        reach = np.hypot(rows, columns) / 2  # half of the diagonal
        # the pitch is at least 2.5 times the thickness, so that gaps are wider than bars
        for offset in np.arange(-reach, reach, max(pitch, 2.5 * thick)):
            middle = np.array([columns, rows]) / 2 + offset * across
            _line(stencil, np.stack([middle - reach * along, middle + reach * along]), thick)
    return _framed(stencil)


def wires(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw a bundle of bent wires, branches or hairs."""
    stencil = np.zeros((rows, columns), np.uint8)
    along = np.linspace(0, 1, 20)[:, None]
    common = rng.uniform(0, 1, (2, 2))  # two ends x (x, y), as shares of the sides
    for _ in range(int(rng.integers(2, 14))):
        ends = (common + rng.normal(0, 0.25, (2, 2))) * (columns, rows)
        bend = rng.normal(0, 0.2, 2) * (columns, rows) * np.sin(np.pi * along)  # 20 x 2, texels; zero at both ends
        _line(stencil, ends[0] + along * (ends[1] - ends[0]) + bend, _thickness(rng))
    return _framed(stencil)


def writing(rng: np.random.Generator, rows: int, columns: int) -> Stencil:
    """Draw lines of random letters."""
    stencil = np.zeros((rows, columns), np.uint8)
    scale = min(rows, columns) / rng.uniform(40, 160)
    thick = max(2, round(scale * rng.uniform(1.5, 5)))
    letters = list("ABCDEFGHKMNPRSTUVWXYZabdefghkmnqrstuwxyz0123456789&?")
    for baseline in np.arange(30 * scale, rows + 20 * scale, 34 * scale):
        text = "".join(rng.choice(letters, 3 + int(columns / (20 * scale))))
        cv2.putText(stencil, text, (4, int(baseline)), cv2.FONT_HERSHEY_SIMPLEX, scale, (255,), thick, cv2.LINE_AA)
    return _framed(stencil)


STENCILS: dict[str, Callable[[np.random.Generator, int, int], Stencil]] = {
    "solid": solid,
    "pierced": pierced,
    "ring": ring,
    "fence": fence,
    "wires": wires,
    "writing": writing,
}


def _thickness(rng: np.random.Generator) -> int:
    """Draw a line thickness of 2 to 12 pixels. A thinner line would never hide more than half of the background, and so
    would have no flow."""
    return int(min(12, 2 + rng.exponential(2.0)))


def _fill(stencil: Stencil, corners: np.ndarray, value: int) -> None:
    points = np.round(corners * (1 << _SHIFT)).astype(np.int32)  # 16ths of a texel
    cv2.fillPoly(stencil, [points], (value,), cv2.LINE_AA, shift=_SHIFT)


def _line(stencil: Stencil, curve: np.ndarray, thickness: int) -> None:
    points = np.round(curve * (1 << _SHIFT)).astype(np.int32)  # 16ths of a texel
    cv2.polylines(stencil, [points], False, (255,), thickness, cv2.LINE_AA, shift=_SHIFT)


def _framed(stencil: Stencil) -> Stencil:
    """Clear the margin in place, so that the shape also gets a soft edge at the border; return the stencil."""
    stencil[:_MARGIN], stencil[-_MARGIN:], stencil[:, :_MARGIN], stencil[:, -_MARGIN:] = 0, 0, 0, 0
    return stencil
