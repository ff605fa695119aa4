"""Record the intermediate tensors of a forward pass, without changing the network or its result.

with record(network) as trace:
    flow = network(first, second)
trace.flows[3], trace.hidden_states[3]
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from opticflow.models.flownet import FlowEstimator
from opticflow.models.flownet2 import Fusion
from opticflow.models.network import Estimates
from opticflow.models.raft import RAFT, STRIDE, ConvexUpsampler
from opticflow.models.raft_pyramid import STRIDES, RAFTPyramid


@dataclass
class Trace:
    """The recorded tensors, in the order in which they were computed; detached from the autograd graph."""

    flows: Estimates = field(default_factory=list)
    """Flows in pixels of the frames. RAFT, RAFT-pyramid: after each iteration, at the frames' size. FlowNets: at each
    scale, for each estimator of a stack in turn, the fusion last."""
    pyramids: list[list[Tensor]] = field(default_factory=list)
    """RAFT's correlation pyramid: a level is (batch * rows * columns of the first frame) x 1 x rows x columns."""
    correlation_features: list[Tensor] = field(default_factory=list)
    """RAFT: the correlation features of each iteration."""
    hidden_states: list[Tensor] = field(default_factory=list)
    """RAFT: the hidden state after each iteration."""
    masks: list[Tensor] = field(default_factory=list)
    """RAFT: the logits of the convex upsampling after each iteration; none in RAFT-small."""


@contextmanager
def record(network: nn.Module) -> Iterator[Trace]:
    """Return a context that records into a trace what the network, or networks within it, compute in the block.

    Args:
        network: RAFT, a FlowNet, or a module around one, as `Estimator.network`.
    """
    trace = Trace()
    handles: list[RemovableHandle] = []
    for module in network.modules():
        if isinstance(module, RAFT | RAFTPyramid):
            handles += _watch_raft(module, trace)
        elif isinstance(module, Fusion):
            handles.append(module.register_forward_hook(lambda _, __, flows: _keep(flows, trace)))
        elif isinstance(module, FlowEstimator):
            handles.append(module.register_forward_hook(lambda _, __, result: _keep(result[0], trace)))
    try:
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def _watch_raft(network: RAFT | RAFTPyramid, trace: Trace) -> list[RemovableHandle]:
    def compared(_: nn.Module, __: Any, volume: Any) -> None:
        trace.pyramids.append([_kept(level) for level in volume.pyramid])

    def updated(_: nn.Module, seen: tuple[Any, ...], result: tuple[Tensor, Tensor]) -> None:
        correlation_features, flow = seen[2:]
        hidden, change = result
        trace.correlation_features.append(_kept(correlation_features))
        trace.hidden_states.append(_kept(hidden))
        # each scale of a pyramid compares features once before it iterates
        stride = STRIDES[(len(trace.pyramids) - 1) % len(STRIDES)] if isinstance(network, RAFTPyramid) else STRIDE
        with torch.no_grad():  # inference upsamples the last flow only; a trace has all of them
            trace.flows.append(network.full_size(flow + change.float(), hidden, stride))
            if isinstance(network.upsampler, ConvexUpsampler) and stride == STRIDE:
                trace.masks.append(network.upsampler.mask(hidden))

    return [network.correlation.register_forward_hook(compared), network.update_block.register_forward_hook(updated)]


def _keep(flows: Any, trace: Trace) -> None:
    trace.flows.extend(_kept(flow) for flow in flows)


def _kept(tensor: Tensor) -> Tensor:
    return tensor.detach()
