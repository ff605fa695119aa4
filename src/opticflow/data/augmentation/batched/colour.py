"""Batched forms of the changes in `augmentation.colour`, on any device, without intermediate rounding to 8 bits."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from opticflow.data.augmentation.batched.numbers import on
from opticflow.data.augmentation.colour import Colouring, Grain, Jitter, Tones

Pairs = Float[Tensor, "batch 2 3 height width"]
"""Both frames of each sample, in grey levels from 0 to 255."""


def tone(pairs: Pairs, tones: Sequence[Tones]) -> Pairs:
    """Apply the changes that a `Toning` has drawn to pairs."""
    values = np.array([(one.first, one.second) for one in tones], np.float32)  # B 2 6
    numbers = on(pairs.device, values)[..., None, None]  # B x 2 x 6 x 1 x 1
    if (values[..., :3] != 1).any():
        changed = pairs * numbers[:, :, :3]
        # each pixel keeps the sum of its channels; one grey level is added against division by zero
        kept = pairs.sum(2, keepdim=True) / (changed.sum(2, keepdim=True) + 1)
        same = (numbers[:, :, :3] == 1).all(2, keepdim=True)  # frames without a change of colour
        pairs = torch.where(same, pairs, (changed * kept).clamp_(0, 255))
    gamma, brightness, contrast = numbers[:, :, 3:].split(1, dim=2)
    return ((pairs / 255) ** gamma).add_(brightness - 0.5).mul_(contrast).add_(0.5).clamp_(0, 1).mul_(255)


def add_noise(pairs: Pairs, grains: Sequence[Grain]) -> Pairs:
    """Add Gaussian noise to pairs; its values differ from those on the CPU, as each device has its own generator."""
    noise = pairs.new_empty(pairs.shape)
    generator = torch.Generator(pairs.device)
    for one, grain in zip(noise, grains, strict=True):
        generator.manual_seed(grain.seeds[0] << 31 | grain.seeds[1])  # two seeds of 31 bits in one
        one.normal_(0, grain.deviation, generator=generator)
    return noise.add_(pairs).clamp_(0, 255)


def jitter(pairs: Pairs, jitters: Sequence[Jitter]) -> Pairs:
    """Apply the changes that a `ColourJitter` has drawn to pairs.

    There are four rounds, and in each round every picture has its own change. Brightness, contrast and saturation share
    one formula, a x + b grey(x) + c mean grey; the hue is shifted only in the pictures that have this change in the
    round.
    """
    colourings = [(one.first, one.second or one.first) for one in jitters]
    shared = on(pairs.device, [one.second is None for one in jitters], np.bool_)[:, None, None, None]  # B x 1 x 1 x 1
    weights = pairs.new_tensor([0.299, 0.587, 0.114])
    for turn in range(4):
        rows = [[_linear(one, one.order[turn]) for one in both] for both in colourings]  # B 2 3
        own, of_grey, of_mean = on(pairs.device, rows)[..., None, None].unbind(2)  # B 2 1 1 each
        grey = pairs[:, :, 0] * weights[0] + pairs[:, :, 1] * weights[1] + pairs[:, :, 2] * weights[2]  # B x 2 x H x W
        mean = grey.mean((2, 3), keepdim=True)  # B x 2 x 1 x 1
        # frames that are changed as one picture share their mean grey
        mean = torch.where(shared, mean.mean(1, keepdim=True), mean)
        added = grey.mul_(of_grey).add_(of_mean * mean)[:, :, None]
        pairs = (pairs * own[:, :, None]).add_(added).clamp_(0, 255)
        turned = [one.turn if one.order[turn] == 3 else 0 for both in colourings for one in both]
        which = [number for number, by in enumerate(turned) if by]
        if which:
            single, index = pairs.view(-1, *pairs.shape[2:]), on(pairs.device, which, np.int64)
            share = on(pairs.device, [turned[number] / 256 for number in which])
            single[index] = turn_hue(single[index], share)
    return pairs


def _linear(drawn: Colouring, change: int) -> tuple[float, float, float]:
    # factors a, b and c of the formula in `jitter`
    match change:
        case 0:
            return drawn.brightness, 0, 0
        case 1:
            return drawn.contrast, 0, 1 - drawn.contrast
        case 2:
            return drawn.saturation, 1 - drawn.saturation, 0
    return 1, 0, 0


def turn_hue(
    pictures: Float[Tensor, "batch 3 height width"], share: Float[Tensor, "batch"]
) -> Float[Tensor, "batch 3 height width"]:
    """Shift the hue of pictures by a share of the full circle; saturation and value of HSV stay unchanged.

    Each channel is V - V S max(0, min(1, k, 4 - k)), k = (n + 6 hue) mod 6, with n = 5, 3 and 1 for red, green and
    blue.
    """
    red, green, blue = pictures.unbind(1)
    value, least = pictures.amax(1), pictures.amin(1)  # B x H x W each
    reach = value - least
    sixths = torch.where(  # B x H x W, hue in sixths of the circle
        value == red,
        green - blue,
        torch.where(value == green, blue - red + 2 * reach, red - green + 4 * reach),
    ) / reach.clamp(min=1e-6)
    sixths += 6 * share[:, None, None]
    channels = []
    for number in (5, 3, 1):
        place = (sixths + number).remainder_(6)
        channels.append(value - reach * torch.minimum(place, 4 - place).clamp_(0, 1))
    return torch.stack(channels, 1)
