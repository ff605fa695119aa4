"""The correlation lookup in plain PyTorch, for any device."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 1024
"""Number of positions processed at once, which limits the memory for copies of their neighbours' features."""

Places = Float[Tensor, "positions 2"]


def _corner(places: Places, scale: float, radius: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    # far outside all values are zero, so the positions are clamped there, which keeps the integers small
    axes = zip(places.unbind(1), reversed(size), strict=True)
    centres = torch.stack([(scale * along).clamp(-radius - 2.0, side + radius + 1.0) for along, side in axes], 1)
    whole = centres.floor()
    return whole.long() - radius, centres - whole  # both positions x 2, pixels of the level


def _around(corners: Tensor, side: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the index into the level of each integer position of a patch, x the slow axis, and whether it lies
    inside."""
    height, width = size
    steps = torch.arange(side, device=corners.device)
    x = (corners[:, 0, None] + steps)[:, :, None]  # positions x side x 1
    y = (corners[:, 1, None] + steps)[:, None, :]  # positions x 1 x side
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # outside, the index is that of a pixel of the border, so that it can be read; the mask removes it later
    return (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).flatten(1), inside.flatten(1)


def _blend(patch: Float[Tensor, "positions side side"], share: Places) -> Float[Tensor, "positions window"]:
    """Interpolate the values of a window from those at the integer positions around it."""
    columns = torch.lerp(patch[:, :-1], patch[:, 1:], share[:, 0, None, None])  # positions x (side - 1) x side
    return torch.lerp(columns[:, :, :-1], columns[:, :, 1:], share[:, 1, None, None]).flatten(1)


def gather(
    products: Float[Tensor, "positions height width"],
    places: Places,
    scale: float,
    found: Float[Tensor, "positions window"],
) -> None:
    """Fill `found`, a block of channels of the result, from the products of all pairs of one level.

    Args:
        products: products of each position with every pixel of the level.
        places: see `lookup_numba.read`.
        scale: see `lookup_numba.read`.
        found: the output.
    """
    height, width = products.shape[1:]
    side = round(found.shape[1] ** 0.5) + 1
    corner, share = _corner(places, scale, side // 2 - 1, (height, width))
    index, inside = _around(corner, side, (height, width))
    patch = products.flatten(1).gather(1, index) * inside  # positions x (side * side)
    found.copy_(_blend(patch.view(-1, side, side), share))


def read(
    first: Float[Tensor, "positions channels"],
    second: Float[Tensor, "batch height width channels"],
    places: Places,
    scale: float,
    corners: Int[Tensor, "positions 2"],
    patches: Float[Tensor, "positions side side"],
    found: Float[Tensor, "positions window"],
) -> None:
    """See `lookup_numba.read`; here every patch is computed again."""
    if places.is_meta:  # memory is being measured; it would count the chunks, which only this form has
        return
    batch, height, width, channels = second.shape
    side = patches.shape[1]
    flat = second.reshape(-1, channels)
    positions = len(first) // batch
    for begin in range(0, len(first), CHUNK):
        part = slice(begin, begin + CHUNK)
        corner, share = _corner(places[part], scale, side // 2 - 1, (height, width))
        index, inside = _around(corner, side, (height, width))
        image = torch.arange(begin, begin + len(index), device=index.device) // positions  # frame of each position
        neighbours = flat[index + image[:, None] * (height * width)]  # chunk x (side * side) x channels
        patch = ((neighbours @ first[part, :, None])[..., 0] * inside).view(-1, side, side)
        corners[part], patches[part] = corner.to(corners.dtype), patch
        found[part] = _blend(patch, share)


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
    patch = gradient.new_zeros(len(places), window + 1, window + 1)  # positions x side x side
    square = gradient.view(-1, window, window)
    # the transpose of `_blend`: each value gives its gradient to the four integer places that it was read from
    patch[:, :-1, :-1] += (1 - right) * (1 - lower) * square
    patch[:, 1:, :-1] += right * (1 - lower) * square
    patch[:, :-1, 1:] += (1 - right) * lower * square
    patch[:, 1:, 1:] += right * lower * square
    products.flatten(1).scatter_add_(1, index, patch.flatten(1) * inside)
