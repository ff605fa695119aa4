"""The table of drawing styles of flow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8

from opticflow.errors import InputError
from opticflow.shapes import Frame, as_flow
from opticflow.visualize import legend
from opticflow.visualize.colors import flow_limit, flow_to_image, magnitude_to_image
from opticflow.visualize.overlays import arrow_spacing, arrows, overlay, same_size, side_by_side


@dataclass(frozen=True)
class Style:
    """A drawing style of flow."""

    draw: Callable[..., Frame]
    legend: Callable[[float, int, int], Frame]
    """Function of `max_flow` and the picture's height and width that draws the legend."""
    takes_frame: bool = False
    needs_frame: bool = False


STYLES: dict[str, Style] = {
    "color": Style(flow_to_image, lambda limit, *_: legend.wheel_legend(limit)),
    "arrows": Style(
        arrows,
        lambda limit, height, width: legend.arrow_legend(limit, arrow_spacing(height, width)),
        takes_frame=True,
    ),
    "overlay": Style(overlay, lambda limit, *_: legend.wheel_legend(limit), takes_frame=True, needs_frame=True),
    "magnitude": Style(magnitude_to_image, lambda limit, *_: legend.scale_legend(limit)),
    "side-by-side": Style(
        side_by_side, lambda limit, *_: legend.wheel_legend(limit), takes_frame=True, needs_frame=True
    ),
}


def find_style(name: str, *, with_frame: bool) -> Style:
    """Return the style of this name.

    Raises:
        InputError: there is no such style, it needs a frame and there is none, or it cannot use the frame given.
    """
    if name not in STYLES:
        raise InputError(f"there is no style {name!r}; wanted one of {', '.join(STYLES)}")
    style = STYLES[name]
    if style.needs_frame and not with_frame:
        raise InputError(f"the style {name} is drawn over a frame; give the frame that the flow was made from")
    if with_frame and not style.takes_frame:
        users = ", ".join(known for known, other in STYLES.items() if other.takes_frame)
        raise InputError(f"the style {name} has no use for a frame; it is for {users}")
    return style


def draw_flow(
    flow: Shaped[np.ndarray, "height width channels"],
    style: str = "color",
    *,
    max_flow: float | None = None,
    valid: Shaped[np.ndarray, "mask_height mask_width"] | None = None,
    frame: UInt8[np.ndarray, "frame_height frame_width 3"] | None = None,
    with_legend: bool = False,
) -> UInt8[np.ndarray, "picture_height picture_width 3"]:
    """Draw flow in one of the styles `color`, `arrows`, `overlay`, `magnitude` and `side-by-side`.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        style: a name of `STYLES`.
        max_flow: the flow magnitude in pixels at the end of the scale; the largest known one if not given.
        valid: mask of the pixels where the flow is known.
        frame: background of arrows and overlay, and the left half of side-by-side, of the flow's size.
        with_legend: add a legend, 96 px wide, at the right side that shows the scale.

    Raises:
        InputError: not a flow, no such style, or a frame that is missing, unused or of another size.
    """
    chosen = find_style(style, with_frame=frame is not None)
    # each style converts the flow for itself; here it is converted for the scale alone
    limit = flow_limit(as_flow(flow, valid)[0] if max_flow is None else flow, max_flow)
    if frame is None:
        # H x W x 3, RGB
        picture = chosen.draw(flow, max_flow=limit, valid=valid)
    else:
        same_size(flow, frame)
        picture = chosen.draw(flow, frame=frame, max_flow=limit, valid=valid)
    # H x (W + 96) x 3, or higher if the picture is lower than the legend
    return legend.beside(picture, chosen.legend(limit, *flow.shape[:2])) if with_legend else picture
