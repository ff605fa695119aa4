"""Batched forms of `affine.transform` and of an `Eraser`'s boxes, on any device."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int16, Int64, UInt8
from torch import Tensor

from opticflow.data.augmentation.affine import ONE_MOTION, Matrix
from opticflow.data.augmentation.batched.numbers import on
from opticflow.data.augmentation.colour import Boxes
from opticflow.ops.grid import pixel_grid, sample
from opticflow.shapes import Frames, Mask

STEPS = 32
"""Steps per pixel of flow as int16: the range is +-1024 pixels, and the error is at most 1/64 pixel."""

Maps = Float32[Tensor, "batch 2 3"]
Coordinate = Float32[Tensor, "batch rows columns"]
RawFrames = UInt8[Tensor, "batch height width 3"]
RawFlow = Float32[Tensor, "batch height width 2"] | Int16[Tensor, "batch height width 2"]


def pictures(frames: RawFrames) -> Frames:
    """Convert frames from bytes to floats, B x 3 x H x W, in grey levels from 0 to 255."""
    return frames.permute(0, 3, 1, 2).float()


def erase(frames: Frames, boxes: Sequence[Boxes | None]) -> Frames:
    """Fill the boxes drawn for the second frames with the mean colour of each frame, in grey levels."""
    if not any(boxes):
        return frames
    most = max(len(one.boxes) for one in boxes if one)
    # 4 edges x B x boxes x 1 x 1, pixels
    edges = np.zeros((4, len(boxes), most, 1, 1), np.int64)  # a box of zeros holds no pixel
    for place, one in enumerate(boxes):
        for number, box in enumerate(one.boxes if one else ()):
            edges[:, place, number, 0, 0] = box
    top, left, bottom, right = on(frames.device, edges, np.int64)
    x, y = pixel_grid(*frames.shape[-2:], like=frames)
    inside = ((y >= top) & (y < bottom) & (x >= left) & (x < right)).any(1)  # B x H x W
    colour = frames.mean((2, 3), keepdim=True).floor()  # B x 3 x 1 x 1; whole levels, as on the CPU
    return torch.where(inside[:, None], colour, frames)


def move(frames: Frames, maps: Sequence[Matrix], size: tuple[int, int]) -> Float[Tensor, "batch 3 rows columns"]:
    """Resample frames by maps from new to old pixels; outside of a frame the nearest border pixel is used."""
    x, y = _mapped(on(frames.device, [matrix[:2] for matrix in maps]), size)  # B x rows x columns each
    return sample(frames, torch.stack((x, y), -1), outside="border")


def look_up(
    flow: RawFlow,
    valid: Mask,
    first: Sequence[Matrix],
    second: Sequence[Matrix],
    size: tuple[int, int],
) -> tuple[Float32[Tensor, "batch 2 rows columns"], Bool[Tensor, "batch rows columns"]]:
    """Compute the flow between the new frames, and the mask where it is known.

    This is the formula of `transform` in a form that does not subtract large coordinates from each other, since float32
    has only 7 digits: f'(x) = (B^-1 A - 1) x + B^-1 f(A x), with the translations in the first term.
    """
    height, width = valid.shape[1:]
    backs = [np.linalg.inv(matrix) for matrix in second]
    # 2 x 8 for each sample: A, then B^-1 A - 1, then the linear part of B^-1
    rows = [
        np.hstack((matrix, back @ matrix - np.eye(3), back[:, :2]))[:2]
        for matrix, back in zip(first, backs, strict=True)
    ]
    maps, change, turn = on(valid.device, rows).split((3, 3, 2), dim=2)  # B x 2 x 3, B x 2 x 3, B x 2 x 2

    px, py = _mapped(maps, size)
    near_x, near_y = (px + 0.5).floor(), (py + 0.5).floor()  # B x rows x columns each
    inside = (near_x >= 0) & (near_y >= 0) & (near_x < width) & (near_y < height)
    left, top = px.floor().clamp(0, width - 1), py.floor().clamp(0, height - 1)
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    nearest = _place(near_x.clamp(0, width - 1), near_y.clamp(0, height - 1), width, height)
    corners = [_place(x, y, width, height) for y in (top, bottom) for x in (left, right)]
    share_x, share_y = (px - left).clamp(0, 1), (py - top).clamp(0, 1)  # bilinear shares, B x rows x columns

    scale = 1 / STEPS if flow.dtype == torch.int16 else 1.0
    # unknown flow becomes NaN, for the comparisons below
    tables = [(part.float() * scale).masked_fill_(~valid, torch.nan).flatten() for part in flow.unbind(-1)]
    near, between = [], []  # for u and v each
    together = torch.ones_like(inside)
    for table in tables:
        own = table[nearest]
        at00, at01, at10, at11 = (table[corner] for corner in corners)
        highest = torch.maximum(torch.maximum(at00, at01), torch.maximum(at10, at11))
        lowest = torch.minimum(torch.minimum(at00, at01), torch.minimum(at10, at11))
        # comparisons with NaN are false, so with one unknown neighbour the nearest pixel is used
        together &= (highest - own <= ONE_MOTION) & (own - lowest <= ONE_MOTION)
        near.append(own)
        between.append(torch.lerp(torch.lerp(at00, at01, share_x), torch.lerp(at10, at11, share_x), share_y))
    u, v = (torch.where(together, *both) for both in zip(between, near, strict=True))

    # the first term of the formula: (B^-1 A - 1) x
    own_x, own_y = _mapped(change, size)
    turned = turn[..., None, None]  # B 2 2 1 1
    new_flow = torch.stack(
        (own_x + turned[:, 0, 0] * u + turned[:, 0, 1] * v, own_y + turned[:, 1, 0] * u + turned[:, 1, 1] * v), 1
    )
    new_valid = inside & ~near[0].isnan()
    return new_flow.masked_fill_(~new_valid[:, None], 0), new_valid


def _place(x: Coordinate, y: Coordinate, width: int, height: int) -> Int64[Tensor, "batch rows columns"]:
    """Return the indices of pixels (x, y) in a flattened batch x height x width map."""
    beginnings = torch.arange(len(x), device=x.device)[:, None, None] * (height * width)  # B x 1 x 1
    return y.long().mul_(width).add_(x.long()).add_(beginnings)


def _mapped(maps: Maps, size: tuple[int, int]) -> tuple[Coordinate, Coordinate]:
    """Apply maps to all pixels of a frame of `size` and return x and y. A matrix product is avoided, since GPUs may
    compute it with 10 bits of precision."""
    x, y = pixel_grid(*size, like=maps)
    across, down = maps[..., None, None].unbind(1)  # B 3 1 1
    return tuple(row[:, 0] * x + row[:, 1] * y + row[:, 2] for row in (across, down))  # type: ignore[return-value]
