"""The inner loops of the on-demand correlation lookup in plain PyTorch: for any device, and where Numba is missing."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 1024
"""Positions that are compared at once: the neighbours' features, copied together, are what takes memory."""

Places = Float[Tensor, "positions 2"]


def _corner(places: Places, scale: float, radius: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    height, width = size
    low = torch.tensor([-radius - 2.0, -radius - 2.0], device=places.device, dtype=places.dtype)
    high = torch.tensor([width + radius + 1.0, height + radius + 1.0], device=places.device, dtype=places.dtype)
    centres = (places * scale).clamp(low, high)
    whole = centres.floor()
    return whole.long() - radius, centres - whole


def _around(corners: Tensor, side: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Index into the level of each integer place of a patch, x the slow axis, and whether it lies inside."""
    height, width = size
    steps = torch.arange(side, device=corners.device)
    x = (corners[:, 0, None] + steps)[:, :, None]
    y = (corners[:, 1, None] + steps)[:, None, :]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).flatten(1), inside.flatten(1)


def read(
    first: Float[Tensor, "positions channels"],
    second: Float[Tensor, "batch height width channels"],
    places: Places,
    scale: float,
    corners: Int[Tensor, "positions 2"],
    patches: Float[Tensor, "positions side side"],
    found: Float[Tensor, "positions window"],
) -> None:
    """See `lookup_numba.read`; here every patch is computed anew."""
    if places.is_meta:  # a search for what tensors take; here it would be the chunks
        return
    batch, height, width, channels = second.shape
    side = patches.shape[1]
    flat = second.reshape(-1, channels)
    positions = len(first) // batch
    for begin in range(0, len(first), CHUNK):
        part = slice(begin, begin + CHUNK)
        corner, share = _corner(places[part], scale, side // 2 - 1, (height, width))
        index, inside = _around(corner, side, (height, width))
        image = torch.arange(begin, begin + len(index), device=index.device) // positions
        neighbours = flat[index + image[:, None] * (height * width)]
        patch = ((neighbours @ first[part, :, None])[..., 0] * inside).view(-1, side, side)
        corners[part], patches[part] = corner.to(corners.dtype), patch
        right, lower = share[:, 0, None, None], share[:, 1, None, None]
        columns = (1 - right) * patch[:, :-1] + right * patch[:, 1:]
        found[part] = ((1 - lower) * columns[:, :, :-1] + lower * columns[:, :, 1:]).flatten(1)


def spread(
    gradient: Float[Tensor, "positions window"],
    places: Places,
    scale: float,
    products: Float[Tensor, "positions height width"],
) -> None:
    """See `lookup_numba.spread`."""
    window = round(gradient.shape[1] ** 0.5)
    height, width = products.shape[1:]
    corner, share = _corner(places, scale, window // 2, (height, width))
    index, inside = _around(corner, window + 1, (height, width))
    right, lower = share[:, 0, None, None], share[:, 1, None, None]
    patch = gradient.new_zeros(len(places), window + 1, window + 1)
    square = gradient.view(-1, window, window)
    patch[:, :-1, :-1] += (1 - right) * (1 - lower) * square
    patch[:, 1:, :-1] += right * (1 - lower) * square
    patch[:, :-1, 1:] += (1 - right) * lower * square
    patch[:, 1:, 1:] += right * lower * square
    products.flatten(1).scatter_add_(1, index, patch.flatten(1) * inside)
