"""Backward warping: the second frame sampled where the flow points."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from opticflow.ops.grid import pixel_grid, sample
from opticflow.shapes import Flow, Mask


def warp(
    image: Float[Tensor, "batch channels height width"],
    flow: Flow,
    *,
    border: Literal["clamp", "zero-neighbours", "zero-outside"] = "clamp",
) -> Float[Tensor, "batch channels height width"]:
    """Sample `image` (the second frame) at x + flow(x), an estimate of the first frame.

    Args:
        image: the second frame, or any map that lies in it.
        flow: from the first frame to the second.
        border: what is read outside the image. `clamp`: the nearest pixel of the border (flownet2-pytorch's
            Resample2d). `zero-neighbours`: neighbours outside count as zero. `zero-outside`: zero where x + flow lies
            outside [0, W) x [0, H), the right and lower neighbours clamped (Caffe's FlowWarp, flow_warp_layer.cu).

    Convention: flow in pixels, u right, v down; pixel centres at integers.
    """
    height, width = image.shape[-2:]
    target = (pixel_grid(height, width, like=flow) + flow).permute(0, 2, 3, 1)
    if border == "zero-neighbours":
        return sample(image, target.to(image.dtype), outside="zeros")
    warped = sample(image, target.to(image.dtype), outside="border")
    if border == "zero-outside":
        x, y = target.unbind(-1)
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        warped = torch.where(inside[:, None], warped, torch.zeros_like(warped))
    return warped


def leaves_frame(flow: Flow) -> Mask:
    """Return where a pixel of the first frame moves out of the second: beyond the pixel centres of the border."""
    height, width = flow.shape[-2:]
    x, y = (pixel_grid(height, width, like=flow) + flow).unbind(1)
    return (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
