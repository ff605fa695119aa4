"""The fast form of RAFT, derived from the plain one: the same weights and the same flow, up to rounding.

- The context is the same in all iterations, so its share in each convolution of a GRU is computed once.
- The weights are the same in all iterations, so they are transformed once for the algorithm of their convolution.
- Both gates of a GRU are one convolution.
- Features lie in memory with the channels last, which is up to 12 % faster on a CPU.
- A residual block adds its shortcut in place where no gradient is asked, which saves one pass over memory.

Each is left out in a block of `reference_kernels`. Faster convolutions, norms and lookups are the layers' own.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from opticflow.kernels.dispatch import reference_is_asked
from opticflow.kernels.epilogue import epilogue
from opticflow.models.layers import Convolution, prepare_weights, prepared_weights, relu
from opticflow.models.network import FlowNetwork
from opticflow.models.raft import CoarseFlow, ConvGRU, Encoder, Features, ResidualBlock, UpdateBlock, UpdateStep
from opticflow.models.raft_pyramid import ConvolutionalUpdateBlock, PyramidEncoder
from opticflow.ops.convolution import convolve, transform_weight


def accelerate(network: FlowNetwork) -> FlowNetwork:
    """Make the blocks of a network fast ones, and have its encoders compute with the channels last. Its modules
    and its `state_dict` stay the same.

    Args:
        network: changed in place; one without such blocks stays as it is.

    Returns:
        The network.

    Example:
        >>> network = accelerate(build("RAFT"))
    """
    for module in network.modules():
        if type(module) in FAST_BLOCKS:
            module.__class__ = FAST_BLOCKS[type(module)]  # what differs are its methods
        elif isinstance(module, Encoder | PyramidEncoder) and not module._forward_pre_hooks:
            module.register_forward_pre_hook(_with_channels_last)
    return network


def _with_channels_last(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if reference_is_asked():
        return tuple(x.contiguous() for x in inputs)
    return tuple(_channels_last(x) for x in inputs)


def _channels_last(x: Tensor) -> Tensor:
    """Convert to channels-last layout and to the precision of the convolution that follows, in one copy."""
    device = x.device.type
    autocast = not x.is_meta and torch.is_autocast_enabled(device)  # it does not know the device `meta`
    dtype = torch.get_autocast_dtype(device) if autocast else x.dtype
    x = x.to(dtype, memory_format=torch.channels_last)  # leaves some of the channels of a wider tensor where they are
    return x.contiguous(memory_format=torch.channels_last)


class _Shared(NamedTuple):
    """What the convolutions of a GRU have in common in all iterations."""

    gates: Features
    """Contribution of the context to both gates, the update gate's channels first: B x 2 hidden x h x w."""
    candidate: Features
    """Contribution of the context to the candidate: B x hidden x h x w."""
    gate_weight: Tensor
    """Weight of the hidden state and the motion features for both gates together."""
    candidate_weight: Tensor


class _Prepared(NamedTuple):
    """What all iterations of a forward pass share."""

    gru: list[_Shared]
    weights: Mapping[Convolution, Tensor]
    """Prepared weights of the other convolutions."""


class FastUpdateBlock(UpdateBlock):
    """An UpdateBlock that convolves the context once instead of in each iteration."""

    def for_context(self, context: Features) -> UpdateStep:
        if reference_is_asked():
            return super().for_context(context)
        context = _channels_last(context)
        weights = prepare_weights(self.motion_encoder, context) | prepare_weights(self.flow_head, context)
        return partial(self, _Prepared([_share(gru, context) for gru in self.gru], weights))  # type: ignore[arg-type]

    def forward(
        self, context: Features | _Prepared, hidden: Features, correlation_features: Features, flow: CoarseFlow
    ) -> tuple[Features, CoarseFlow]:
        if isinstance(context, Tensor):
            return super().forward(context, hidden, correlation_features, flow)
        with prepared_weights(context.weights):
            motion = self.motion_encoder(correlation_features, _channels_last(flow))
            for gru, shared in zip(self.gru, context.gru, strict=True):
                hidden = _updated(gru, hidden, motion, shared)  # type: ignore[arg-type]
            return hidden, self.flow_head(hidden)


class FastConvolutionalUpdateBlock(ConvolutionalUpdateBlock):
    """A ConvolutionalUpdateBlock whose weights are prepared once."""

    def for_context(self, context: Features) -> UpdateStep:
        update = super().for_context(context)
        weights = prepare_weights(self, context)

        def step(hidden: Features, correlation_features: Features, flow: CoarseFlow) -> tuple[Features, CoarseFlow]:
            with prepared_weights(weights):
                return update(hidden, correlation_features, flow)

        return step


class FastResidualBlock(ResidualBlock):
    """A ResidualBlock that adds its shortcut in place."""

    def forward(self, x: Features) -> Features:
        if torch.is_grad_enabled() or reference_is_asked():
            return super().forward(x)
        y = x
        for layer in self.residual:
            y = relu(layer(y))
        return epilogue(y, self.shortcut(x), with_relu=True)


FAST_BLOCKS: dict[type[nn.Module], type[nn.Module]] = {
    ResidualBlock: FastResidualBlock,
    UpdateBlock: FastUpdateBlock,
    ConvolutionalUpdateBlock: FastConvolutionalUpdateBlock,
}


def _share(gru: ConvGRU, context: Features) -> _Shared:
    """Split the weights of h and x = (context, motion) into those of the context and the rest."""
    layers = gru.update_gate, gru.reset_gate, gru.candidate
    hidden = gru.candidate.out_channels
    of_context = slice(hidden, hidden + context.shape[1])
    weight = torch.cat([layer.weight[:, of_context] for layer in layers])
    bias = torch.cat([layer.bias for layer in layers if layer.bias is not None])
    share = convolve(context, weight, bias, padding=_padding(gru))
    rest = [torch.cat([layer.weight[:, :hidden], layer.weight[:, of_context.stop :]], 1) for layer in layers]
    gates, candidate = share.split([2 * hidden, hidden], 1)
    return _Shared(
        _channels_last(gates),
        _channels_last(candidate),
        transform_weight(torch.cat(rest[:2]).to(share.dtype), context),
        transform_weight(rest[2].to(share.dtype), context),
    )


def _updated(gru: ConvGRU, hidden: Features, motion: Features, shared: _Shared) -> Features:
    """Return the next hidden state."""
    padding = _padding(gru)
    joined = torch.cat([hidden, motion], 1)
    gates = convolve(joined, shared.gate_weight, padding=padding, residual=shared.gates).sigmoid_()
    update, reset = gates.chunk(2, 1)
    if torch.is_grad_enabled():
        joined = torch.cat([reset * hidden, motion], 1)
    else:
        torch.mul(reset, hidden, out=joined[:, : hidden.shape[1]])
    candidate = convolve(joined, shared.candidate_weight, padding=padding, residual=shared.candidate).tanh_()
    return torch.lerp(hidden, candidate, update)


def _padding(gru: ConvGRU) -> tuple[int, int]:
    return int(gru.candidate.padding[0]), int(gru.candidate.padding[1])
