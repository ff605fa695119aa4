"""Instance normalisation (Ulyanov et al., https://arxiv.org/abs/1607.08022), fast on a CPU, gradients included."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from opticflow.kernels.dispatch import channels_last, reference_is_asked, supports_numba

Features = Float[Tensor, "batch channels _ _"]
EPSILON = 1e-5
"""Added to the variance; PyTorch's default."""


def instance_norm(x: Features) -> Features:
    """Normalise each channel of each image to mean 0 and variance 1, as `nn.InstanceNorm2d` does by default."""
    if reference_is_asked():
        return F.instance_norm(x, eps=EPSILON)
    learns = torch.is_grad_enabled() and x.requires_grad
    if learns and supports_numba(x):  # forward and backward, three times as fast
        return _InstanceNorm.apply(x)  # type: ignore[no-any-return]
    if learns and x.device.type == "cpu" and x.dtype == torch.bfloat16 and not torch.compiler.is_compiling():
        # PyTorch's gradient in bf16 takes a third of a training step; rounding twice is cheaper
        with torch.autocast("cpu", enabled=False):
            return instance_norm(x.float()).to(x.dtype)
    if x.is_cuda and torch.is_autocast_enabled("cuda"):
        # autocast would write fp32, which the next convolution reads and rounds; the sums are in fp32 anyway
        with torch.autocast("cuda", enabled=False):
            return F.group_norm(x, x.shape[1], eps=EPSILON)
    return F.group_norm(x, x.shape[1], eps=EPSILON)  # the same, on a CPU several times as fast as F.instance_norm


class _InstanceNorm(torch.autograd.Function):
    """Normalises by Numba kernels that sum each row separately; the row sums are added in double precision."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        from opticflow.kernels import instance_norm_numba as run

        images = channels_last(x)
        batch, height, width, channels = images.shape
        shift = images[:, 0, 0].contiguous()  # one value of each channel; subtracting it avoids cancellation
        sums, squares = (images.new_zeros(batch * height, channels) for _ in range(2))
        run.moments(images, shift, sums, squares)
        mean, square = (_over_rows(part, batch) / (height * width) for part in (sums, squares))
        factor = torch.rsqrt((square - mean**2).clamp_min(0) + EPSILON).to(images.dtype)
        mean = (mean + shift).to(images.dtype)
        answer = torch.empty_like(x, memory_format=torch.channels_last)
        run.scale(images, mean, factor, answer.permute(0, 2, 3, 1))
        ctx.save_for_backward(images, mean, factor)
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        from opticflow.kernels import instance_norm_numba as run

        images, mean, factor = ctx.saved_tensors
        gradient = channels_last(gradients[0])
        batch, height, width, channels = images.shape
        sums, covariances = (images.new_zeros(batch * height, channels) for _ in range(2))
        run.products(gradient, images, mean, sums, covariances)
        of_mean, covariance = (_over_rows(part, batch) / (height * width) for part in (sums, covariances))
        slope = factor.double() ** 3 * covariance
        offset = factor * of_mean - slope * mean
        answer = torch.empty_like(images)
        run.combine(gradient, images, factor, slope.to(images.dtype), offset.to(images.dtype), answer)
        return answer.permute(0, 3, 1, 2)


def _over_rows(parts: Tensor, batch: int) -> Tensor:
    return parts.view(batch, -1, parts.shape[1]).sum(1, dtype=torch.float64)
