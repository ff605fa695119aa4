"""Batched form of the motion blur of `augmentation.exposure`, on any device."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.data.augmentation.batched.colour import Pairs
from opticflow.data.augmentation.batched.numbers import on
from opticflow.data.augmentation.exposure import CELL, Streaks
from opticflow.ops.grid import pixel_grid
from opticflow.ops.projection import project_forward
from opticflow.shapes import Flow, Frames

SAMPLES = 17
"""Largest number of samples averaged along the motion, as in `scenes.effects.motion_blur`."""


def blur(pairs: Pairs, flow: Flow, streaks: Sequence[Streaks]) -> Pairs:
    """Apply the motion blur that a `MotionBlur` has drawn to pairs; `flow` is zero where it is unknown."""
    shutters = on(flow.device, [one.shutter for one in streaks]).repeat_interleave(2)  # 2 B, one for each frame
    longest = on(flow.device, [one.longest for one in streaks]).repeat_interleave(2)
    motion = torch.stack((flow, project_forward(flow, cell=CELL)), 1).flatten(0, 1)  # 2 B x 2 x H x W, pixels
    motion = motion * shutters[:, None, None, None]
    most = max(one.longest for one in streaks)
    return _streaked(pairs.flatten(0, 1), motion, longest, most).unflatten(0, (-1, 2))


def _streaked(frames: Frames, motion: Flow, longest: Float[Tensor, "batch"], most: float) -> Frames:
    """Blur frames along their motion, as described in `scenes.effects.motion_blur`."""
    batch, _, height, width = frames.shape
    own = motion.square().sum(1).sqrt()  # B x H x W, pixels
    reach = torch.minimum(longest, own.amax((1, 2))).floor() // 2  # B, pixels to either side
    small = _fastest(motion[..., ::4, ::4], (reach // 4).clamp(min=1), max(1, int(most) // 8))  # B x 2 x H/4 x W/4
    wide = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    swept = torch.where((reach >= 2)[:, None, None, None], wide, motion)

    length = swept.square().sum(1).sqrt()  # B x H x W, pixels
    # streaks are cut to the longest permitted length
    cut = (longest[:, None, None] / length.clamp(min=1e-6)).clamp(max=1)
    u, v = (swept * cut[:, None]).unbind(1)
    length = length * cut
    count = (2 * (length.floor() // 2) + 3).clamp(max=SAMPLES)  # odd, so that the pixel itself is a sample
    x, y = pixel_grid(height, width, like=frames)
    beginnings = torch.arange(batch, device=frames.device)[:, None, None] * (height * width)
    table = torch.cat((frames, own[:, None]), 1).permute(0, 2, 3, 1).reshape(-1, 4)  # colours and speed of each pixel
    total = torch.zeros_like(table).view(batch, height, width, 4)  # sums of colours and of weights
    for number in range(SAMPLES):
        at = number / (count - 1) - 0.5  # B x H x W, from -1/2 to 1/2 of the streak
        column = (x + at * u + 0.5).clamp(0, width - 1).long()
        row = (y + at * v + 0.5).clamp(0, height - 1).long()
        seen = table[row.mul_(width).add_(column).add_(beginnings)]
        speed = torch.maximum(seen[..., 3], own)
        weight = ((2 * at.abs() * length <= speed + 1) & (number < count)).to(seen.dtype)
        seen[..., 3] = 1  # from here on this channel sums the weights
        total.addcmul_(seen, weight[..., None])
    colours, weights = total.permute(0, 3, 1, 2).split((3, 1), dim=1)
    return torch.where((length >= 0.5)[:, None], colours / weights.clamp(min=1), frames)


def _fastest(motion: Flow, radius: Float[Tensor, "batch"], largest: int) -> Flow:
    """Return the fastest motion within a square around each pixel. Each picture has its own radius, at most `largest`.
    The loop always has `largest` steps, since reading the radii from the device would make the CPU wait."""
    speed = motion.square().sum(1)  # B x H x W, squared
    # index of the fastest pixel so far
    place = torch.arange(speed[0].numel(), device=motion.device).expand(len(motion), -1)
    # a maximum over a square of radius n equals n successive maxima over 3 x 3
    for number in range(largest):
        found, where = F.max_pool2d(speed, 3, 1, 1, return_indices=True)
        grows = (number < radius)[:, None]
        place = torch.where(grows, place.gather(1, where.flatten(1)), place)
        speed = torch.where(grows[..., None], found, speed)
    return motion.flatten(2).gather(2, place[:, None].expand(-1, 2, -1)).view_as(motion)
