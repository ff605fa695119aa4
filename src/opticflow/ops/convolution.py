"""2-D convolution by the fastest algorithm; the results are equal up to rounding."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.dispatch import supports_numba
from opticflow.kernels.epilogue import epilogue
from opticflow.kernels.winograd import winograd_convolution, winograd_line_convolution
from opticflow.kernels.winograd_points import Kernel, winograd_kernel

Features = Float[Tensor, "batch _ _ _"]
Weight = Float[Tensor, "outputs inputs kernel_height kernel_width"]

FEWEST_CHANNELS = 64
"""Number of input and output channels from which the transforms cost less than the products that they save, on one
thread and on two."""


def convolve(
    x: Features,
    weight: Weight | Kernel,
    bias: Float[Tensor, " outputs"] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    *,
    residual: Features | None = None,
    relu: bool = False,
) -> Features:
    """Convolve as `F.conv2d` does, and apply an epilogue: residual addition and ReLU.

    Args:
        x: features; fastest with the strides of channels-last.
        weight: the weight, or the result of `transform_weight`.
        bias: one value per output channel, or None.
        stride: vertical and horizontal stride.
        padding: number of zeros above and below, and on the left and right.
        residual: a tensor of the result's shape that is added to it, or None.
        relu: whether negative values become zero.
    """
    side = (weight.shape[-2] // 2, weight.shape[-1] // 2)
    if weight.ndim == 4 and supports_numba(x) and stride == (1, 1) and padding == side and _suits(weight, x):
        weight = winograd_kernel(weight)
    if weight.ndim == 3 and len(weight) == 36:
        return winograd_convolution(x, weight, bias, residual=residual, relu=relu)
    if weight.ndim == 3:
        down = padding == (2, 0)
        return winograd_line_convolution(x, weight, bias, down=down, residual=residual, relu=relu)
    pointwise = weight.shape[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0)
    if pointwise and supports_numba(x) and _learns(weight, x):
        # as a matrix product, whose gradients PyTorch computes faster
        answer = F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
    else:
        answer = F.conv2d(x, weight, bias, stride, padding)
    return epilogue(answer, residual, relu)


def transform_weight(weight: Weight, x: Features) -> Weight | Kernel:
    """Return the weight in the form of the fastest algorithm, to be used for several convolutions of stride 1 with
    features like `x`, so that the transform is done once."""
    return winograd_kernel(weight) if supports_numba(x) and _suits(weight, x) else weight


def _suits(weight: Tensor, x: Tensor) -> bool:
    if min(weight.shape[:2]) < FEWEST_CHANNELS:
        return False
    return weight.shape[2:] == (3, 3) or (weight.shape[2:] in ((1, 5), (5, 1)) and not _learns(weight, x))


def _learns(weight: Tensor, x: Tensor) -> bool:
    """Return whether gradients are needed."""
    return torch.is_grad_enabled() and (weight.requires_grad or x.requires_grad)
