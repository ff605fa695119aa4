"""Numba kernels of the correlation lookup for the CPU."""

from jaxtyping import Float, Int
from torch import Tensor

from opticflow.kernels.lookup_torch import gather as gather  # with all products given, there is little to gain
from opticflow.kernels.numba_runtime import compiled, in_threads


@compiled
def _corner(centre, radius, size):
    """Return the first of the 2 r + 2 integer positions around a centre, and the fractional part of the centre."""
    centre = min(max(centre, -radius - 2.0), size + radius + 1.0)  # beyond this all values are zero
    whole = int(centre // 1)
    return whole - radius, centre - whole


@compiled
def _read(first, second, places, scale, corners, patches, found, begin, end):
    """Move `patches` to the present positions and interpolate. See `read`."""
    height, width, channels = second.shape[1:]
    side = patches.shape[1]  # 2 r + 2 integer places along an axis
    radius = side // 2 - 1
    window = side - 1  # values of the answer along an axis
    positions = first.shape[0] // second.shape[0]  # positions of one frame of the batch
    moved = patches[0].copy()  # side x side; a buffer, as the old patch is read while the new one is made
    for p in range(begin, end):
        left, right_share = _corner(places[p, 0] * scale, radius, width)
        top, lower_share = _corner(places[p, 1] * scale, radius, height)
        across, down = left - corners[p, 0], top - corners[p, 1]
        patch = patches[p]
        # the products at integer places change only when the window moves by whole pixels
        if across != 0 or down != 0:
            corners[p, 0], corners[p, 1] = left, top
            image = second[p // positions]
            for i in range(side):
                x, known_column = left + i, 0 <= i + across < side
                for j in range(side):
                    y = top + j
                    if known_column and 0 <= j + down < side:
                        moved[i, j] = patch[i + across, j + down]
                    elif 0 <= x < width and 0 <= y < height:
                        total = first[p, 0] * 0  # zero of the width of the data
                        for c in range(channels):
                            total += first[p, c] * image[y, x, c]
                        moved[i, j] = total
                    else:
                        moved[i, j] = 0
            for i in range(side):
                for j in range(side):
                    patch[i, j] = moved[i, j]
        left_share, upper_share = 1 - right_share, 1 - lower_share
        # all values of the window lie at the same fraction of a pixel, so they have the same bilinear weights
        for i in range(window):
            for j in range(window):
                # x is the slow axis of a patch: `i + 1` is the neighbour on the right, `j + 1` the one below
                upper = left_share * patch[i, j] + right_share * patch[i + 1, j]
                lower = left_share * patch[i, j + 1] + right_share * patch[i + 1, j + 1]
                found[p, i * window + j] = upper_share * upper + lower_share * lower


@compiled
def _spread(gradient, places, scale, products, begin, end):
    """Distribute the gradient of a lookup to the products. See `spread`."""
    height, width = products.shape[1:]
    window = round(gradient.shape[1] ** 0.5)
    radius = window // 2
    for p in range(begin, end):
        left, right_share = _corner(places[p, 0] * scale, radius, width)
        top, lower_share = _corner(places[p, 1] * scale, radius, height)
        for i in range(window + 1):
            x = left + i
            if not 0 <= x < width:
                continue
            for j in range(window + 1):
                y = top + j
                if not 0 <= y < height:
                    continue
                # only one thread writes the products of a position; it adds all its terms first and writes once
                total = products[p, y, x]
                for di in range(2):
                    for dj in range(2):
                        # the transpose of `_read`'s blend: the window's values (i - di, j - dj) read this product
                        k, m = i - di, j - dj
                        if 0 <= k < window and 0 <= m < window:
                            share = (right_share if di else 1 - right_share) * (lower_share if dj else 1 - lower_share)
                            total += share * gradient[p, k * window + m]
                products[p, y, x] = total


def read(
    first: Float[Tensor, "positions channels"],
    second: Float[Tensor, "batch height width channels"],
    places: Float[Tensor, "positions 2"],
    scale: float,
    corners: Int[Tensor, "positions 2"],
    patches: Float[Tensor, "positions side side"],
    found: Float[Tensor, "positions window"],
) -> None:
    """Fill `found`, a block of channels of the result, for one level.

    Args:
        first: features of the first frame; all tensors must be contiguous.
        second: features of the level.
        places: (x, y) in pixels of the finest level.
        scale: scale of the level: 1, 1/2, 1/4 ...
        corners: the first x and y of each patch; updated.
        patches: products at integer positions, x the slow axis; updated: only those at new positions are computed.
        found: the output.
    """
    arrays = [tensor.numpy() for tensor in (first, second, places)]
    kept = [tensor.numpy() for tensor in (corners, patches, found)]
    in_threads(len(first), lambda begin, end: _read(*arrays, scale, *kept, begin, end))


def spread(
    gradient: Float[Tensor, "positions window"],
    places: Float[Tensor, "positions 2"],
    scale: float,
    products: Float[Tensor, "positions height width"],
) -> None:
    """Add the gradient of one lookup to `products`, the gradient of all products of one level."""
    arrays = gradient.numpy(), places.numpy()
    target = products.numpy()
    in_threads(len(places), lambda begin, end: _spread(*arrays, scale, target, begin, end))
