"""The layers that the networks share."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from opticflow.ops.convolution import convolve
from opticflow.ops.instance_norm import instance_norm

Features = Float[Tensor, "batch _ _ _"]


class Convolution(nn.Conv2d):
    """`nn.Conv2d`, by whichever way is fastest."""

    form: Literal["auto", "plain"] = "auto"

    def forward(self, input: Features) -> Features:
        if self.form == "plain":
            return super().forward(input)
        return convolve(input, self.weight, self.bias, self.stride, self.padding)  # pyright: ignore[reportArgumentType]


class InstanceNorm(nn.Module):
    """`nn.InstanceNorm2d` without its options."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Features) -> Features:
        return instance_norm(x)
