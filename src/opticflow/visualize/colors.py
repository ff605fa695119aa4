"""The colour code of flow: hue is the direction, saturation the length, as the Middlebury benchmark draws it.

Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011, with the 55 hues of its
`colorcode.cpp`. If it is scaled by the maximum of the flow, the picture equals that of RAFT and of the `flow_vis`
package to within one level. Flow beyond `max_flow` keeps its hue at full saturation. Unknown flow is black.
"""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, Shaped

from opticflow.errors import InputError
from opticflow.shapes import FlowArray, Frame, MaskArray, as_flow

# how many of the 55 hues lie between neighbouring corners; more where the eye can distinguish more
_HUES = {"red": 15, "yellow": 6, "green": 4, "cyan": 11, "blue": 13, "magenta": 6}
_CORNERS = {
    "red": (255, 0, 0),
    "yellow": (255, 255, 0),
    "green": (0, 255, 0),
    "cyan": (0, 255, 255),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
}
_FINE = 256
"""Steps between two hues in the table; half a step changes a colour by at most 0.13 levels."""


def color_wheel() -> Float32[np.ndarray, "55 3"]:
    """Return the 55 hues, RGB in 0 ... 255, from red over yellow, green, cyan, blue and magenta."""
    corners = [np.array(_CORNERS[name]) for name in (*_HUES, "red")]
    # the published table holds whole levels: rounded down where a channel rises, up where it falls
    return np.concatenate(
        [
            # count x 3: one channel rises or falls from corner to corner
            start + np.sign(end - start) * np.floor(255 * np.arange(count) / count)[:, None]
            for count, start, end in zip(_HUES.values(), corners, corners[1:], strict=False)
        ],
        dtype=np.float32,
    )


def flow_to_image(
    flow: Shaped[np.ndarray, "height width channels"],
    *,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
) -> Frame:
    """Draw flow in the Middlebury colours: white is no motion, red is motion to the right.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        max_flow: the flow magnitude in pixels that gets full saturation; the largest known one if not given.
        valid: mask of the pixels where the flow is known.

    Raises:
        InputError: not a flow, or `max_flow` is not positive.

    Example:
        >>> image = opticflow.flow_to_image(flow, max_flow=10)
        >>> image.shape, image.dtype
        ((64, 96, 3), dtype('uint8'))
    """
    flow, known = as_flow(flow, valid)
    return color_known(flow, known, flow_limit(flow, max_flow))


def magnitude_to_image(
    flow: Shaped[np.ndarray, "height width channels"],
    *,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
) -> Frame:
    """Draw the magnitude of flow in the viridis colours, from violet (no motion) to yellow (`max_flow` and beyond).

    Args:
        flow: H x W x 2, in pixels; NaN where unknown, which is drawn black.
        max_flow: the flow magnitude in pixels at the end of the scale; the largest known one if not given.
        valid: mask of the pixels where the flow is known.

    Raises:
        InputError: not a flow, or `max_flow` is not positive.
    """
    flow, known = as_flow(flow, valid)
    return color_magnitude(magnitude(flow) / flow_limit(flow, max_flow), known)


def magnitude(flow: FlowArray) -> Float32[np.ndarray, "height width"]:
    """Return the length of every flow vector in pixels, limited to the largest float32."""
    with np.errstate(over="ignore"):
        # squares of lengths above 1.8e19 are infinite in float32
        return np.minimum(np.sqrt(np.square(flow[..., 0]) + np.square(flow[..., 1])), np.finfo(np.float32).max)


def flow_limit(flow: FlowArray, max_flow: float | None) -> float:
    """Return `max_flow` if given, otherwise the largest flow magnitude; never zero.

    Raises:
        InputError: `max_flow` is not positive.
    """
    if max_flow is None:
        return max(float(magnitude(flow).max()), 1e-5)
    if not 0 < max_flow < np.inf:
        raise InputError(f"max_flow is {max_flow:g} px; wanted a positive number")
    return float(max_flow)


def color_known(flow: FlowArray, known: MaskArray, max_flow: float) -> Frame:
    """Return the Middlebury colours of flow that is zero where unknown; unknown pixels are black."""
    # the first hue points right, the last is a full turn away; errors of OpenCV's angles are 0.01 degrees or 0.1 levels
    u, v = cv2.split(flow)
    # H x W, share of a full turn
    turns = cv2.phase(u, v) / np.float32(2 * np.pi)
    absorbed = _absorbed()
    # H x W x 3, difference of the colour from white at full saturation
    at_full = np.take(absorbed, np.rint(turns * np.float32(len(absorbed) - 1)).astype(np.intp), axis=0)
    # H x W; 1e-5 is added as in `flow_vis`
    saturation = np.minimum(magnitude(flow) / np.float32(max_flow + 1e-5), 1)
    # rounded down, as `flow_vis` does
    image = (255 - saturation[..., None] * at_full).astype(np.uint8)
    image[~known] = 0
    return image


def color_magnitude(share: Float32[np.ndarray, "height width"], known: MaskArray) -> Frame:
    """Return the viridis colours of values in 0 ... 1; other values are clipped, unknown pixels are black."""
    # H x W, 0 to 255
    levels = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    image = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    image[~known] = 0
    return image


@cache
def _absorbed() -> Float32[np.ndarray, "steps 3"]:
    """Return the difference of the wheel's colours from white, linearly interpolated from the first hue to the last."""
    wheel = color_wheel()
    at = np.arange((len(wheel) - 1) * _FINE + 1) / _FINE
    return np.stack([255 - np.interp(at, np.arange(len(wheel)), channel) for channel in wheel.T], -1).astype(np.float32)
