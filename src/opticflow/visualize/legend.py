"""A legend beside a picture that explains its colours or arrows."""

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.shapes import Frame
from opticflow.visualize.colors import color_known, color_magnitude
from opticflow.visualize.overlays import draw_arrow

_WIDTH, _HEIGHT = 96, 120
_BLACK = (0, 0, 0)


def wheel_legend(max_flow: float) -> Frame:
    """Draw the colour wheel as a disc whose rim stands for a flow of `max_flow` pixels."""
    strip, radius = _strip(), 40
    # 81 x 81 each, pixels from the centre
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    distance = np.hypot(x, y)
    # the flow at each point of the disc is its position relative to the centre
    disc = color_known(np.stack([x, y], -1), np.ones(x.shape, bool), float(radius))
    # one pixel of the rim is blended (anti-aliasing)
    share = np.clip(radius + 0.5 - distance, 0, 1)[..., None]
    top, left = 6, (_WIDTH - 2 * radius - 1) // 2
    area = strip[top : top + 2 * radius + 1, left : left + 2 * radius + 1]
    area[:] = np.rint(share * disc + (1 - share) * area)
    _label(strip, f"{max_flow:.3g} px", 110)
    return strip


def scale_legend(max_flow: float) -> Frame:
    """Draw the colour scale of flow magnitudes, from zero at the bottom to `max_flow` pixels at the top."""
    strip, rows = _strip(), 84
    # 84 x 16, shares of `max_flow`; the top row is 1
    lengths = np.linspace(1, 0, rows, dtype=np.float32)[:, None].repeat(16, 1)
    strip[20 : 20 + rows, 8:24] = color_magnitude(lengths, np.ones(lengths.shape, bool))
    _label(strip, f"{max_flow:.3g} px", 14, left=8)
    _label(strip, "0", 108, left=30)
    return strip


def arrow_legend(max_flow: float, spacing: int) -> Frame:
    """Draw the longest arrow and the flow magnitude that it stands for."""
    strip = _strip()
    length = min(spacing, _WIDTH - 16)
    draw_arrow(strip, ((_WIDTH - length) // 2, 90), (float(length), 0.0))
    _label(strip, f"{max_flow:.3g} px", 110)
    return strip


def beside(picture: Frame, legend: UInt8[np.ndarray, "legend_height legend_width 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the picture with the legend at its lower right; a picture lower than the legend is extended below in
    white."""
    height = max(picture.shape[0], legend.shape[0])
    canvas = np.full((height, picture.shape[1] + legend.shape[1], 3), 255, np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture
    canvas[height - legend.shape[0] :, picture.shape[1] :] = legend
    return canvas


def _strip() -> Frame:
    return np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)


def _label(strip: Frame, text: str, baseline: int, left: int | None = None) -> None:
    """Write a text, centred unless `left` is given."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    at = ((_WIDTH - width) // 2 if left is None else left, baseline)
    cv2.putText(strip, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _BLACK, 1, cv2.LINE_AA)
