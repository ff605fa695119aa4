"""Augmentation of a whole batch by tensor operations on the training device.

The random parameters are drawn on the CPU, by the same code and the same generators as for one sample:

    variations = [PRESETS["default-mix"].draw(np.random.default_rng([seed, 0, number]), size, crop) for number in ...]
    first, second, flow, valid = vary(raw, variations)

The result is that of `Variation.apply` on the CPU: the same masks, the same flow to 0.001 pixels, and the same
pictures to about a grey level, since they are not rounded to 8 bits after each step. Only the noise values differ
between kinds of devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from opticflow.data.augmentation.batched.affine import STEPS, RawFlow, RawFrames, erase, look_up, move, pictures
from opticflow.data.augmentation.batched.colour import Pairs, add_noise, jitter, tone
from opticflow.data.augmentation.batched.exposure import blur
from opticflow.data.augmentation.batched.numbers import on
from opticflow.data.augmentation.colour import Grain, Jitter, Tones
from opticflow.data.augmentation.exposure import Streaks
from opticflow.data.augmentation.presets import Variation
from opticflow.data.augmentation.steps import Change
from opticflow.shapes import Flow, Frames, Mask

__all__ = ["STEPS", "RawSamples", "vary"]


@dataclass(frozen=True)
class RawSamples:
    """Samples of one size before augmentation, on a device."""

    first: RawFrames
    second: RawFrames
    flow: RawFlow
    """Flow: float32 in pixels, or int16 in 1/32 pixels (`STEPS`)."""
    valid: Mask

    @classmethod
    def empty(cls, count: int, size: tuple[int, int], device: torch.device | str = "cpu") -> "RawSamples":
        """Return uninitialised storage for `count` samples of `size` (height, width), with flow as int16."""
        first, second = (torch.empty((count, *size, 3), dtype=torch.uint8, device=device) for _ in range(2))
        flow = torch.empty((count, *size, 2), dtype=torch.int16, device=device)
        return cls(first, second, flow, torch.empty((count, *size), dtype=torch.bool, device=device))

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all tensors; their first axis is the sample."""
        return self.first, self.second, self.flow, self.valid


@torch.no_grad()
def vary(raw: RawSamples, variations: Sequence[Variation]) -> tuple[Frames, Frames, Flow, Mask]:
    """Apply a variation to each sample of a batch.

    Args:
        raw: the samples.
        variations: one for each sample, all with the same crop; they may come from different augmentations.

    Returns:
        First and second frames in [0, 1], with the strides of channels-last; flow in pixels, zero where it is unknown;
        the mask where the flow is known.
    """
    crop = variations[0].crop
    firsts, seconds = [one.first for one in variations], [one.second for one in variations]
    # boxes are given in the old second frames, so they are filled before the frames are transformed
    erased = erase(pictures(raw.second), [one.boxes for one in variations])
    pairs = torch.stack((move(pictures(raw.first), firsts, crop), move(erased, seconds, crop)), 1)  # B x 2 x 3 x H x W
    flow, valid = look_up(raw.flow, raw.valid, firsts, seconds, crop)
    # samples may have changes of different kinds, so each kind is applied to its own part of the batch
    for place in range(max(len(one.changes) for one in variations)):
        due = [one.changes[place] if place < len(one.changes) else None for one in variations]
        for kind in dict.fromkeys(type(change) for change in due if change is not None):
            which = [number for number, change in enumerate(due) if isinstance(change, kind)]
            pairs = _changed(pairs, flow, which, [due[number] for number in which])
    pairs = pairs / 255  # grey levels to [0, 1]
    first, second = (frames.contiguous(memory_format=torch.channels_last) for frames in pairs.unbind(1))
    return first, second, flow, valid


def _changed(pairs: Pairs, flow: Flow, which: list[int], changes: Sequence[Change | None]) -> Pairs:
    """Apply changes of one kind to those pairs of a batch that have one."""
    if len(which) == len(pairs):
        return _change(pairs, flow, changes)
    index = on(pairs.device, which, np.int64)  # numbers of the samples that change
    return pairs.index_copy_(0, index, _change(pairs[index], flow[index], changes))


def _change(pairs: Pairs, flow: Flow, changes: Sequence) -> Pairs:
    match changes[0]:
        case Tones():
            return tone(pairs, changes)
        case Grain():
            return add_noise(pairs, changes)
        case Jitter():
            return jitter(pairs, changes)
        case Streaks():
            return blur(pairs, flow, changes)
    raise TypeError(f"there is no batched form of {type(changes[0]).__name__}")
