"""FlowNetS, FlowNetC (Dosovitskiy et al., ICCV 2015, https://arxiv.org/abs/1504.06852) and FlowNet2-SD
(Ilg et al., CVPR 2017, https://arxiv.org/abs/1612.01925), from shared parts.

Each network has a stem (frames to 1/8), a trunk (1/8 to 1/64) and a refinement (a flow at each scale up to 1/4).
The variants in `flownet2.py` are built from the same estimators.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.models.layers import Convolution
from opticflow.models.network import Encoded, Estimates, LearnedNetwork
from opticflow.ops.correlation import correlation
from opticflow.ops.upsampling import upsample
from opticflow.shapes import Flow, Frames

Features = Float[Tensor, "batch _ _ _"]

SLOPE = 0.1
"""Negative slope of every leaky ReLU."""
FLOW_SCALE = 20.0
"""Factor on the flow in training: S and C were trained on flow / 20, SD on flow * 20 (solver files of FlowNet 2.0, 0.05
and 20)."""


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, *, batch_norm: bool = False) -> nn.Sequential:
    """Return a convolution, batch normalisation if asked for (then without a bias), and leaky ReLU."""
    layers: list[nn.Module] = [
        Convolution(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=not batch_norm)
    ]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.LeakyReLU(SLOPE))


class FixedMean(nn.Module):
    """Subtracts one colour from all frames."""

    colour: Tensor

    def __init__(self, colour: Sequence[float]) -> None:
        super().__init__()
        # a constant needs its values even if the network is built on the meta device to be loaded into
        constant = torch.tensor(colour, device="cpu").view(1, 3, 1, 1)
        self.register_buffer("colour", constant, persistent=False)

    def forward(self, first: Frames, second: Frames) -> tuple[Frames, Frames]:
        return first - self.colour, second - self.colour


class PairMean(nn.Module):
    """Subtracts from both frames of a pair their common mean colour."""

    def forward(self, first: Frames, second: Frames) -> tuple[Frames, Frames]:
        colour = (first.mean((2, 3), keepdim=True) + second.mean((2, 3), keepdim=True)) / 2
        return first - colour, second - colour


class SimpleStem(nn.Module):
    """The stem of FlowNetS (section 3, "FlowNetSimple"): from all inputs, B x `inputs` x H x W, as one stack of
    channels to features at 1/4 and at 1/8 of the size."""

    def __init__(self, inputs: int, widths: Sequence[int], *, batch_norm: bool = False) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, widths[0], 7, 2, batch_norm=batch_norm)
        self.conv2 = convolution(widths[0], widths[1], 5, 2, batch_norm=batch_norm)
        self.conv3 = convolution(widths[1], widths[2], 5, 2, batch_norm=batch_norm)

    def forward(self, x: Features) -> tuple[Features, Features]:
        quarter = self.conv2(self.conv1(x))  # B x widths[1] x H/4 x W/4
        return quarter, self.conv3(quarter)  # B x widths[2] x H/8 x W/8


class CorrelationStem(nn.Module):
    """The stem of FlowNetC (section 3, "FlowNetCorr"): from both frames, B x 6 x H x W, to features at 1/4 (of the
    first frame) and at 1/8 (the correlation of both frames' features, joined with features of the first)."""

    def __init__(self, widths: Sequence[int], redirect_channels: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        self.frame = SimpleStem(3, widths, batch_norm=batch_norm)
        self.conv_redir = convolution(widths[2], redirect_channels, 1, batch_norm=batch_norm)

    def forward(self, x: Features) -> tuple[Features, Features]:
        quarter, first = self.frame(x[:, :3])  # at 1/4 and at 1/8
        second = self.frame(x[:, 3:])[1]
        correlations = F.leaky_relu(correlation(first, second), SLOPE)  # B x 441 x H/8 x W/8
        return quarter, torch.cat([self.conv_redir(first), correlations], 1)


class SmallDisplacementStem(nn.Module):
    """The stem of FlowNet2-SD (FlowNet 2.0, section 4) for small displacements, with 3 x 3 kernels and a first layer at
    full resolution: from both frames, B x 6 x H x W, to features at 1/4 and at 1/8."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.conv0 = convolution(6, widths[0], 3)
        self.conv1 = convolution(widths[0], widths[0], 3, 2)
        self.conv1_1 = convolution(widths[0], widths[1], 3)
        self.conv2 = convolution(widths[1], widths[1], 3, 2)
        self.conv2_1 = convolution(widths[1], widths[1], 3)
        self.conv3 = convolution(widths[1], widths[2], 3, 2)

    def forward(self, x: Features) -> tuple[Features, Features]:
        half = self.conv1_1(self.conv1(self.conv0(x)))  # B x widths[1] x H/2 x W/2
        quarter = self.conv2_1(self.conv2(half))  # B x widths[1] x H/4 x W/4
        return quarter, self.conv3(quarter)


class Trunk(nn.Module):
    """The contracting part from features at 1/8 to features at 1/8, 1/16, 1/32 and 1/64: two layers for each scale."""

    def __init__(self, inputs: int, widths: Sequence[int], *, batch_norm: bool = False) -> None:
        super().__init__()
        self.conv3_1 = convolution(inputs, widths[0], 3, batch_norm=batch_norm)
        self.conv4 = convolution(widths[0], widths[1], 3, 2, batch_norm=batch_norm)
        self.conv4_1 = convolution(widths[1], widths[1], 3, batch_norm=batch_norm)
        self.conv5 = convolution(widths[1], widths[2], 3, 2, batch_norm=batch_norm)
        self.conv5_1 = convolution(widths[2], widths[2], 3, batch_norm=batch_norm)
        self.conv6 = convolution(widths[2], widths[3], 3, 2, batch_norm=batch_norm)
        self.conv6_1 = convolution(widths[3], widths[3], 3, batch_norm=batch_norm)

    def forward(self, eighth: Features) -> tuple[Features, Features, Features, Features]:
        three = self.conv3_1(eighth)  # B x widths[0] x H/8 x W/8
        four = self.conv4_1(self.conv4(three))  # B x widths[1] x H/16 x W/16
        five = self.conv5_1(self.conv5(four))  # B x widths[2] x H/32 x W/32
        return three, four, five, self.conv6_1(self.conv6(five))


class Refinement(nn.Module):
    """The expanding part: a flow at each scale, from coarse to fine; each uses the features of its scale, those of the
    coarser scale and the coarser flow."""

    def __init__(
        self,
        coarsest: int,
        skips: Sequence[int],
        widths: Sequence[int],
        *,
        inter_conv: bool = False,
        biases: bool = True,
        upsampled_bias: bool = True,
    ) -> None:
        """
        Args:
            coarsest: channels at the coarsest scale.
            skips: channels of the features of the finer scales, coarse to fine.
            widths: channels that come up from the coarser scale, for each finer one.
            inter_conv: a convolution without activation before each finer flow (FlowNet2-SD and the fusion).
            biases: whether the layers that predict a flow and the deconvolutions have biases.
            upsampled_bias: whether the layers that upsample a flow have biases.
        """
        super().__init__()
        joined = [coarsest, *(skip + width + 2 for skip, width in zip(skips, widths, strict=True))]
        seen = [coarsest, *(widths if inter_conv else joined[1:])]
        self.predict_flow = nn.ModuleList(Convolution(channels, 2, 3, padding=1, bias=biases) for channels in seen)
        self.upsample_flow = nn.ModuleList(nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=upsampled_bias) for _ in skips)
        self.deconvolution = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=biases), nn.LeakyReLU(SLOPE))
            for inputs, width in zip(joined, widths, strict=False)
        )
        self.smoothing = nn.ModuleList(
            Convolution(inputs, width, 3, padding=1) if inter_conv else nn.Identity()
            for inputs, width in zip(joined[1:], widths, strict=True)
        )

    def forward(self, coarsest: Features, skips: Sequence[Features]) -> Estimates:
        features = coarsest  # B x C x h x w, of the coarsest scale
        flows = [self.predict_flow[0](coarsest)]
        for i, skip in enumerate(skips):  # each twice as large as the one before
            features = torch.cat([skip, self.deconvolution[i](features), self.upsample_flow[i](flows[-1])], 1)
            flows.append(self.predict_flow[i + 1](self.smoothing[i](features)))
        return flows


class FlowEstimator(nn.Module):
    """Stem, trunk and refinement: from normalised frames (and, within a stack, the results so far) to flow."""

    def __init__(
        self,
        *,
        stem: nn.Module,
        trunk: Trunk,
        refinement: Refinement,
        flow_scale: float = FLOW_SCALE,
        upsampling: Literal["bilinear", "nearest"] = "bilinear",
    ) -> None:
        """
        Args:
            stem: computes features at 1/4 and 1/8 from the input.
            trunk: computes features at 1/8, 1/16, 1/32 and 1/64 from those at 1/8.
            refinement: computes flows from the features.
            flow_scale: pixels of the frames for one unit of the refinement's flow (`div_flow` of flownet2-pytorch).
            upsampling: method of upsampling the flow from 1/4 to full size.
        """
        super().__init__()
        self.stem, self.trunk, self.refinement = stem, trunk, refinement
        self.flow_scale = flow_scale
        self.upsampling: Literal["bilinear", "nearest"] = upsampling

    def forward(self, x: Features) -> tuple[Estimates, Flow]:
        """Return flows at 1/64 to 1/4, and the last one at full size, in pixels of the frames."""
        quarter, eighth = self.stem(x)
        three, four, five, six = self.trunk(eighth)
        flows = [self.flow_scale * flow.float() for flow in self.refinement(six, [five, four, three, quarter])]
        return flows, upsample(flows[-1], 4, mode=self.upsampling)


class FlowNet(LearnedNetwork):
    """A single FlowEstimator as a flow method."""

    stride: int = 64
    fitting: Literal["pad", "resize"] = "resize"

    def __init__(self, *, normalisation: nn.Module, estimator: FlowEstimator) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.estimator = estimator

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        return self._estimate(first["frames"], second["frames"])[1]

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates:
        self.must_take(first, second)
        return self._estimate(first, second)[0]

    def _estimate(self, first: Frames, second: Frames) -> tuple[Estimates, Flow]:
        return self.estimator(torch.cat(self.normalisation(first, second), 1))


Mean = Literal["pair"] | Sequence[float]
"""The colour that is subtracted from the frames: the mean colour of a pair, or one RGB colour in [0, 1] for all."""
FLOWNET_PYTORCH_MEAN = (0.411, 0.432, 0.45)
"""RGB mean with which the published weights of FlowNetPytorch were trained (its later main.py has it in BGR order)."""
CAFFE_MEAN = (0.40119368, 0.39534855, 0.37655231)
"""RGB mean that the Caffe training of FlowNet 2.0 subtracted; flownet2-pytorch replaced it by that of the pair."""

STEM, TRUNK, REFINED, REDIRECTED, DISPLACEMENTS = (64, 128, 256), (256, 512, 512, 1024), (512, 256, 128, 64), 32, 441


def normalisation(mean: Mean) -> nn.Module:
    """Return the module that subtracts the mean."""
    return PairMean() if isinstance(mean, str) else FixedMean(mean)


def scaled(widths: Sequence[int], factor: float) -> tuple[int, ...]:
    """Return the numbers of channels of a thinner network."""
    return tuple(round(width * factor) for width in widths)


def _refinement(trunk: Sequence[int], quarter: int, factor: float, **options: bool) -> Refinement:
    three, four, five, six = trunk
    return Refinement(six, (five, four, three, quarter), scaled(REFINED, factor), **options)


def simple_estimator(
    inputs: int = 6,
    *,
    width: float = 1.0,
    biases: bool = True,
    batch_norm: bool = False,
    upsampling: Literal["bilinear", "nearest"] = "bilinear",
) -> FlowEstimator:
    """Build the estimator of FlowNetS.

    Args:
        inputs: 6 for two frames, 12 within a stack.
        width: share of the channels; 3/8 in the thin variants of FlowNet 2.0.
        biases: whether the layers that predict a flow and the deconvolutions have biases; the Caffe weights have them,
            those of FlowNetPytorch do not.
        batch_norm: whether batch normalisation follows each convolution of stem and trunk.
        upsampling: method of upsampling the flow from 1/4 to full size.
    """
    stem, trunk = scaled(STEM, width), scaled(TRUNK, width)
    return FlowEstimator(
        stem=SimpleStem(inputs, stem, batch_norm=batch_norm),
        trunk=Trunk(stem[2], trunk, batch_norm=batch_norm),
        refinement=_refinement(trunk, stem[1], width, biases=biases, upsampled_bias=False),
        upsampling=upsampling,
    )


def correlation_estimator(*, width: float = 1.0, biases: bool = True, batch_norm: bool = False) -> FlowEstimator:
    """Build the estimator of FlowNetC; the arguments are those of FlowNetS."""
    stem, trunk, (redirect_channels,) = scaled(STEM, width), scaled(TRUNK, width), scaled([REDIRECTED], width)
    return FlowEstimator(
        stem=CorrelationStem(stem, redirect_channels, batch_norm=batch_norm),
        trunk=Trunk(redirect_channels + DISPLACEMENTS, trunk, batch_norm=batch_norm),
        refinement=_refinement(trunk, stem[1], width, biases=biases, upsampled_bias=biases),
    )


def fine_estimator(
    *, width: float = 1.0, flow_scale: float = 1 / FLOW_SCALE, upsampling: Literal["bilinear", "nearest"] = "bilinear"
) -> FlowEstimator:
    """Build the estimator of FlowNet2-SD, for small displacements; `flow_scale` is 1/20 as it was trained (flow times
    20)."""
    stem, trunk = scaled(STEM, width), scaled(TRUNK, width)
    return FlowEstimator(
        stem=SmallDisplacementStem(stem),
        trunk=Trunk(stem[2], trunk),
        refinement=_refinement(trunk, stem[1], width, inter_conv=True),
        flow_scale=flow_scale,
        upsampling=upsampling,
    )


def flownet_s(*, mean: Mean = FLOWNET_PYTORCH_MEAN, biases: bool = False, batch_norm: bool = False) -> FlowNet:
    """Build the FlowNetS of 2015, as in FlowNetPytorch."""
    return FlowNet(normalisation=normalisation(mean), estimator=simple_estimator(biases=biases, batch_norm=batch_norm))


def flownet_c(*, mean: Mean = FLOWNET_PYTORCH_MEAN, biases: bool = False, batch_norm: bool = False) -> FlowNet:
    """Build the FlowNetC of 2015, as in FlowNetPytorch."""
    return FlowNet(
        normalisation=normalisation(mean), estimator=correlation_estimator(biases=biases, batch_norm=batch_norm)
    )
