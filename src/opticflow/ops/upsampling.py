"""Upsample flow and features. Flow vectors are not scaled here: the caller does that."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.dispatch import full_precision


def upsample(
    image: Float[Tensor, "batch channels height width"],
    factor: int,
    *,
    mode: Literal["bilinear", "bilinear-corners", "nearest"],
) -> Float[Tensor, "batch channels up_height up_width"]:
    """Upsample by an integer factor.

    Args:
        image: the coarse image.
        factor: ratio of the sizes.
        mode: `bilinear`, between pixel centres as they lie in the plane (Caffe's Resample LINEAR, flownet2's);
            `bilinear-corners`, with the outermost pixel centres on each other (`align_corners=True`, RAFT-small's);
            `nearest`.
    """
    if mode == "nearest":
        return F.interpolate(image, scale_factor=factor, mode="nearest")
    return F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=mode == "bilinear-corners")


def convex_upsample(
    image: Float[Tensor, "batch channels height width"],
    mask: Float[Tensor, "batch weights height width"],
    factor: int = 8,
) -> Float[Tensor, "batch channels up_height up_width"]:
    """Upsample by convex combinations of the 3 x 3 neighbours (Teed and Deng, "RAFT", ECCV 2020, section 3.3).

    Args:
        image: the coarse flow, possibly with more channels; zero beyond its border.
        mask: 9 * factor^2 logits for each coarse pixel: neighbour, then row and column of the fine pixel within it.
        factor: ratio of the sizes.
    """
    batch, channels, height, width = image.shape
    # the coarse pixel first, as convolutions in channels-last leave the logits: a small matrix product for each, many
    # times as fast as the same sum over permuted dimensions
    logits = mask.permute(0, 2, 3, 1).reshape(batch, height, width, 9, factor**2)
    neighbours = F.unfold(image, 3, padding=1).view(batch, channels, 9, height, width).permute(0, 3, 4, 1, 2)
    with full_precision(image):
        fine = neighbours @ logits.softmax(3)  # batch, height, width, channels, row and column in the coarse pixel
    fine = fine.view(batch, height, width, channels, factor, factor).permute(0, 3, 1, 4, 2, 5)
    return fine.reshape(batch, channels, factor * height, factor * width)
