"""Pixel coordinates and bilinear sampling. The only place that calls `grid_sample`."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Coordinates = Float[Tensor, "batch out_height out_width 2"]


def pixel_grid(height: int, width: int, *, like: Tensor) -> Float[Tensor, "2 {height} {width}"]:
    """Return the coordinates (x, y) of every pixel centre, on the device and in the type of `like`."""
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack((x, y))


def sample(
    image: Float[Tensor, "batch channels height width"],
    coordinates: Coordinates,
    *,
    outside: Literal["zeros", "border"] = "zeros",
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Sample an image bilinearly at real-valued pixel coordinates.

    Args:
        image: what is read.
        coordinates: (x, y) in pixels of `image`, the last axis.
        outside: `zeros`, every neighbour outside the image counts as zero; `border`, coordinates are clamped to it.

    Convention: pixel centres at integers. The normalisation to [-1, 1] is the one of whole pixels
    (`align_corners=False`), which equals the one of pixel centres everywhere and does not divide by zero when a
    side is one pixel long, as `2 x / (W - 1) - 1` does.
    """
    height, width = image.shape[-2:]
    size = coordinates.new_tensor([width, height])
    normalised = (2 * coordinates + 1) / size - 1
    return F.grid_sample(image, normalised, mode="bilinear", padding_mode=outside, align_corners=False)
