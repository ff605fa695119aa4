"""RAFT and RAFT-pyramid as a reference computes them: what the fast forms are compared with, in tests and by
`opticflow benchmark`."""

import copy

import torch
from torch import Tensor, nn

from opticflow.models.layers import Convolution, InstanceNorm
from opticflow.models.raft import RAFT, ConvGRU
from opticflow.models.raft_pyramid import RAFTPyramid


def plain_twin(network: RAFT | RAFTPyramid) -> RAFT | RAFTPyramid:
    """The same network with the same weights: all pairs sampled by `grid_sample`, nothing shared between iterations."""
    twin = copy.deepcopy(network)
    twin.correlation.form = "plain"  # type: ignore[assignment]
    for encoder in (twin.feature_encoder, twin.context_encoder):
        encoder.register_forward_pre_hook(lambda _, frames: tuple(frame.contiguous() for frame in frames))
    for parent in list(twin.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, InstanceNorm):
                setattr(parent, name, nn.InstanceNorm2d(module.channels))
            elif isinstance(module, ConvGRU):
                setattr(parent, name, PlainGRU(module))
            elif isinstance(module, Convolution):
                module.form = "plain"
    return twin


class PlainGRU(nn.Module):
    """A ConvGRU whose three convolutions see all of their inputs each time."""

    def __init__(self, gru: ConvGRU) -> None:
        super().__init__()
        self.update_gate, self.reset_gate, self.candidate = gru.update_gate, gru.reset_gate, gru.candidate

    def prepare(self, context: Tensor) -> Tensor:
        return context

    def forward(self, hidden: Tensor, motion: Tensor, context: Tensor) -> Tensor:
        inputs = torch.cat([context, motion], 1)
        joined = torch.cat([hidden, inputs], 1)
        update, reset = torch.sigmoid(self.update_gate(joined)), torch.sigmoid(self.reset_gate(joined))
        candidate = torch.tanh(self.candidate(torch.cat([reset * hidden, inputs], 1)))
        return (1 - update) * hidden + update * candidate
