"""FlowNet 2.0: stacks of FlowNets and their fusion. Ilg et al., CVPR 2017, https://arxiv.org/abs/1612.01925

Upper-case letters in a name are full networks, lower-case ones have 3/8 of the channels.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.errors import InputError
from opticflow.models.flownet import (
    FLOW_SCALE,
    FlowEstimator,
    FlowNet,
    Mean,
    Refinement,
    convolution,
    correlation_estimator,
    fine_estimator,
    normalisation,
    simple_estimator,
)
from opticflow.models.network import Encoded, Estimates, LearnedNetwork
from opticflow.ops.warp import warp
from opticflow.shapes import Flow, Frames

BORDERS: dict[str, Literal["clamp", "zero-outside"]] = {"nvidia": "clamp", "caffe": "zero-outside"}
"""Values of a warped frame outside the second frame: flownet2-pytorch replicates its border; Caffe, in which the
weights were trained, has zero."""
THIN = 3 / 8


def length(vectors: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Return the Euclidean norm over channels; its gradient at zero is zero."""
    squared = vectors.square().sum(1, keepdim=True)
    positive = squared > 0
    return torch.where(positive, squared, 1.0).sqrt() * positive


class Stack(nn.Module):
    """A sequence of estimators. Each but the first also takes the second frame warped by the flow so far, that flow,
    and the remaining brightness error (section 3.2 of the paper)."""

    def __init__(self, estimators: Sequence[FlowEstimator], warp_border: str) -> None:
        super().__init__()
        self.estimators = nn.ModuleList(estimators)
        if warp_border not in BORDERS:
            raise InputError(f"there is no warp_border {warp_border!r}; known are {', '.join(BORDERS)}")
        self.border: Literal["clamp", "zero-outside"] = BORDERS[warp_border]

    def forward(self, first: Frames, second: Frames) -> tuple[Estimates, Flow]:
        """Return flows of the last estimator at 1/64 to 1/4, and the last one at full size."""
        pair = torch.cat([first, second], 1)  # B x 6 x H x W
        foremost, *others = self.estimators
        flows, flow = foremost(pair)
        for estimator in others:
            warped = warp(second, flow, border=self.border)  # B x 3 x H x W
            # B x (6 + 3 + 2 + 1) x H x W
            flows, flow = estimator(torch.cat([pair, warped, flow / FLOW_SCALE, length(first - warped)], 1))
        return flows, flow


class FlowNetStack(LearnedNetwork):
    """FlowNet2-CS, -CSS and the other stacks."""

    stride: int = 64
    fitting: Literal["pad", "resize"] = "resize"

    def __init__(self, *, normalisation: nn.Module, stack: Stack) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.stack = stack

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        return self.stack(*self.normalisation(first["frames"], second["frames"]))[1]

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates:
        """Return the flows of the last network: the earlier ones are trained first and then frozen (section 3.2)."""
        self.must_take(first, second)
        return self.stack(*self.normalisation(first, second))[0]


class Fusion(nn.Module):
    """The fusion network: two flows to one, at full size, using their lengths and their brightness errors (section
    4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = convolution(11, 64, 3)
        self.conv1 = convolution(64, 64, 3, 2)
        self.conv1_1 = convolution(64, 128, 3)
        self.conv2 = convolution(128, 128, 3, 2)
        self.conv2_1 = convolution(128, 128, 3)
        self.refinement = Refinement(128, (128, 64), (32, 16), inter_conv=True)

    def forward(self, x: Float[Tensor, "batch 11 height width"]) -> Estimates:
        """Return flow at 1/4, 1/2 and full size, in pixels."""
        full = self.conv0(x)  # B x 64 x H x W
        half = self.conv1_1(self.conv1(full))  # B x 128 x H/2 x W/2
        return [flow.float() for flow in self.refinement(self.conv2_1(self.conv2(half)), [half, full])]


class FlowNet2(LearnedNetwork):
    """FlowNet2: a stack for large displacements and a network for small ones, fused."""

    stride: int = 64
    fitting: Literal["pad", "resize"] = "resize"

    def __init__(
        self, *, normalisation: nn.Module, stack: Stack, small_displacement: FlowEstimator, fusion: Fusion
    ) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.stack = stack
        self.small_displacement = small_displacement
        self.fusion = fusion

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        return self.predictions(first["frames"], second["frames"])[-1]

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates:
        """Return the flows of the fusion network, the last at full size: its inputs are trained first and then
        frozen."""
        self.must_take(first, second)
        first, second = self.normalisation(first, second)
        large = self.stack(first, second)[1]  # B x 2 x H x W
        fine = self.small_displacement(torch.cat([first, second], 1))[1]
        # brightness errors that the two flows leave, B x 1 x H x W each
        errors = [length(first - warp(second, flow, border=self.stack.border)) for flow in (fine, large)]
        return self.fusion(torch.cat([first, fine, large, length(fine), length(large), *errors], 1))


def flownet2_c(*, width: float = 1.0, mean: Mean = "pair") -> FlowNet:
    """Build FlowNet2-C, with width 3/8 FlowNet2-c: FlowNetC as FlowNet 2.0 trained it."""
    return FlowNet(normalisation=normalisation(mean), estimator=correlation_estimator(width=width))


def flownet2_s(*, width: float = 1.0, mean: Mean = "pair") -> FlowNet:
    """Build FlowNet2-S, with width 3/8 FlowNet2-s: FlowNetS as FlowNet 2.0 trained it."""
    return FlowNet(normalisation=normalisation(mean), estimator=simple_estimator(width=width))


def flownet2_sd(*, width: float = 1.0, mean: Mean = "pair", flow_scale: float = 1 / FLOW_SCALE) -> FlowNet:
    """Build FlowNet2-SD; flownet2-pytorch's stand-alone network multiplies by 20 where training needs a division."""
    return FlowNet(normalisation=normalisation(mean), estimator=fine_estimator(width=width, flow_scale=flow_scale))


def _stack(letters: str, width: float, warp_border: str) -> Stack:
    """Return the estimators for the letters of the name. The third one's flow is upsampled by nearest neighbours, as in
    Caffe."""
    estimators = []
    for i, letter in enumerate(letters):
        if letter == "C":
            estimators.append(correlation_estimator(width=width))
        else:
            upsampling = "nearest" if i == 2 else "bilinear"
            estimators.append(simple_estimator(12 if i else 6, width=width, upsampling=upsampling))
    return Stack(estimators, warp_border)


def flownet2_stack(
    letters: str, *, width: float = 1.0, mean: Mean = "pair", warp_border: str = "nvidia"
) -> FlowNetStack:
    """Build FlowNet2-CS, -CSS, -SS; with width 3/8 -cs, -css, -ss.

    Args:
        letters: the networks in their order, C or S.
        width: share of the channels.
        mean: the colour that is subtracted from the frames; flownet2-pytorch subtracts the mean of the pair.
        warp_border: key of BORDERS, which chooses the values of a warped frame outside the second frame.
    """
    return FlowNetStack(normalisation=normalisation(mean), stack=_stack(letters, width, warp_border))


def flownet2_fused(*, width: float = 1.0, mean: Mean = "pair", warp_border: str = "nvidia") -> FlowNet2:
    """Build FlowNet2: CSS and SD fused; the options are those of the stacks. The fusion network keeps its width."""
    return FlowNet2(
        normalisation=normalisation(mean),
        stack=_stack("CSS", width, warp_border),
        small_displacement=fine_estimator(width=width, upsampling="nearest"),
        fusion=Fusion(),
    )
