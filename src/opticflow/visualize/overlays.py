"""Draw flow with its frame: colours over it or beside it, or arrows."""

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from opticflow.errors import InputError
from opticflow.shapes import FlowArray, Frame, as_flow
from opticflow.visualize.colors import color_known, flow_limit, flow_to_image, magnitude

_SUBPIXELS = 4
"""Fractional bits of the coordinates that OpenCV draws with."""
_OUTLINE = (0, 0, 0)
_ARROW = (255, 230, 60)


def overlay(
    flow: Shaped[np.ndarray, "height width channels"],
    frame: UInt8[np.ndarray, "frame_height frame_width 3"],
    *,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
    strength: float = 0.8,
) -> Frame:
    """Blend the colours of flow over a frame. Longer flow gets more colour; static and unknown pixels show the frame.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        frame: the frame that the flow belongs to, of the same size.
        max_flow: the flow magnitude in pixels that gets full saturation; the largest known one if not given.
        valid: mask of the pixels where the flow is known.
        strength: the weight of the colour at `max_flow` and beyond.

    Raises:
        InputError: not a flow, a frame of another size, or `max_flow` is not positive.
    """
    flow, known = as_flow(flow, valid)
    same_size(flow, frame)
    limit = flow_limit(flow, max_flow)
    # full saturation everywhere, so that slow flow tints the frame and does not whiten it
    colors = color_known(flow, known, max_flow=1e-5)
    # H x W, 0 to `strength`
    share = strength * np.minimum(magnitude(flow) / np.float32(limit), 1) * known
    return np.rint(frame + share[..., None] * (colors.astype(np.float32) - frame)).astype(np.uint8)


def side_by_side(
    flow: Shaped[np.ndarray, "height width channels"],
    frame: UInt8[np.ndarray, "frame_height frame_width 3"],
    *,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
) -> UInt8[np.ndarray, "height twice_width 3"]:
    """Put a frame and the colours of its flow side by side.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        frame: the frame that the flow belongs to, of the same size.
        max_flow: the flow magnitude in pixels that gets full saturation; the largest known one if not given.
        valid: mask of the pixels where the flow is known.

    Returns:
        H x 2W x 3: the frame at the left, the flow at the right.

    Raises:
        InputError: not a flow, a frame of another size, or `max_flow` is not positive.
    """
    same_size(flow, frame)
    return np.concatenate([frame, flow_to_image(flow, max_flow=max_flow, valid=valid)], axis=1)


def arrows(
    flow: Shaped[np.ndarray, "height width channels"],
    *,
    frame: UInt8[np.ndarray, "frame_height frame_width 3"] | None = None,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
    spacing: int | None = None,
) -> Frame:
    """Draw flow as arrows on a grid, each starting at the pixel whose flow it shows.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        frame: background of the same size; white if not given.
        max_flow: the flow magnitude in pixels whose arrow is as long as the grid spacing; longer flow gets arrows of
            the same length. The largest known one if not given.
        valid: mask of the pixels where the flow is known.
        spacing: pixels between arrows; about 40 arrows along the longer side if not given.

    Raises:
        InputError: not a flow, a frame of another size, or `max_flow` or `spacing` is not positive.
    """
    flow, known = as_flow(flow, valid)
    limit = flow_limit(flow, max_flow)
    height, width = known.shape
    spacing = arrow_spacing(height, width) if spacing is None else spacing
    if spacing < 1:
        raise InputError(f"the spacing of arrows is {spacing} px; wanted at least 1")
    if frame is None:
        canvas = np.full((height, width, 3), 255, np.uint8)  # H x W x 3, white
    else:
        same_size(flow, frame)
        canvas = frame.copy()
    for y in range(min(spacing // 2, height - 1), height, spacing):
        for x in range(min(spacing // 2, width - 1), width, spacing):
            if known[y, x]:
                draw_arrow(canvas, (x, y), _drawn(flow[y, x], limit, spacing))
    return canvas


def arrow_spacing(height: int, width: int) -> int:
    """Return the distance between arrows, in pixels, for a picture of this size."""
    return max(16, round(max(height, width) / 40))


def draw_arrow(canvas: Frame, start: tuple[int, int], vector: tuple[float, float]) -> None:
    """Draw one outlined arrow in place, or a dot if it is shorter than a pixel."""
    length = float(np.hypot(*vector))
    unit = 1 << _SUBPIXELS
    # OpenCV takes integer coordinates, here in sixteenths of a pixel
    begin = (start[0] * unit, start[1] * unit)
    end = (round((start[0] + vector[0]) * unit), round((start[1] + vector[1]) * unit))
    for color, thickness in ((_OUTLINE, 3), (_ARROW, 1)):
        if length < 1:
            cv2.circle(canvas, begin, (thickness - 1) * unit // 2, color, -1, cv2.LINE_AA, _SUBPIXELS)
        else:
            # OpenCV takes the tip length as a share of the arrow's length; 4 px look right at any length
            tip = min(0.4, 4 / length)
            cv2.arrowedLine(canvas, begin, end, color, thickness, cv2.LINE_AA, _SUBPIXELS, tip)


def same_size(flow: FlowArray, frame: UInt8[np.ndarray, "frame_height frame_width 3"]) -> None:
    """Raise an error if a frame and a flow differ in size.

    Raises:
        InputError: they differ in size.
    """
    if flow.shape[:2] != frame.shape[:2]:
        found, wanted = (f"{image.shape[1]} x {image.shape[0]}" for image in (frame, flow))
        raise InputError(f"the frame has {found} pixels and the flow {wanted}; give the frame the flow was made from")


def _drawn(vector: np.ndarray, limit: float, spacing: int) -> tuple[float, float]:
    u, v = (float(part) for part in vector)
    # no arrow is longer than the grid spacing, so that arrows do not cover each other
    scale = spacing / max(limit, float(np.hypot(u, v)))
    return u * scale, v * scale
