"""RAFT-pyramid: RAFT's iterations on three scales, from 1/32 of the frames' size to 1/8, by plain convolutions.

A network of this project, put together from published parts:

- The pyramid is RAPIDFlow's (Morimitsu et al., "RAPIDFlow: Recurrent Adaptable Pyramids with Iterative Decoding for
  Efficient Optical Flow Estimation", ICRA 2024): one update block iterates at 1/32, then at 1/16, then at 1/8 of the
  size, and each scale begins with the flow and the hidden state of the one before. At 1/32 a few iterations carry
  motion across the whole frame, also to where nothing can be matched.
- The update block is a chain of 3 x 3 convolutions without gates, as in NeuFlow v2 (Zhang et al., 2024).
- The context comes from both frames and gives a first flow, as in SEA-RAFT (Wang, Lipson, Deng, ECCV 2024).
- Correlation, lookup and convex upsampling are RAFT's (Teed and Deng, ECCV 2020), with one level at each scale.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opticflow.models.layers import Convolution, InstanceNorm, draw_weights, relu
from opticflow.models.network import Encoded, Estimates, LearnedNetwork, Mixtures
from opticflow.models.raft import (
    CoarseFlow,
    ConvexUpsampler,
    CorrelationBlock,
    Features,
    ResidualBlock,
    UpdateStep,
    head,
    mixture_head,
)
from opticflow.ops.grid import pixel_grid
from opticflow.ops.upsampling import upsample
from opticflow.settings import check_iterations
from opticflow.shapes import Flow, Frames

STRIDES = (32, 16, 8)
"""Stride of the features at each scale, in the order in which the scales are used."""
DEFAULT_ITERATIONS = 4
"""Iterations at each scale, twelve in all, as in RAPIDFlow-12."""
FIRST_MOTION = 0.01
"""Factor on the initial weights of layers that predict flow, so that training begins near zero flow."""
LARGEST_STATE = 4.0
"""The hidden state is clamped to [-4, 4] (NeuFlow v2), which keeps iterations without gates stable."""


class PyramidEncoder(nn.Module):
    """Features at 1/32, 1/16 and 1/8 of the frames' size, B x `outputs` x h x w each, of frames B x `inputs` x H x W.

    The blocks that lead from 1/8 to 1/16 and from 1/16 to 1/32 are the same, as in RAPIDFlow.
    """

    def __init__(self, *, inputs: int, widths: tuple[int, int, int], outputs: int) -> None:
        """`widths` are the channels after the stem, at 1/4 and from 1/8 on."""
        super().__init__()

        def block(before: int, after: int, stride: int) -> ResidualBlock:
            return ResidualBlock(before, after, (3, 3), InstanceNorm, stride)

        self.stem = nn.Sequential(Convolution(inputs, widths[0], 7, stride=4, padding=3), InstanceNorm(widths[0]))
        self.to_quarter = block(widths[0], widths[1], 1)
        self.to_eighth = nn.Sequential(block(widths[1], widths[2], 2), block(widths[2], widths[2], 1))
        self.halve = nn.Sequential(block(widths[2], widths[2], 2), block(widths[2], widths[2], 1))
        self.projection = Convolution(widths[2], outputs, 1)
        for module in self.modules():
            if isinstance(module, Convolution):
                draw_weights(module, "fan_out")

    def forward(self, frames: Features) -> list[Features]:
        quarter = self.to_quarter(relu(self.stem(frames)))  # B x widths[1] x H/4 x W/4
        eighth = self.to_eighth(quarter)  # B x widths[2] x H/8 x W/8
        sixteenth = self.halve(eighth)
        return [self.projection(scale) for scale in (self.halve(sixteenth), sixteenth, eighth)]


class ConvolutionalUpdateBlock(nn.Module):
    """One iteration: a chain of 3 x 3 convolutions, from the correlation around the present target, the hidden state,
    the context and the present flow, to the next hidden state and a change of the flow.

    The context does not change between iterations, so it has a convolution of its own, computed once by `for_context`.
    The sum of the two equals one convolution of everything.

    Args:
        correlation: channels of the correlation features.
        hidden: channels of the hidden state.
        context: channels of the context.
        widths: channels between the convolutions.
    """

    def __init__(self, *, correlation: int, hidden: int, context: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.hidden = hidden
        self.of_context = Convolution(context, widths[0], 3, padding=1, bias=False)
        self.first = Convolution(correlation + hidden + 2, widths[0], 3, padding=1, relu=True)
        self.chain = nn.ModuleList(
            Convolution(before, after, 3, padding=1, relu=True) for before, after in pairwise(widths)
        )
        self.last = Convolution(widths[-1], hidden + 2, 3, padding=1)
        for layer in (self.of_context, self.first, *self.chain):
            # through eight layers without a norm, PyTorch's default initialisation would shrink values to a thousandth
            draw_weights(layer)  # type: ignore[arg-type]
        with torch.no_grad():  # an untrained iteration hardly moves anything; at 1/32 a pixel is 32 of the frames
            self.last.weight[hidden:] *= FIRST_MOTION

    def for_context(self, context: Features) -> UpdateStep:
        """Return the iteration as a function of what changes between iterations; the context is constant."""
        return partial(self, self.of_context(context))

    def forward(
        self, context_share: Features, hidden: Features, correlation_features: Features, flow: CoarseFlow
    ) -> tuple[Features, CoarseFlow]:
        # B x (81 + 64 + 2) x h x w
        x = torch.cat([correlation_features.to(hidden.dtype), hidden, flow.to(hidden.dtype)], 1)
        x = self.first(x, residual=context_share)
        for layer in self.chain:
            x = layer(x)
        hidden, delta_flow = self.last(x).split([self.hidden, 2], 1)
        return hidden.clamp(-LARGEST_STATE, LARGEST_STATE), delta_flow


def first_flow(hidden: int, inner: int) -> nn.Module:
    """Return a head that predicts, from the hidden state at 1/32, the flow from which the iterations start, in pixels
    of 1/32."""
    made = head(hidden, inner, 2)
    with torch.no_grad():
        made[-1].weight *= FIRST_MOTION  # type: ignore[operator]
    return made


class StateUpsampler(nn.Module):
    """Combines the upsampled hidden state of the coarser scale with the first hidden state of the finer scale."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.carry = Convolution(hidden, hidden, 3, padding=1)
        self.gate = Convolution(2 * hidden, hidden, 1)

    def forward(self, before: Features, own: Features) -> Features:
        carried = self.carry(upsample(before, 2, mode="bilinear"))
        gate = self.gate(torch.cat([carried, own], 1)).sigmoid()
        return torch.lerp(own, carried, gate)


class RAFTPyramid(LearnedNetwork):
    """RAFT's iterations from coarse to fine. Large displacements are found at 1/32, details at 1/8."""

    stride: int = STRIDES[0]
    min_size: int = 2 * STRIDES[0]  # features of one pixel cannot be normalised by themselves
    fitting: Literal["pad", "resize"] = "pad"

    def __init__(
        self,
        *,
        feature_encoder: nn.Module,
        context_encoder: nn.Module,
        correlation: nn.Module,
        first_flow: nn.Module,
        update_block: nn.Module,
        state_upsampler: nn.Module,
        upsampler: nn.Module,
        hidden: int,
        iterations: int = DEFAULT_ITERATIONS,
        mixture_head: nn.Module | None = None,
    ) -> None:
        """
        Args:
            feature_encoder: frames to the features that are compared, at 1/32, 1/16 and 1/8.
            context_encoder: both frames, their channels one after the other, to the first hidden state (`hidden`
                channels) and the context (the rest), at 1/32, 1/16 and 1/8.
            correlation: the features of two frames to a CorrelationLookup.
            first_flow: the hidden state at 1/32 to the flow that the iterations start from, in pixels of 1/32.
            update_block: see ConvolutionalUpdateBlock.
            state_upsampler: see StateUpsampler.
            upsampler: flow at 1/8 (in its own pixels) and the hidden state to flow at full size.
            hidden: channels of the hidden state.
            iterations: of the update block at each of the three scales where nothing else is asked for.
            mixture_head: as RAFT's.
        """
        super().__init__()
        self.feature_encoder = feature_encoder
        self.context_encoder = context_encoder
        self.correlation = correlation
        self.first_flow = first_flow
        self.update_block = update_block
        self.state_upsampler = state_upsampler
        self.upsampler = upsampler
        self.hidden = hidden
        self.iterations = check_iterations(iterations)
        self.mixture_head = mixture_head
        self.estimates = "iterations" if mixture_head is None else "mixtures"

    def encode(self, frames: Frames) -> Encoded:
        """Return the frames in [-1, 1], and their features at each scale."""
        self.must_take(frames)
        normalised = 2 * frames - 1
        features = self.feature_encoder(normalised)
        return {"frames": normalised} | {f"features/{s}": f for s, f in zip(STRIDES, features, strict=True)}

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        _, flow, hidden = deque(self._iterate(first, second, init_flow, iterations), maxlen=1).pop()
        return self.upsampler(flow, hidden)

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates | Mixtures:
        self.must_take(first, second)
        estimates = self._iterate(self.encode(first), self.encode(second), init_flow, iterations)
        if self.mixture_head is None:
            return [self.full_size(flow, hidden, stride) for stride, flow, hidden in estimates]
        mixtures: Mixtures = []
        for stride, flow, hidden in estimates:
            # the upsamplers multiply by the stride, which is right for flow but not for these
            weights_and_scales = self.mixture_head(hidden).float() / stride
            full = self.full_size(torch.cat([flow, weights_and_scales], 1), hidden, stride)
            mixtures.append((full[:, :2], full[:, 2:4], full[:, 4:]))
        return mixtures

    def full_size(self, flow: Tensor, hidden: Features, stride: int) -> Tensor:
        """Upsample flow at 1 / stride to full size, in pixels of full size."""
        if stride == STRIDES[-1]:
            return self.upsampler(flow, hidden)
        return upsample(stride * flow, stride, mode="bilinear")

    def _iterate(
        self, first: Encoded, second: Encoded, init_flow: Flow | None, iterations: int | None
    ) -> Iterator[tuple[int, CoarseFlow, Features]]:
        """Yield the stride of the scale, the flow at this scale in its pixels, and the hidden state after each
        iteration."""
        count = check_iterations(self.iterations if iterations is None else iterations)
        # B x (hidden + context) x h x w for each stride
        contexts = self.context_encoder(torch.cat([first["frames"], second["frames"]], 1))
        hidden = flow = None
        for stride, context in zip(STRIDES, contexts, strict=True):
            own, context = context[:, : self.hidden], context[:, self.hidden :].relu()
            own = own.clamp(-LARGEST_STATE, LARGEST_STATE)
            hidden = own if hidden is None else self.state_upsampler(hidden, own)
            if flow is not None:  # from the coarser scale, in whose pixels it is half as long
                flow = 2 * upsample(flow, 2, mode="bilinear")
            elif init_flow is not None:
                flow = F.avg_pool2d(init_flow.float(), stride) / stride
            else:
                flow = self.first_flow(hidden).float()
                yield stride, flow, hidden
            correlation = self.correlation(first[f"features/{stride}"], second[f"features/{stride}"])
            update = self.update_block.for_context(context)  # type: ignore[operator]
            start = pixel_grid(*flow.shape[-2:], like=flow)  # 2 x h x w
            for _ in range(count):
                flow = flow.detach()  # each iteration learns from its own change alone
                hidden, delta_flow = update(hidden, correlation.lookup(start + flow), flow)
                flow = flow + delta_flow.float()
                yield stride, flow, hidden


def raft_pyramid(*, iterations: int = DEFAULT_ITERATIONS, mixture: bool = False) -> RAFTPyramid:
    """RAFT-pyramid, 2.6 million parameters.

    Args:
        iterations: of the update block at each of the three scales.
        mixture: whether training also sees a mixture of Laplacians around each flow.
    """
    hidden, context, features = 64, 64, 96
    widths = (64, 64, 96)
    correlation = CorrelationBlock(levels=1, radius=4)
    return RAFTPyramid(
        feature_encoder=PyramidEncoder(inputs=3, widths=widths, outputs=features),
        context_encoder=PyramidEncoder(inputs=6, widths=widths, outputs=hidden + context),
        correlation=correlation,
        first_flow=first_flow(hidden, 128),
        update_block=ConvolutionalUpdateBlock(
            correlation=correlation.outputs, hidden=hidden, context=context, widths=(128, 96, 96, 96, 96, 96, 96)
        ),
        state_upsampler=StateUpsampler(hidden),
        upsampler=ConvexUpsampler(hidden, 128),
        hidden=hidden,
        iterations=iterations,
        mixture_head=mixture_head(hidden) if mixture else None,
    )
