"""Resize pictures and flow. Flow vectors are scaled with the picture."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.shapes import Flow


def resize(
    image: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels new_height new_width"]:
    """Resize bilinearly with half-pixel centres; where a side shrinks, average over the area of a new pixel."""
    if size == tuple(image.shape[-2:]):
        return image
    smaller = size[0] < image.shape[-2] or size[1] < image.shape[-1]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=smaller)


def resize_flow(flow: Flow, size: tuple[int, int]) -> Float[Tensor, "batch 2 new_height new_width"]:
    """Resize flow to another size (height, width), its vectors scaled along each axis."""
    height, width = flow.shape[-2:]
    if size == (height, width):
        return flow
    return resize(flow, size) * flow.new_tensor([size[1] / width, size[0] / height])[:, None, None]
