"""Correlation of two feature maps: FlowNetC's correlation layer and RAFT's all-pairs correlation volume."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from opticflow.kernels.dispatch import channels_last, full_precision, supports_numba
from opticflow.ops.grid import sample

Features = Float[Tensor, "batch channels height width"]


def correlation(
    first: Features, second: Features, *, reach: int = 20, step: int = 2
) -> Float[Tensor, "batch displacements height width"]:
    """Return the mean over channels of the products of `first` at x and `second` at x + d, for all displacements d of a
    square.

    FlowNetC's correlation layer (Dosovitskiy et al., "FlowNet", ICCV 2015, section 3, with kernel size 1), summed in
    float32 at least.

    Args:
        first: features of the first frame.
        second: features of the second frame; they count as zero outside of it.
        reach: largest displacement, in feature pixels.
        step: distance of neighbouring displacements, in feature pixels.

    Convention: channel i * n + j holds d = (x, y) = (j, i) * step - reach, with n = 2 * reach / step + 1.
    """
    kind = torch.promote_types(first.dtype, torch.float32)
    with full_precision(first):
        first, second = first.to(kind), second.to(kind)
        if supports_numba(first):
            return _Correlation.apply(first, second, reach, step)  # type: ignore[no-any-return]
        return correlation_of_rows(first, second, reach=reach, step=step)


def correlation_of_rows(
    first: Features, second: Features, *, reach: int, step: int
) -> Float[Tensor, "batch displacements height width"]:
    """Compute `correlation` with PyTorch's operations: all pairs within a row, whose diagonals are the
    displacements."""
    channels, height = first.shape[1:3]
    offsets = range(0, 2 * reach + 1, step)
    rows = first.permute(0, 2, 3, 1)  # B x H x W x C
    # B x (H + 2 reach) x C x (W + 2 reach)
    padded = F.pad(second, (reach, reach, reach, reach)).permute(0, 2, 1, 3).contiguous()
    # for each dy, B x H x W x (W + 2 reach): a pixel with all pixels of a row
    products = (rows @ padded[:, y : y + height] for y in offsets)
    wanted = [torch.stack([pairs.diagonal(x, dim1=2, dim2=3) for x in offsets], 1) for pairs in products]
    return torch.cat(wanted, 1) / channels


class _Correlation(torch.autograd.Function):
    """Computes each product separately, on tensors in channels-last layout."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, reach: int, step: int) -> Tensor:
        from opticflow.kernels import correlation_numba as run

        scaled, other = channels_last(first) / first.shape[1], channels_last(second)
        answer = scaled.new_zeros(*scaled.shape[:3], (2 * reach // step + 1) ** 2)
        run.compare(scaled, other, answer, reach=reach, step=step)
        ctx.save_for_backward(scaled, other)
        ctx.displacements = {"reach": reach, "step": step}
        return answer.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        from opticflow.kernels import correlation_numba as run

        scaled, other = ctx.saved_tensors
        gradient = channels_last(gradients[0])
        of_first, of_second = torch.zeros_like(scaled), torch.zeros_like(other)
        run.collect(other, gradient, of_first, of_first=True, **ctx.displacements)
        run.collect(scaled, gradient, of_second, of_first=False, **ctx.displacements)
        of_first /= scaled.shape[3]
        return of_first.permute(0, 3, 1, 2), of_second.permute(0, 3, 1, 2), None, None


class CorrelationVolume:
    """The products of all pairs of features, as a pyramid over the second frame (Teed and Deng, "RAFT", ECCV 2020,
    section 3.2). Stored and summed in float32 at least, whatever the type of the features and autocast."""

    pyramid: list[Float[Tensor, "positions 1 level_height level_width"]]
    """For each pixel of the first frame (batch, row, column) its correlation with every pixel of the second; each level
    averages 2 x 2 values of the previous one, as long as a side has two."""

    def __init__(self, first: Features, second: Features, *, levels: int = 4, radius: int = 4) -> None:
        batch, channels, height, width = first.shape
        kind = torch.promote_types(first.dtype, torch.float32)
        with full_precision(first):
            # B x HW x HW
            products = first.to(kind).flatten(2).transpose(1, 2) @ second.to(kind).flatten(2)
        level = (products / channels**0.5).reshape(batch * height * width, 1, height, width)
        self.radius = radius
        self.pyramid = [level]
        for _ in range(levels - 1):
            level = F.avg_pool2d(level, [min(2, side) for side in level.shape[-2:]])
            self.pyramid.append(level)

    def lookup(
        self, coordinates: Float[Tensor, "batch 2 height width"]
    ) -> Float[Tensor, "batch features height width"]:
        """Return the correlations around points of the second frame, (2 * radius + 1)^2 values from each level.

        Args:
            coordinates: (x, y) in feature pixels, for each pixel of the first frame.

        Convention: finest level first; within a level the offset in x is the slow index and the one in y the fast
        one, as the weights of the RAFT authors expect.
        """
        batch, _, height, width = coordinates.shape
        coordinates = coordinates.to(self.pyramid[0].dtype)
        side = torch.arange(-self.radius, self.radius + 1, device=coordinates.device, dtype=coordinates.dtype)
        window = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1)  # (2 r + 1) x (2 r + 1) x 2
        centres = coordinates.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)  # BHW x 1 x 1 x 2
        # a pixel of level i covers 2^i pixels of the features
        found = [sample(level, centres / 2**i + window) for i, level in enumerate(self.pyramid)]
        return torch.cat([level.reshape(batch, height, width, -1) for level in found], -1).permute(0, 3, 1, 2)
