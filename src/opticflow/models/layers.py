"""The layers that the networks share. Each is computed by whichever algorithm is fastest where it runs."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.kernels.dispatch import reference_is_asked
from opticflow.kernels.epilogue import relu as relu
from opticflow.ops.convolution import convolve, transform_weight
from opticflow.ops.instance_norm import instance_norm

Features = Float[Tensor, "batch _ _ _"]
LARGEST_KEPT = 2**21
"""Numbers of a transformed weight that is kept: 8 MB, enough for RAFT. FlowNet2 would keep a gigabyte."""


class Convolution(nn.Conv2d):
    """`nn.Conv2d` without groups and dilation, and a ReLU behind it if asked for.

    Where no gradient flows, a small weight is kept in the form of the algorithm that computes it, until it changes. A
    change through `weight.data`, which PyTorch does not count, is not noticed.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: height and width, or one number for both.
        stride: likewise.
        padding: likewise, zeros on each side.
        bias: whether there is one.
        relu: whether negative values become zero.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        *,
        bias: bool = True,
        relu: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.relu = relu
        self._kept: tuple[tuple[Any, ...], Tensor] | None = None

    def forward(self, input: Features, residual: Features | None = None) -> Features:
        """Features of the input's size divided by the stride; `residual` is added to them before the ReLU."""
        if reference_is_asked():
            answer = super().forward(input)
            answer = answer if residual is None else answer + residual
            return F.relu(answer) if self.relu else answer
        stride, padding = (self.stride[0], self.stride[1]), (int(self.padding[0]), int(self.padding[1]))
        return convolve(input, self._weight_for(input), self.bias, stride, padding, residual=residual, relu=self.relu)

    def _weight_for(self, input: Features) -> Tensor:
        if torch.is_grad_enabled() or self.stride != (1, 1) or torch.compiler.is_compiling():
            return self.weight
        weight = self.weight
        if weight.is_inference():  # does not tell when it changes
            return weight
        state = weight._version, weight.data_ptr(), weight.dtype, input.dtype, torch.is_autocast_enabled("cpu")
        kept = self._kept
        if kept is None or kept[0] != state:
            transformed = transform_weight(weight, input)
            if transformed is weight or transformed.numel() > LARGEST_KEPT:
                return transformed
            self._kept = kept = state, transformed
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


class InstanceNorm(nn.Module):
    """`nn.InstanceNorm2d` without its options."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Features) -> Features:
        return instance_norm(x)


def draw_weights(layer: Convolution, mode: Literal["fan_in", "fan_out"] = "fan_in") -> None:
    """Random weights for a layer before a ReLU (He et al., ICCV 2015), if it has any contents.

    To fill a tensor without, PyTorch would import its compilers, which change the process's environment.
    """
    if not layer.weight.is_meta:
        nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
