"""RAFT: Recurrent All-Pairs Field Transforms. Teed and Deng, ECCV 2020, https://arxiv.org/abs/2003.12039

Features of both frames at 1/8 of their size are compared with each other, all pairs of pixels (section 3.2). A gated
recurrent unit then updates the flow again and again (section 3.3): in each iteration the correlations around the pixels
where the present flow leads are looked up, and the unit turns them into a change of the flow. The flow at 1/8 is
upsampled to the size of the frames.

The two variants, `raft_large` and `raft_small`, are columns of numbers over the same blocks.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.models.layers import Convolution, InstanceNorm, draw_weights, relu
from opticflow.models.network import Encoded, Estimates, LearnedNetwork, Mixtures
from opticflow.ops.grid import pixel_grid
from opticflow.ops.lookup import CorrelationLookup, Form, correlation_lookup
from opticflow.ops.upsampling import convex_upsample, upsample
from opticflow.settings import check_iterations
from opticflow.shapes import Flow, Frames

Features = Float[Tensor, "batch _ _ _"]
CoarseFlow = Float[Tensor, "batch 2 _ _"]
"""Flow at 1/8 of the frames' size, in pixels of that size: 1 is 8 pixels of the frames."""
Norm = Callable[[int], nn.Module]
UpdateStep = Callable[[Features, Features, CoarseFlow], tuple[Features, CoarseFlow]]
"""A function of hidden state, correlation features and flow that returns the next hidden state and a change of the
flow."""

STRIDE = 8
DEFAULT_ITERATIONS = 12
"""As in training, and torchvision's default; the authors' evaluation uses 24 (Chairs, KITTI) or 32 (Sintel)."""


def _convolution(inputs: int, outputs: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    convolution = Convolution(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(OrderedDict(conv=convolution, norm=norm(outputs)))


def head(inputs: int, inner: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """A 3 x 3 convolution with ReLU and one without; named 0 and 2 as in published weights, where the ReLU is 1."""
    first = Convolution(inputs, inner, 3, padding=1, relu=True)
    return nn.Sequential(OrderedDict({"0": first, "2": Convolution(inner, outputs, kernel, padding=kernel // 2)}))


class ResidualBlock(nn.Module):
    """Convolutions with a shortcut around them (He et al., CVPR 2016): B x `inputs` x H x W to
    B x `outputs` x H / `stride` x W / `stride`.

    Args:
        inputs: channels.
        outputs: channels.
        kernels: (3, 3) is the plain block, (1, 3, 1) the bottleneck with a quarter of the channels within.
        norm: the normalisation behind each convolution.
        stride: of the first 3 x 3 convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, kernels: Sequence[int], norm: Norm, stride: int) -> None:
        super().__init__()
        inner = outputs if len(kernels) == 2 else outputs // 4
        channels = [inputs, *[inner] * (len(kernels) - 1), outputs]
        strided = list(kernels).index(3)
        self.residual = nn.ModuleList(
            _convolution(channels[i], channels[i + 1], kernel, norm, stride if i == strided else 1)
            for i, kernel in enumerate(kernels)
        )
        self.shortcut = nn.Identity() if stride == 1 else _convolution(inputs, outputs, 1, norm, stride)

    def forward(self, x: Features) -> Features:
        y = x
        for layer in self.residual:
            y = relu(layer(y))
        return relu(self.shortcut(x) + y)


class Encoder(nn.Module):
    """The feature encoder and the context encoder (section 3.1): frames B x 3 x H x W in [-1, 1] to features
    B x `outputs` x H/8 x W/8.

    Args:
        widths: channels at 1/2, 1/4 and 1/8 of the size.
        outputs: channels.
        kernels: of the residual blocks, two at each size.
        norm: instance norm for features, batch norm or none for the context.
    """

    def __init__(self, *, widths: Sequence[int], outputs: int, kernels: Sequence[int], norm: Norm) -> None:
        super().__init__()
        self.stem = _convolution(3, widths[0], 7, norm, stride=2)
        self.stages = nn.Sequential()
        for inputs, width, stride in zip([widths[0], *widths], widths, (1, 2, 2), strict=False):
            self.stages.append(
                nn.Sequential(
                    ResidualBlock(inputs, width, kernels, norm, stride),
                    ResidualBlock(width, width, kernels, norm, 1),
                )
            )
        self.projection = Convolution(widths[-1], outputs, 1)
        for module in self.modules():
            if isinstance(module, Convolution):
                draw_weights(module, "fan_out")

    def forward(self, frames: Frames) -> Features:
        x = relu(self.stem(frames))  # B x widths[0] x H/2 x W/2
        x = self.stages(x)  # B x widths[2] x H/8 x W/8
        return self.projection(x)


class CorrelationBlock(nn.Module):
    """Correlations between all pairs of pixels of two frames (section 3.2). Without weights.

    Args:
        levels: number of pyramid levels: level 0 is the second frame's pixels, each next one averages 2 x 2 of it.
        radius: of the window that a lookup reads in each level.
    """

    def __init__(self, *, levels: int, radius: int) -> None:
        super().__init__()
        self.levels, self.radius = levels, radius
        self.form: Form = "auto"

    @property
    def outputs(self) -> int:
        """Number of correlations that one lookup returns for each pixel."""
        return self.levels * (2 * self.radius + 1) ** 2

    def forward(self, first: Features, second: Features) -> CorrelationLookup:
        """Features of the frames, B x C x H/8 x W/8, to an object whose `lookup(coordinates)` gives correlations,
        B x `outputs` x H/8 x W/8."""
        return correlation_lookup(first, second, levels=self.levels, radius=self.radius, form=self.form)


class MotionEncoder(nn.Module):
    """Features of the motion so far: correlation features B x `correlation[0]` x h x w and flow B x 2 x h x w to
    B x `outputs` x h x w, of which the last two channels are the flow itself.

    Args:
        correlation: channels of the correlation features, and those after each of their convolutions (1 x 1, 3 x 3).
        flow: channels after each convolution of the flow (7 x 7, 3 x 3).
        outputs: channels.
    """

    def __init__(self, *, correlation: Sequence[int], flow: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.correlation = nn.ModuleList(
            Convolution(inputs, width, kernel, padding=kernel // 2, relu=True)
            for inputs, width, kernel in zip(correlation, correlation[1:], (1, 3), strict=False)
        )
        self.flow = nn.ModuleList(
            Convolution(inputs, width, kernel, padding=kernel // 2, relu=True)
            for inputs, width, kernel in zip((2, *flow), flow, (7, 3), strict=False)
        )
        self.joint = Convolution(correlation[-1] + flow[-1], outputs - 2, 3, padding=1, relu=True)

    def forward(self, correlation_features: Features, flow: CoarseFlow) -> Features:
        x, y = correlation_features, flow
        for layer in self.correlation:
            x = layer(x)
        for layer in self.flow:
            y = layer(y)
        joint = self.joint(torch.cat([x, y], 1))
        return torch.cat([joint, flow.to(joint.dtype)], 1)


class ConvGRU(nn.Module):
    """A gated recurrent unit with convolutions (section 3.3, equations 3 to 6): the hidden state
    h: B x `hidden` x h x w and the input x: B x `inputs` x h x w to the next hidden state.

    Args:
        hidden: channels of the hidden state.
        inputs: channels of the input.
        kernel: height and width of the three convolutions.
    """

    def __init__(self, hidden: int, inputs: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = kernel[0] // 2, kernel[1] // 2
        self.update_gate = Convolution(hidden + inputs, hidden, kernel, padding=padding)
        self.reset_gate = Convolution(hidden + inputs, hidden, kernel, padding=padding)
        self.candidate = Convolution(hidden + inputs, hidden, kernel, padding=padding)

    def forward(self, h: Features, x: Features) -> Features:
        hx = torch.cat([h, x], 1)
        z = torch.sigmoid(self.update_gate(hx))
        r = torch.sigmoid(self.reset_gate(hx))
        q = torch.tanh(self.candidate(torch.cat([r * h, x], 1)))
        return (1 - z) * h + z * q


class UpdateBlock(nn.Module):
    """One iteration (section 3.3): from the context, the hidden state, the correlation features and the flow to the
    next hidden state and a change of the flow.

    Args:
        motion_encoder: correlation features and flow to features of the motion.
        gru: one unit, or several that follow each other.
        flow_head: the hidden state to a change of the flow.
    """

    def __init__(self, *, motion_encoder: MotionEncoder, gru: Sequence[ConvGRU], flow_head: nn.Module) -> None:
        super().__init__()
        self.motion_encoder = motion_encoder
        self.gru = nn.ModuleList(gru)
        self.flow_head = flow_head

    def for_context(self, context: Features) -> UpdateStep:
        """Return the iteration as a function of what changes between iterations; the context is constant."""
        return partial(self, context)

    def forward(
        self, context: Features, hidden: Features, correlation_features: Features, flow: CoarseFlow
    ) -> tuple[Features, CoarseFlow]:
        motion = self.motion_encoder(correlation_features, flow)
        x = torch.cat([context, motion], 1)
        for gru in self.gru:
            hidden = gru(hidden, x)
        return hidden, self.flow_head(hidden)


class ConvexUpsampler(nn.Module):
    """Flow at full size as convex combinations of its 3 x 3 neighbours at 1/8, with weights that are read from the
    hidden state (section 3.3, "Upsampling")."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.mask = head(hidden, inner, 9 * STRIDE**2, kernel=1)

    def forward(self, flow: Features, hidden: Features) -> Features:
        # a quarter of the mask "to balance gradients" (RAFT's update.py); the published weights were trained so
        return convex_upsample(STRIDE * flow, 0.25 * self.mask(hidden).float(), STRIDE)


class BilinearUpsampler(nn.Module):
    """Flow at full size by bilinear interpolation, without weights: RAFT-small's."""

    def forward(self, flow: Features, hidden: Features) -> Features:
        return upsample(STRIDE * flow, STRIDE, mode="bilinear-corners")


class RAFT(LearnedNetwork):
    """Recurrent all-pairs field transforms: frames B x 3 x H x W in [0, 1] to flow B x 2 x H x W in pixels.

    Args:
        feature_encoder: frames to the features at 1/8 that are compared between the frames.
        context_encoder: the first frame to the first hidden state (`hidden` channels) and the context (the rest).
        correlation: the features of two frames to a CorrelationLookup.
        update_block: see UpdateBlock.
        upsampler: flow at 1/8 (in its own pixels) and the hidden state to flow at full size.
        hidden: channels of the hidden state.
        iterations: of the update block where nothing else is asked for.
        mixture_head: the hidden state to the weights and scales of two Laplacians around the flow, as SEA-RAFT's loss
            takes them (Wang, Lipson, Deng, ECCV 2024); used in training alone.
    """

    stride: int = STRIDE
    min_size: int = 2 * STRIDE  # features of one pixel cannot be normalised by themselves
    fitting: Literal["pad", "resize"] = "pad"

    def __init__(
        self,
        *,
        feature_encoder: nn.Module,
        context_encoder: nn.Module,
        correlation: nn.Module,
        update_block: UpdateBlock,
        upsampler: nn.Module,
        hidden: int,
        iterations: int = DEFAULT_ITERATIONS,
        mixture_head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.feature_encoder = feature_encoder
        self.context_encoder = context_encoder
        self.correlation = correlation
        self.update_block = update_block
        self.upsampler = upsampler
        self.hidden = hidden
        self.iterations = check_iterations(iterations)
        self.mixture_head = mixture_head
        self.estimates = "iterations" if mixture_head is None else "mixtures"

    def encode(self, frames: Frames) -> Encoded:
        """Return the features of the frames, and the frames as the context encoder takes them, which only a first frame
        needs."""
        self.must_take(frames)
        normalised = 2 * frames - 1
        return {"frames": normalised, "features": self.feature_encoder(normalised)}

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        flow, hidden = deque(self._iterate(first, second, init_flow, iterations), maxlen=1).pop()
        return self.upsampler(flow, hidden)

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates | Mixtures:
        self.must_take(first, second)
        estimates = self._iterate(self.encode(first), self.encode(second), init_flow, iterations)
        if self.mixture_head is None:
            return [self.upsampler(flow, hidden) for flow, hidden in estimates]
        mixtures: Mixtures = []
        for flow, hidden in estimates:
            # the upsampler multiplies by STRIDE, as is right for flow but not for these
            weights_and_scales = self.mixture_head(hidden).float() / STRIDE
            full = self.upsampler(torch.cat([flow, weights_and_scales], 1), hidden)
            mixtures.append((full[:, :2], full[:, 2:4], full[:, 4:]))
        return mixtures

    def full_size(self, flow: CoarseFlow, hidden: Features, stride: int = STRIDE) -> Flow:
        """Upsample flow at 1/8 to full size, in pixels of full size."""
        return self.upsampler(flow, hidden)

    def _iterate(
        self, first: Encoded, second: Encoded, init_flow: Flow | None, iterations: int | None
    ) -> Iterator[tuple[CoarseFlow, Features]]:
        """Yield the flow at 1/8, in pixels of 1/8, and the hidden state after each iteration."""
        volume = self.correlation(first["features"], second["features"])
        context = self.context_encoder(first["frames"])  # B x (hidden + context) x H/8 x W/8
        hidden, context = context[:, : self.hidden].tanh(), context[:, self.hidden :].relu()
        update = self.update_block.for_context(context)
        start = pixel_grid(*context.shape[-2:], like=first["frames"].float())  # 1 x 2 x H/8 x W/8
        flow = torch.zeros_like(start).expand(len(context), -1, -1, -1)
        if init_flow is not None:
            flow = F.avg_pool2d(init_flow.float(), STRIDE) / STRIDE
        for _ in range(check_iterations(self.iterations if iterations is None else iterations)):
            flow = flow.detach()  # each iteration learns from its own change alone
            hidden, delta_flow = update(hidden, volume.lookup(start + flow), flow)
            flow = flow + delta_flow.float()
            yield flow, hidden


def mixture_head(hidden: int) -> nn.Module:
    """Return a head for two weights and two scales of a mixture; SEA-RAFT's flow head predicts them together with the
    flow."""
    return head(hidden, 2 * hidden, 4)


def raft_large(*, iterations: int = DEFAULT_ITERATIONS, mixture: bool = False) -> RAFT:
    """RAFT, 5.3 million parameters.

    Args:
        iterations: of the update block.
        mixture: whether training also sees a mixture of Laplacians around each flow.
    """
    hidden, context, motion = 128, 128, 128
    correlation = CorrelationBlock(levels=4, radius=4)
    widths, kernels = (64, 96, 128), (3, 3)
    return RAFT(
        feature_encoder=Encoder(widths=widths, outputs=256, kernels=kernels, norm=InstanceNorm),
        context_encoder=Encoder(widths=widths, outputs=hidden + context, kernels=kernels, norm=nn.BatchNorm2d),
        correlation=correlation,
        update_block=UpdateBlock(
            motion_encoder=MotionEncoder(correlation=(correlation.outputs, 256, 192), flow=(128, 64), outputs=motion),
            gru=[ConvGRU(hidden, context + motion, kernel) for kernel in ((1, 5), (5, 1))],
            flow_head=head(hidden, 256, 2),
        ),
        upsampler=ConvexUpsampler(hidden, 256),
        hidden=hidden,
        iterations=iterations,
        mixture_head=mixture_head(hidden) if mixture else None,
    )


def raft_small(*, iterations: int = DEFAULT_ITERATIONS, mixture: bool = False) -> RAFT:
    """RAFT-small, 1.0 million parameters. The arguments are those of `raft_large`."""
    hidden, context, motion = 96, 64, 82
    correlation = CorrelationBlock(levels=4, radius=3)
    widths, kernels = (32, 64, 96), (1, 3, 1)
    return RAFT(
        feature_encoder=Encoder(widths=widths, outputs=128, kernels=kernels, norm=InstanceNorm),
        context_encoder=Encoder(widths=widths, outputs=hidden + context, kernels=kernels, norm=nn.Identity),
        correlation=correlation,
        update_block=UpdateBlock(
            motion_encoder=MotionEncoder(correlation=(correlation.outputs, 96), flow=(64, 32), outputs=motion),
            gru=[ConvGRU(hidden, context + motion, (3, 3))],
            flow_head=head(hidden, 128, 2),
        ),
        upsampler=BilinearUpsampler(),
        hidden=hidden,
        iterations=iterations,
        mixture_head=mixture_head(hidden) if mixture else None,
    )
