"""A convolution by whichever way is fastest: the same answer, up to rounding."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.ops.finishing import finished
from opticflow.ops.kernels import compiled_for
from opticflow.ops.winograd import Kernel, winograd_convolution, winograd_kernel, winograd_line_convolution

Features = Float[Tensor, "batch _ _ _"]
Weight = Float[Tensor, "outputs inputs kernel_height kernel_width"]

FEWEST_CHANNELS = 64
"""From here on, of the input and the answer, the transforms cost less than the products that they save, on two threads
as on one."""


def convolve(
    x: Features,
    weight: Weight | Kernel,
    bias: Float[Tensor, " outputs"] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    *,
    added: Features | None = None,
    rectified: bool = False,
) -> Features:
    """What `F.conv2d` computes, and what often comes after it.

    Args:
        x: features; fastest with the strides of channels-last.
        weight: also such as `prepared` has returned.
        bias: of the answer's channels.
        stride: down and across.
        padding: zeros above and below, left and right.
        added: to the answer; of its shape.
        rectified: negative values then become zero.
    """
    side = (weight.shape[-2] // 2, weight.shape[-1] // 2)
    if weight.ndim == 4 and compiled_for(x) and stride == (1, 1) and padding == side and _suits(weight, x):
        weight = winograd_kernel(weight)
    if weight.ndim == 3 and len(weight) == 36:
        return winograd_convolution(x, weight, bias, added=added, rectified=rectified)
    if weight.ndim == 3:
        down = padding == (2, 0)
        return winograd_line_convolution(x, weight, bias, down=down, added=added, rectified=rectified)
    if weight.shape[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0) and compiled_for(x) and _learns(weight, x):
        # a product, whose gradients PyTorch has faster
        answer = F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
    else:
        answer = F.conv2d(x, weight, bias, stride, padding)
    return finished(answer, added, rectified)


def prepared(weight: Weight, x: Features) -> Weight | Kernel:
    """Weights for several convolutions of stride 1 with features like `x`, so that their common work is done once."""
    return winograd_kernel(weight) if compiled_for(x) and _suits(weight, x) else weight


def _suits(weight: Tensor, x: Tensor) -> bool:
    if min(weight.shape[:2]) < FEWEST_CHANNELS:
        return False
    return weight.shape[2:] == (3, 3) or (weight.shape[2:] in ((1, 5), (5, 1)) and not _learns(weight, x))


def _learns(weight: Tensor, x: Tensor) -> bool:
    """Whether a gradient flows."""
    return torch.is_grad_enabled() and (weight.requires_grad or x.requires_grad)
