"""RAFT: Recurrent All-Pairs Field Transforms. Teed and Deng, ECCV 2020, https://arxiv.org/abs/2003.12039

The two variants, `raft_large` and `raft_small`, are columns of numbers over the same parts.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.models.layers import Convolution, InstanceNorm, draw_weights
from opticflow.models.network import Encoded, Estimates, LearnedNetwork, Mixtures
from opticflow.ops.convolution import convolve, prepared
from opticflow.ops.finishing import rectified
from opticflow.ops.grid import pixel_grid
from opticflow.ops.lookup import CorrelationLookup, Form, correlation_lookup
from opticflow.ops.upsampling import convex_upsample, upsample
from opticflow.settings import check_iterations
from opticflow.shapes import Flow, Frames

Features = Float[Tensor, "batch _ _ _"]
CoarseFlow = Float[Tensor, "batch 2 _ _"]
"""At 1/8, in pixels of 1/8."""
Norm = Callable[[int], nn.Module]
Weights = Mapping[nn.Module, Tensor | None]
"""Of convolutions, where another form than their own is faster."""

STRIDE = 8
DEFAULT_ITERATIONS = 12
"""As in training, and torchvision's default; the authors' evaluation takes 24 (Chairs, KITTI) or 32 (Sintel)."""


def _channels_last(x: Features) -> Features:
    """The layout of the whole network on the way from frames to flow: up to 12 % faster than the other on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


def _convolution(inputs: int, outputs: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    convolution = Convolution(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(OrderedDict(conv=convolution, norm=norm(outputs)))


class ResidualBlock(nn.Module):
    """Convolutions with a shortcut around them; `kernels` (3, 3) is the plain block, (1, 3, 1) the bottleneck."""

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
            y = rectified(layer(y))
        shortcut = self.shortcut(x)
        return rectified(shortcut + y if torch.is_grad_enabled() else y.add_(shortcut))


class Encoder(nn.Module):
    """Features at one eighth of the resolution."""

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
        return self.projection(self.stages(rectified(self.stem(frames))))


class MotionEncoder(nn.Module):
    """What the correlation around the present target and the present flow say together."""

    def __init__(self, *, correlation: Sequence[int], flow: Sequence[int], outputs: int) -> None:
        """`correlation` are the channels before and after its layers (first 1 x 1, then 3 x 3), `flow` those after."""
        super().__init__()
        self.correlation = nn.ModuleList(
            Convolution(inputs, width, kernel, padding=kernel // 2)
            for inputs, width, kernel in zip(correlation, correlation[1:], (1, 3), strict=False)
        )
        self.flow = nn.ModuleList(
            Convolution(inputs, width, kernel, padding=kernel // 2)
            for inputs, width, kernel in zip((2, *flow), flow, (7, 3), strict=False)
        )
        self.joint = Convolution(correlation[-1] + flow[-1], outputs - 2, 3, padding=1)

    def forward(self, flow: CoarseFlow, correlation: Features, weights: Weights) -> Features:
        along = flow = _channels_last(flow)
        for layer in self.correlation:
            correlation = layer(correlation, weights[layer], rectified=True)
        for layer in self.flow:
            along = layer(along, weights[layer], rectified=True)
        joint = self.joint(torch.cat([correlation, along], 1), weights[self.joint], rectified=True)
        return torch.cat([joint, flow.to(joint.dtype)], 1)


class FlowHead(nn.Sequential):
    """From the state to a change of the flow."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__(Convolution(hidden, inner, 3, padding=1), nn.ReLU(), Convolution(inner, 2, 3, padding=1))

    def forward(self, hidden: Features, weights: Weights) -> CoarseFlow:  # pyright: ignore[reportIncompatibleMethodOverride]
        first, _, second = self
        return second(first(hidden, weights[first], rectified=True), weights[second])


class PreparedGRU(NamedTuple):
    """What a GRU's convolutions share between the iterations."""

    gates: Features
    """The context's share in both gates, the update gate's channels first."""
    candidate: Features
    """The context's share in the candidate."""
    gate_weights: Tensor
    """For the hidden state and the motion, both gates at once."""
    candidate_weights: Tensor


class ConvGRU(nn.Module):
    """A gated recurrent unit whose products are convolutions, of the hidden state, the context and the motion.

    The context stays, so its share in each convolution is computed once, by `prepare`.
    """

    def __init__(self, hidden: int, inputs: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.hidden = hidden
        self.padding = (kernel[0] // 2, kernel[1] // 2)
        self.update_gate = Convolution(hidden + inputs, hidden, kernel, padding=self.padding)
        self.reset_gate = Convolution(hidden + inputs, hidden, kernel, padding=self.padding)
        self.candidate = Convolution(hidden + inputs, hidden, kernel, padding=self.padding)

    def prepare(self, context: Features) -> PreparedGRU:
        layers = self.update_gate, self.reset_gate, self.candidate
        of_context = slice(self.hidden, self.hidden + context.shape[1])
        weight = torch.cat([layer.weight[:, of_context] for layer in layers])
        bias = torch.cat([layer.bias for layer in layers if layer.bias is not None])
        share = convolve(context, weight, bias, padding=self.padding)
        rest = [torch.cat([layer.weight[:, : self.hidden], layer.weight[:, of_context.stop :]], 1) for layer in layers]
        gates, candidate = share.split([2 * self.hidden, self.hidden], 1)
        return PreparedGRU(
            _channels_last(gates),
            _channels_last(candidate),
            prepared(torch.cat(rest[:2]).to(share.dtype), context),
            prepared(rest[2].to(share.dtype), context),
        )

    def forward(self, hidden: Features, motion: Features, shared: PreparedGRU) -> Features:
        joined = torch.cat([hidden, motion], 1)
        gates = convolve(joined, shared.gate_weights, padding=self.padding, added=shared.gates).sigmoid_()
        update, reset = gates.chunk(2, 1)
        if torch.is_grad_enabled():
            joined = torch.cat([reset * hidden, motion], 1)
        else:
            torch.mul(reset, hidden, out=joined[:, : self.hidden])
        candidate = convolve(joined, shared.candidate_weights, padding=self.padding, added=shared.candidate).tanh_()
        return torch.lerp(hidden, candidate, update)


class Prepared(NamedTuple):
    """What the iterations share."""

    gru: list[PreparedGRU]
    weights: Weights
    """Of all other convolutions."""


class UpdateBlock(nn.Module):
    """One step of the iteration: from the state and what was looked up to the next state and a change of the flow."""

    def __init__(self, *, motion_encoder: MotionEncoder, gru: Sequence[ConvGRU], flow_head: FlowHead) -> None:
        super().__init__()
        self.motion_encoder = motion_encoder
        self.gru = nn.ModuleList(gru)
        self.flow_head = flow_head

    def prepare(self, context: Features) -> Prepared:
        """What each GRU wants of the context, and weights in the form that is fastest."""
        others = (layer for part in (self.motion_encoder, self.flow_head) for layer in part.modules())
        weights = {layer: layer.prepare(context) for layer in others if isinstance(layer, Convolution)}
        return Prepared([gru.prepare(context) for gru in self.gru], weights)  # type: ignore[operator]

    def forward(
        self, hidden: Features, prepared: Prepared, looked_up: Features, flow: CoarseFlow
    ) -> tuple[Features, CoarseFlow]:
        motion = self.motion_encoder(flow, looked_up, prepared.weights)
        for gru, share in zip(self.gru, prepared.gru, strict=True):
            hidden = gru(hidden, motion, share)
        return hidden, self.flow_head(hidden, prepared.weights)


class ConvexUpsampler(nn.Module):
    """Flow at full size, by weights that are read from the hidden state."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.mask = nn.Sequential(
            Convolution(hidden, inner, 3, padding=1), nn.ReLU(), Convolution(inner, 9 * STRIDE**2, 1)
        )

    def forward(self, flow: Features, hidden: Features) -> Features:
        # a quarter of the mask "to balance gradients" (RAFT's update.py); the published weights have it built in
        return convex_upsample(STRIDE * flow, 0.25 * self.mask(hidden).float(), STRIDE)


class BilinearUpsampler(nn.Module):
    """Flow at full size, without weights."""

    def forward(self, flow: Features, hidden: Features) -> Features:
        return upsample(STRIDE * flow, STRIDE, mode="bilinear-corners")


class AllPairs(nn.Module):
    """Compares the features of two frames. Without weights; a module, so that it can be swapped and watched."""

    def __init__(self, *, levels: int, radius: int) -> None:
        super().__init__()
        self.levels, self.radius = levels, radius
        self.form: Form = "auto"

    @property
    def outputs(self) -> int:
        """Values that one lookup gives for each pixel."""
        return self.levels * (2 * self.radius + 1) ** 2

    def forward(self, first: Features, second: Features) -> CorrelationLookup:
        return correlation_lookup(first, second, levels=self.levels, radius=self.radius, form=self.form)


class RAFT(LearnedNetwork):
    """Recurrent all-pairs field transforms."""

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
        """
        Args:
            feature_encoder: frames to features at 1/8 that are compared between the frames.
            context_encoder: frames to what the iteration starts from (`hidden` channels) and keeps seeing (the rest).
            correlation: the features of two frames to a CorrelationLookup.
            update_block: see UpdateBlock.
            upsampler: flow at 1/8 (in its own pixels) and the hidden state to flow at full size.
            hidden: channels of the hidden state.
            iterations: of the update block where nothing else is asked for.
            mixture_head: the hidden state to the weights and scales of two Laplacians around the flow, as SEA-RAFT's
                loss takes them (Wang, Lipson, Deng, ECCV 2024); used in training alone.
        """
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
        """Features of the frames, and the frames as the context encoder wants them: only a first frame needs it."""
        self.must_take(frames)
        normalised = _channels_last(2 * frames - 1)
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
            # the upsampler is made for flow, whose numbers grow with the size
            weights_and_scales = self.mixture_head(hidden).float() / STRIDE
            full = self.upsampler(torch.cat([flow, weights_and_scales], 1), hidden)
            mixtures.append((full[:, :2], full[:, 2:4], full[:, 4:]))
        return mixtures

    def full_size(self, flow: CoarseFlow, hidden: Features, stride: int = STRIDE) -> Flow:
        """Flow at full size, in pixels of full size, from one at 1/8."""
        return self.upsampler(flow, hidden)

    def _iterate(
        self, first: Encoded, second: Encoded, init_flow: Flow | None, iterations: int | None
    ) -> Iterator[tuple[CoarseFlow, Features]]:
        """The flow at 1/8, in pixels of 1/8, and the hidden state after each iteration."""
        count = check_iterations(self.iterations if iterations is None else iterations)
        volume = self.correlation(first["features"], second["features"])
        context = _channels_last(self.context_encoder(first["frames"]))
        hidden, context = context[:, : self.hidden].tanh(), context[:, self.hidden :].relu()
        prepared = self.update_block.prepare(context)
        start = pixel_grid(*context.shape[-2:], like=first["frames"].float())
        flow = torch.zeros_like(start).expand(len(context), -1, -1, -1)
        if init_flow is not None:
            flow = F.avg_pool2d(init_flow.float(), STRIDE) / STRIDE
        for _ in range(count):
            flow = flow.detach()  # each iteration learns from its own change alone
            hidden, change = self.update_block(hidden, prepared, volume.lookup(start + flow), flow)
            flow = flow + change.float()
            yield flow, hidden


def mixture_head(hidden: int) -> nn.Module:
    """As SEA-RAFT's head of the flow, which gives both there: two weights and two scales."""
    return nn.Sequential(
        Convolution(hidden, 2 * hidden, 3, padding=1), nn.ReLU(), Convolution(2 * hidden, 4, 3, padding=1)
    )


def raft_large(*, iterations: int = DEFAULT_ITERATIONS, mixture: bool = False) -> RAFT:
    """RAFT, 5.3 million parameters.

    Args:
        iterations: of the update block.
        mixture: whether training also sees a mixture of Laplacians around each flow.
    """
    hidden, context, motion = 128, 128, 128
    correlation = AllPairs(levels=4, radius=4)
    widths, kernels = (64, 96, 128), (3, 3)
    return RAFT(
        feature_encoder=Encoder(widths=widths, outputs=256, kernels=kernels, norm=InstanceNorm),
        context_encoder=Encoder(widths=widths, outputs=hidden + context, kernels=kernels, norm=nn.BatchNorm2d),
        correlation=correlation,
        update_block=UpdateBlock(
            motion_encoder=MotionEncoder(correlation=(correlation.outputs, 256, 192), flow=(128, 64), outputs=motion),
            gru=[ConvGRU(hidden, context + motion, kernel) for kernel in ((1, 5), (5, 1))],
            flow_head=FlowHead(hidden, 256),
        ),
        upsampler=ConvexUpsampler(hidden, 256),
        hidden=hidden,
        iterations=iterations,
        mixture_head=mixture_head(hidden) if mixture else None,
    )


def raft_small(*, iterations: int = DEFAULT_ITERATIONS, mixture: bool = False) -> RAFT:
    """RAFT-small, 1.0 million parameters. The arguments are those of `raft_large`."""
    hidden, context, motion = 96, 64, 82
    correlation = AllPairs(levels=4, radius=3)
    widths, kernels = (32, 64, 96), (1, 3, 1)
    return RAFT(
        feature_encoder=Encoder(widths=widths, outputs=128, kernels=kernels, norm=InstanceNorm),
        context_encoder=Encoder(widths=widths, outputs=hidden + context, kernels=kernels, norm=nn.Identity),
        correlation=correlation,
        update_block=UpdateBlock(
            motion_encoder=MotionEncoder(correlation=(correlation.outputs, 96), flow=(64, 32), outputs=motion),
            gru=[ConvGRU(hidden, context + motion, (3, 3))],
            flow_head=FlowHead(hidden, 128),
        ),
        upsampler=BilinearUpsampler(),
        hidden=hidden,
        iterations=iterations,
        mixture_head=mixture_head(hidden) if mixture else None,
    )
