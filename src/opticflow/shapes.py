"""The conventions of the package: types and shapes of frames, flow and masks.

Frames: RGB. At the interface (files, NumPy) uint8 H x W x 3; inside (tensors) float B x 3 x H x W in [0, 1].
    Each network normalises for itself.
Flow: float32, in pixels of the frame it is given at, u to the right, v down: frame1(x) = frame2(x + flow(x)).
    At the interface H x W x 2, inside B x 2 x H x W.
Masks: bool, true where a pixel is what the name says (valid, occluded). Unknown flow is marked by a mask, never by a
    special value.
Pixel (0, 0) has its centre at coordinate (0.0, 0.0).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Shaped, UInt8
from torch import Tensor

from opticflow.errors import InputError

# At the interface: NumPy arrays.
Frame = UInt8[np.ndarray, "height width 3"]
Array = Shaped[np.ndarray, "..."]
Picture = Array | Shaped[Tensor, "..."]  # what `as_frame` takes
FlowArray = Float32[np.ndarray, "height width 2"]
MaskArray = Bool[np.ndarray, "height width"]
MaskLike = Shaped[np.ndarray, "mask_height mask_width"] | Sequence[Sequence[bool]]  # what `as_flow` takes

# Inside: tensors.
Frames = Float[Tensor, "batch 3 height width"]
Flow = Float[Tensor, "batch 2 height width"]
Mask = Bool[Tensor, "batch height width"]


@dataclass(frozen=True)
class Sample:
    """Two frames with the true flow from the first to the second; every data set and generator yields samples.

    Example:
        >>> everywhere = np.ones(flow.shape[:2], bool)
        >>> sample = opticflow.Sample(frame1, frame2, flow, valid=everywhere, occluded=~everywhere)
    """

    first: Frame
    second: Frame
    flow: FlowArray
    valid: MaskArray
    """Mask where the flow is known."""
    occluded: MaskArray
    """Mask of the pixels of the first frame that are occluded or out of view in the second; all false if unknown."""
    name: str = ""
    """Origin of the sample, for messages."""

    def replace(self, **changes) -> "Sample":
        """Return a copy with some fields changed."""
        return replace(self, **changes)


def flow_tensor(flow: FlowArray) -> Flow:
    """Convert one flow array to a batch of one; the memory is shared where possible."""
    return torch.from_numpy(np.ascontiguousarray(flow)).permute(2, 0, 1)[None]


def flow_array(flow: Flow) -> FlowArray:
    """Convert the first flow of a batch to an array."""
    return np.ascontiguousarray(flow[0].permute(1, 2, 0).cpu().numpy())


def as_array(values: Any, what: str) -> np.ndarray:
    """Convert an array, a tensor on any device (its values, without gradient) or nested lists to a NumPy array.

    Raises:
        InputError: the value is none of these; the message calls it `what`.
    """
    try:
        if isinstance(values, Tensor):
            values = values.detach().cpu()
            values = values.float() if values.dtype == torch.bfloat16 else values  # NumPy has no such type
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} is no array of numbers; wanted one of height x width x channels") from error


def as_frame(image: Picture, what: str = "frame") -> Frame:
    """Convert an image to uint8 RGB.

    Args:
        image: an array or a tensor, H x W (grey), H x W x 1, H x W x 3 (RGB) or H x W x 4 (RGBA, alpha is dropped);
            uint8, uint16 (scaled), bool, or floating point in [0, 1].
        what: the name of the image in messages.

    Raises:
        InputError: another shape or type, an empty image, NaN, or floating-point values outside [0, 1].
    """
    image = as_array(image, what)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        channels_first = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        raise InputError(
            f"{what} has the shape {image.shape}; wanted height x width, with 1, 3 (RGB) or 4 channels"
            + ("; its channels come first: put them last, by .transpose(1, 2, 0)" if channels_first else "")
        )
    image = image[..., :3]
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif image.dtype == np.bool_:
        image = image.astype(np.uint8) * 255
    elif np.issubdtype(image.dtype, np.floating):
        if not np.isfinite(image).all():
            raise InputError(f"{what} contains NaN or infinite values; give finite values in [0, 1], or uint8")
        if image.min() < 0 or image.max() > 1:
            low, high = float(image.min()), float(image.max())
            raise InputError(f"{what} has floating-point values in [{low:.4g}, {high:.4g}]; wanted [0, 1], or uint8")
        image = np.rint(image * 255).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise InputError(f"{what} has the type {image.dtype}; wanted uint8, uint16 or floating point in [0, 1]")
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    return np.ascontiguousarray(image)


def holds_channels_first(image: Any) -> bool:
    """Return whether a value is a tensor of pictures in PyTorch's layout: C x H x W or B x C x H x W with 1, 3 or 4
    channels."""
    return isinstance(image, Tensor) and image.ndim in (3, 4) and image.shape[-3] in (1, 3, 4)


def as_frames(images: Tensor, what: str = "frames") -> Frames:
    """Convert images in PyTorch's layout to float RGB in [0, 1].

    Args:
        images: C x H x W or B x C x H x W with 1 (grey), 3 (RGB) or 4 (RGBA, alpha is dropped) channels; uint8, or
            floating point in [0, 1]; on any device.
        what: the name of the images in messages.

    Returns:
        B x 3 x H x W on the same device; B is 1 for a single image. Its values are not rounded.

    Raises:
        InputError: another shape or type, an empty tensor, NaN, or floating-point values outside [0, 1].
    """
    if not holds_channels_first(images) or 0 in images.shape:
        raise InputError(f"{what} has the shape {tuple(images.shape)}; wanted C x H x W or B x C x H x W, C 1, 3 or 4")
    images = images.detach()[None] if images.ndim == 3 else images.detach()
    if images.dtype == torch.uint8:
        frames = images.float() / 255
    elif images.is_floating_point():
        frames = images.float()
        low, high = (float(value) for value in torch.aminmax(frames))
        if not (low >= 0 and high <= 1):  # the comparisons are false for NaN
            raise InputError(f"{what} has floating-point values in [{low:.4g}, {high:.4g}]; wanted [0, 1], or uint8")
    else:
        raise InputError(f"{what} has the type {images.dtype}; wanted uint8 or floating point in [0, 1]")
    return frames.expand(-1, 3, -1, -1) if frames.shape[1] == 1 else frames[:, :3]


def as_flow(
    flow: Shaped[np.ndarray, "height width channels"] | Shaped[Tensor, "height width channels"],
    valid: MaskLike | None = None,
    what: str = "flow",
) -> tuple[FlowArray, MaskArray]:
    """Convert flow to float32 and the mask of known pixels, which are those that are finite and `valid`.

    Args:
        flow: an array or a tensor, H x W x 2, floating point, in pixels.
        valid: H x W bool; everywhere if not given.
        what: the name of the flow in messages.

    Returns:
        A copy of the flow that is zero where it is unknown, and the mask.

    Raises:
        InputError: another shape or type, or an empty array.
    """
    flow = as_array(flow, what)
    if flow.ndim != 3 or flow.shape[2] != 2 or 0 in flow.shape or flow.dtype.kind != "f":
        raise InputError(
            f"{what} has the shape {flow.shape} and type {flow.dtype}; wanted height x width x 2, floating point"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and so unknown
        flow = flow.astype(np.float32)
    known = np.isfinite(flow[..., 0]) & np.isfinite(flow[..., 1])
    if valid is not None:
        valid = np.asarray(valid)
        if valid.dtype != np.bool_ or valid.shape != flow.shape[:2]:
            raise InputError(f"the mask of {what} has {valid.shape} {valid.dtype}; wanted {flow.shape[:2]} bool")
        known &= valid
    np.copyto(flow, 0, where=~known[..., None])  # an index would take 16 bytes for every unknown pixel
    return flow, known
