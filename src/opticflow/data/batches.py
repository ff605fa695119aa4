"""Batches in the form in which workers make them, and in the form that a network takes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from opticflow.shapes import Flow, Frames, Mask


@dataclass(frozen=True)
class Batch:
    """A batch in the form that a network takes."""

    first: Frames
    """First frames in [0, 1], in channels-last layout."""
    second: Frames
    flow: Flow
    """In pixels; zero where unknown."""
    valid: Mask
    names: list[str]
    """Origin of each sample, for messages."""


@dataclass(frozen=True)
class RawBatch:
    """A batch in the form in which workers make it: 15 bytes per pixel instead of 33, with the channels last."""

    first: UInt8[Tensor, "batch height width 3"]
    second: UInt8[Tensor, "batch height width 3"]
    flow: Float32[Tensor, "batch height width 2"]
    """In pixels; zero where unknown."""
    valid: Bool[Tensor, "batch height width"]
    names: list[str]
    """Origin of each sample, for messages."""

    def pinned(self) -> "RawBatch":
        """Return a copy. If there is a GPU, the copy is in pinned memory, for asynchronous transfer to the GPU."""
        # the copy lets the workers reuse their memory
        copy = Tensor.pin_memory if torch.cuda.is_available() else Tensor.clone
        return RawBatch(copy(self.first), copy(self.second), copy(self.flow), copy(self.valid), self.names)


def to_device(batch: Batch | RawBatch, device: torch.device | str) -> Batch:
    """Convert a batch to the form that a network takes, on a device. From pinned memory the copy is asynchronous; bytes
    become floats on the device, so that less data is transferred."""
    tensors = (batch.first, batch.second, batch.flow, batch.valid)
    first, second, flow, valid = (tensor.to(device, non_blocking=True) for tensor in tensors)
    if isinstance(batch, RawBatch):
        # `permute` keeps the strides of the frames, which are those of channels-last
        first, second = (frames.permute(0, 3, 1, 2).float().div_(255) for frames in (first, second))
        flow = flow.permute(0, 3, 1, 2).contiguous()  # B x 2 x H x W
    return Batch(first, second, flow, valid, batch.names)
