"""Convert frames and initial flows, given as arrays or tensors, to the tensors of a network, and flow back to
arrays."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from opticflow.errors import InputError
from opticflow.shapes import Flow, FlowArray, Frame, Frames, Picture, as_array, as_frames, flow_array

UNKNOWN = "an initial flow has unknown or infinite values; wanted numbers, 0 where nothing is known"


def frames_tensor(frames: Sequence[Frame]) -> Frames:
    """Convert frames H x W x 3 uint8 to a batch B x 3 x H x W in [0, 1]."""
    pixels = torch.from_numpy(np.stack(frames))  # B x H x W x 3
    return pixels.permute(0, 3, 1, 2).contiguous().float().div_(255)


def flows_tensor(flows: Sequence[FlowArray]) -> Flow:
    """Convert flows H x W x 2 to a batch B x 2 x H x W."""
    return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2).float()


def flow_arrays(flow: Flow) -> list[FlowArray]:
    """Convert a batch B x 2 x H x W to flows H x W x 2."""
    return [flow_array(one) for one in flow.split(1)]


def checked_starts(flows: Sequence[Picture], count: int, height: int, width: int) -> list[FlowArray]:
    """Check the initial flows for pairs of frames.

    Args:
        flows: as the caller gave them.
        count: number of pairs.
        height: height of the frames.
        width: width of the frames.

    Raises:
        InputError: another number or shape, or values that are not finite.
    """
    if len(flows) != count:
        raise InputError(f"got {len(flows)} initial flows for {count} pairs; wanted one for each")
    starts = [as_array(flow, "an initial flow").astype(np.float32, copy=False) for flow in flows]
    for start in starts:
        if start.shape != (height, width, 2):
            raise InputError(
                f"an initial flow has the shape {start.shape}; wanted {(height, width, 2)}, that of the frames"
            )
        if not np.isfinite(start).all():
            raise InputError(UNKNOWN)
    return starts


def tensors_of_call(first: Tensor, second: Picture, init_flow: Picture | None) -> tuple[Frames, Frames, Flow | None]:
    """Return the frames B x 3 x H x W in [0, 1] and the initial flow B x 2 x H x W of a call with tensors.

    Args:
        first: C x H x W or B x C x H x W.
        second: a tensor of the same shape.
        init_flow: 2 x H x W or B x 2 x H x W, or None.

    Raises:
        InputError: one is of another kind, shape or type, or its values are out of range.
    """
    if not isinstance(second, Tensor) or second.shape != first.shape:
        raise InputError(
            f"the first frame is a tensor {tuple(first.shape)}; wanted the second one alike, not "
            f"{tuple(getattr(second, 'shape', ()))}"
        )
    frames = as_frames(first, "the first frame"), as_frames(second, "the second frame")
    if init_flow is None:
        return *frames, None
    wanted = (*first.shape[:-3], 2, *first.shape[-2:])
    if not isinstance(init_flow, Tensor) or init_flow.shape != wanted or not init_flow.is_floating_point():
        given = tuple(getattr(init_flow, "shape", ()))
        raise InputError(f"an initial flow has the shape {given}; wanted a tensor {wanted}")
    if not torch.isfinite(init_flow).all():
        raise InputError(UNKNOWN)
    return *frames, init_flow.detach().float().reshape(-1, *wanted[-3:])
