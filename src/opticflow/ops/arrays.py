"""Public operations on NumPy arrays and tensors."""

from typing import Literal, overload

import numpy as np
import torch
from torch import Tensor

from opticflow.errors import InputError
from opticflow.ops import consistency
from opticflow.ops import warp as warping
from opticflow.shapes import Array, MaskArray, as_flow, flow_tensor


@overload
def warp(image: Tensor, flow: Tensor, *, border: Literal["clamp", "zero-outside"] = "clamp") -> Tensor: ...
@overload
def warp(image: Array, flow: Array, *, border: Literal["clamp", "zero-outside"] = "clamp") -> Array: ...


def warp(image: Array | Tensor, flow: Array | Tensor, *, border: str = "clamp") -> Array | Tensor:
    """Warp the second frame by the flow: each pixel x of the result is `image` at x + flow(x), an estimate of the first
    frame.

    Args:
        image: the second frame, or any map that lies in it: an array H x W or H x W x C, or a tensor B x C x H x W.
        flow: from the first frame to the second: an array H x W x 2, or a tensor B x 2 x H x W, in pixels.
        border: outside the image `clamp` reads its nearest pixel, `zero-outside` gives zero.

    Returns:
        The warped image, in the shape and type of `image`; integer values are rounded.

    Raises:
        InputError: an image and a flow of different sizes or kinds, unknown flow, or another border.

    Example:
        >>> error = np.abs(frame1 - opticflow.warp(frame2, flow).astype(float))
    """
    if border not in ("clamp", "zero-outside"):
        raise InputError(f"there is no border {border!r}; known are clamp, zero-outside")
    if isinstance(image, Tensor) and isinstance(flow, Tensor):
        if image.ndim != 4 or flow.ndim != 4 or flow.shape[1] != 2 or image.shape[2:] != flow.shape[2:]:
            raise InputError(
                f"the image is a tensor {tuple(image.shape)} and the flow {tuple(flow.shape)}; wanted B x C x H x W "
                "and B x 2 x H x W"
            )
        warped = warping.warp(image if image.is_floating_point() else image.float(), flow, border=border)  # type: ignore[arg-type]
        return warped if image.is_floating_point() else warped.round().to(image.dtype)
    known, valid = as_flow(flow)  # type: ignore[arg-type]
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.shape[:2] != known.shape[:2] or not valid.all():
        unknown = "" if valid.all() else ", unknown at some pixels"
        raise InputError(
            f"the image has the shape {pixels.shape} and the flow {known.shape}{unknown}; wanted H x W or H x W x C, "
            "and known flow H x W x 2"
        )
    channels = torch.from_numpy(np.atleast_3d(pixels).astype(np.float32)).permute(2, 0, 1)[None]
    moved = warping.warp(channels, flow_tensor(known), border=border)  # type: ignore[arg-type]
    warped = moved[0].permute(1, 2, 0).numpy().reshape(pixels.shape)
    return warped.astype(pixels.dtype) if pixels.dtype.kind == "f" else np.rint(warped).astype(pixels.dtype)


@overload
def occlusion(forward: Tensor, backward: Tensor, *, relative: float = 0.01, absolute: float = 0.5) -> Tensor: ...
@overload
def occlusion(forward: Array, backward: Array, *, relative: float = 0.01, absolute: float = 0.5) -> MaskArray: ...


def occlusion(
    forward: Array | Tensor, backward: Array | Tensor, *, relative: float = 0.01, absolute: float = 0.5
) -> MaskArray | Tensor:
    """Find, by the forward-backward check, the pixels of the first frame that are occluded, or out of view, in the
    second. See `ops.consistency.occlusion` for the criterion and its source.

    Args:
        forward: flow from the first frame to the second: an array H x W x 2, or a tensor B x 2 x H x W.
        backward: flow from the second frame to the first, of the same form.
        relative: tolerance as a share of the squared lengths.
        absolute: tolerance in squared pixels.

    Returns:
        H x W bool, or a tensor B x H x W.

    Raises:
        InputError: flows of different sizes, or values that are not flow.

    Example:
        >>> hidden = opticflow.occlusion(forward, backward)
    """
    if isinstance(forward, Tensor) and isinstance(backward, Tensor):
        if forward.ndim != 4 or forward.shape[1] != 2 or forward.shape != backward.shape:
            raise InputError(f"the flows are {tuple(forward.shape)} and {tuple(backward.shape)}; wanted B x 2 x H x W")
        return consistency.occlusion(forward, backward, relative=relative, absolute=absolute)
    flows = [as_flow(flow, what=what)[0] for flow, what in ((forward, "forward"), (backward, "backward"))]  # type: ignore[arg-type]
    if flows[0].shape != flows[1].shape:
        raise InputError(f"the flows have the shapes {flows[0].shape} and {flows[1].shape}; wanted the same")
    one, other = (flow_tensor(flow) for flow in flows)
    return consistency.occlusion(one, other, relative=relative, absolute=absolute)[0].numpy()
