"""The layers that the networks share."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.ops.convolution import convolve, prepared
from opticflow.ops.instance_norm import instance_norm

Features = Float[Tensor, "batch _ _ _"]


class Convolution(nn.Conv2d):
    """`nn.Conv2d`, by whichever way is fastest."""

    form: Literal["auto", "plain"] = "auto"

    def forward(
        self,
        input: Features,
        weight: Tensor | None = None,
        *,
        added: Features | None = None,
        rectified: bool = False,
    ) -> Features:
        """
        Args:
            input: features.
            weight: what `prepare` has returned, should it have been called.
            added: to the answer; of its shape.
            rectified: negative values then become zero.
        """
        if self.form == "plain":
            answer = super().forward(input)
            answer = answer if added is None else answer + added
            return F.relu(answer) if rectified else answer
        weight = self.weight if weight is None else weight
        stride, padding = (self.stride[0], self.stride[1]), (int(self.padding[0]), int(self.padding[1]))
        return convolve(input, weight, self.bias, stride, padding, added=added, rectified=rectified)

    def prepare(self, like: Features) -> Tensor | None:
        """The weights in a form for several calls with features like these; None where that would save nothing."""
        if self.form == "plain" or self.stride != (1, 1):
            return None
        weight = prepared(self.weight, like)
        return None if weight is self.weight else weight


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
