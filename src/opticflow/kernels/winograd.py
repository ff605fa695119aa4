"""Winograd convolutions, with a quarter of the multiplications (3 x 3) or two fifths (1 x 5, 5 x 1), for CPUs without
matrix units.

F(4 x 4, 3 x 3) of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016: a patch of 6 x 6
pixels and the kernel are transformed to 36 points and multiplied, one matrix product for each point, and the products
are transformed to 4 x 4 pixels of the result. F(4, 5) does the same along one axis, with 8 pixels, 8 points and
4 pixels of the result. In float32 the error is up to 1e-5 of the largest value, that of a direct sum 2e-6.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from opticflow.kernels.epilogue import epilogue
from opticflow.kernels.winograd_points import TILE, Kernel

Features = Float[Tensor, "batch _ height width"]


def winograd_convolution(
    x: Features,
    kernel: Kernel,
    bias: Float[Tensor, " outputs"] | None = None,
    *,
    residual: Features | None = None,
    relu: bool = False,
) -> Features:
    """Convolve with 3 x 3 weights, stride 1 and zero padding, on a CPU, in float32 or float64.

    Without gradients, bias, residual and ReLU cost almost nothing.

    Args:
        x: features; fastest in channels-last layout, which the result has.
        kernel: the result of `winograd_kernel`.
        bias: one value per output channel, or None.
        residual: a tensor of the result's shape that is added to it, or None.
        relu: whether negative values become zero.
    """
    # with a gradient, bias, residual and ReLU are operations of their own, which autograd can follow
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, kernel, bias, residual)):
        answer: Tensor = _Winograd.apply(x, kernel)  # type: ignore[assignment]
        if bias is not None:
            answer = answer.add_(bias.view(-1, 1, 1))
        return epilogue(answer, residual, relu)
    from opticflow.kernels import winograd_numba as run

    answer, frames, to_fill = _images(x, kernel)
    finish = run.finishing(to_fill, bias, residual, relu)
    run.convolve(frames, kernel, to_fill, _grid(*x.shape[2:]), finish)
    return answer


def winograd_line_convolution(
    x: Features,
    kernel: Kernel,
    bias: Float[Tensor, " outputs"] | None = None,
    *,
    down: bool,
    residual: Features | None = None,
    relu: bool = False,
) -> Features:
    """Convolve with 1 x 5 or 5 x 1 weights, stride 1 and zero padding; without gradients.

    Args:
        x: see `winograd_convolution`.
        kernel: see `winograd_convolution`.
        bias: see `winograd_convolution`.
        down: whether the weights are 5 x 1, so that they run along columns.
        residual: see `winograd_convolution`.
        relu: see `winograd_convolution`.
    """
    from opticflow.kernels import winograd_lines_numba as run
    from opticflow.kernels.winograd_numba import finishing

    answer, frames, to_fill = _images(x, kernel)
    finish = finishing(to_fill, bias, residual, relu)
    run.convolve(frames, kernel, to_fill, finish, down=down)
    return answer


def _images(x: Features, kernel: Kernel) -> tuple[Features, Tensor, Tensor]:
    """Return the uninitialised result, and input and result as contiguous B x H x W x C tensors."""
    size = len(x), kernel.shape[2], *x.shape[2:]  # B x outputs x H x W
    # channels are the innermost loop of the kernels, so they must lie beside each other
    answer = torch.empty(size, dtype=x.dtype, memory_format=torch.channels_last)
    return answer, x.permute(0, 2, 3, 1).contiguous(), answer.permute(0, 2, 3, 1)


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        from opticflow.kernels import winograd_numba as run

        batch, channels, height, width = x.shape
        grid = _grid(height, width)
        tiles = batch * grid[0] * grid[1]
        answer, frames, to_fill = _images(x, kernel)
        # 36 x tiles x channels; only the gradient of the kernel needs the input at the points
        values = x.new_empty(36, tiles, channels) if ctx.needs_input_grad[1] else None
        run.convolve(frames, kernel, to_fill, grid, run.finishing(to_fill, None, None, False), values)
        ctx.size = height, width
        ctx.save_for_backward(values, kernel)
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        from opticflow.kernels import winograd_numba as run

        values, kernel = ctx.saved_tensors
        height, width = ctx.size
        grid = _grid(height, width)
        # the convolution is a chain of linear steps, so the gradients follow from the adjoint of each, in reverse order
        filled = _filled(gradients[0], grid)
        products = filled.new_empty(36, len(filled) * grid[0] * grid[1], kernel.shape[2])  # 36 x tiles x outputs
        run.transform_output_adjoint(filled, products, grid)
        of_input = of_kernel = None
        if ctx.needs_input_grad[0]:
            spread = filled.new_zeros(len(filled), height, width, kernel.shape[1])  # B x H x W x inputs
            run.transform_input_adjoint(torch.bmm(products, kernel.transpose(1, 2)), spread, grid)
            of_input = spread.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            of_kernel = torch.bmm(values.transpose(1, 2), products)  # 36 x inputs x outputs
        return of_input, of_kernel


def _grid(height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of tiles."""
    return -(-height // TILE), -(-width // TILE)


def _filled(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return a tensor in channels-last layout, padded with zeros below and on the right to whole tiles."""
    below, right = (TILE * count - side for count, side in zip(grid, x.shape[2:], strict=True))  # pixels
    frames = x.permute(0, 2, 3, 1)
    return (F.pad(frames, (0, 0, 0, right, 0, below)) if below or right else frames).contiguous()
