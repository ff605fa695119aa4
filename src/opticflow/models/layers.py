"""Layers that the networks share. Each is computed by the algorithm that is fastest on the device."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.kernels.dispatch import reference_is_asked
from opticflow.kernels.epilogue import relu as relu
from opticflow.ops.convolution import convolve, transform_weight
from opticflow.ops.instance_norm import instance_norm

Features = Float[Tensor, "batch _ _ _"]
_prepared = threading.local()


@contextmanager
def prepared_weights(weights: "Mapping[Convolution, Tensor]") -> Iterator[None]:
    """Return a context in which convolutions of this thread use these weights, made by `prepare_weights`, instead of
    their own."""
    before = getattr(_prepared, "weights", {})
    _prepared.weights = weights
    try:
        yield
    finally:
        _prepared.weights = before


def prepare_weights(module: nn.Module, like: Features) -> "dict[Convolution, Tensor]":
    """Return the weights of a module's convolutions in the form of the fastest algorithm, for several calls with
    features like these; weights that need no change are left out.

    They carry gradients, but do not follow later changes of the weights, so they serve one forward pass only.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, Convolution) and layer.stride == (1, 1)]
    made = {layer: transform_weight(layer.weight, like) for layer in layers}
    return {layer: weight for layer, weight in made.items() if weight is not layer.weight}


class Convolution(nn.Conv2d):
    """`nn.Conv2d` without groups and dilation, followed by a ReLU if asked for.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: height and width, or one number for both.
        stride: vertical and horizontal stride, or one number for both.
        padding: number of zeros on each side, vertically and horizontally, or one number for both.
        bias: whether there is a bias.
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

    def forward(self, input: Features, residual: Features | None = None) -> Features:
        """Return features of the input's size divided by the stride; `residual` is added to them before the ReLU."""
        if reference_is_asked():
            answer = super().forward(input)
            answer = answer if residual is None else answer + residual
            return F.relu(answer) if self.relu else answer
        weight = getattr(_prepared, "weights", {}).get(self, self.weight)
        stride, padding = (self.stride[0], self.stride[1]), (int(self.padding[0]), int(self.padding[1]))
        return convolve(input, weight, self.bias, stride, padding, residual=residual, relu=self.relu)


class InstanceNorm(nn.Module):
    """`nn.InstanceNorm2d` with its default options."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Features) -> Features:
        return instance_norm(x)


def draw_weights(layer: Convolution, mode: Literal["fan_in", "fan_out"] = "fan_in") -> None:
    """Initialise a layer that precedes a ReLU (He et al., ICCV 2015), unless it is on the meta device.

    To fill a meta tensor, PyTorch would import its compilers, which change the process's environment.
    """
    if not layer.weight.is_meta:
        nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
