"""Triton kernels of the correlation lookup for NVIDIA's GPUs. See `lookup_numba`.

One program, the threads of a block, handles one position of the first frame and all integer places of its window.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from jaxtyping import Float, Int
from torch import Tensor

CHANNELS = 32
"""Number of channels that are multiplied at once."""


def _kernel(function: Callable) -> Any:
    return triton.jit(inspect.unwrap(function))  # without the shape checks that tests put around functions


@_kernel
def _corner(centre, size, RADIUS: tl.constexpr):
    """Return the first of the 2 r + 2 integer positions around a centre, and the fractional part of the centre."""
    # beyond this all values are zero
    centre = tl.minimum(tl.maximum(centre, -RADIUS - 2.0), size + RADIUS + 1.0)
    whole = tl.floor(centre)
    return whole.to(tl.int32) - RADIUS, centre - whole


@_kernel
def _window(place, scale, height, width, RADIUS: tl.constexpr):
    """Return the corner of the window around a position (x, y), and the fractions beyond it along both axes."""
    left, right_share = _corner(tl.load(place) * scale, width, RADIUS)
    top, lower_share = _corner(tl.load(place + 1) * scale, height, RADIUS)
    return left, right_share, top, lower_share


@_kernel
def _read(
    first,
    second,
    places,
    corners,
    patches,
    found,
    scale,
    positions,
    height,
    width,
    channels,
    found_stride,
    RADIUS: tl.constexpr,
    PLACES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Move the patch of a position to its present place and interpolate. `PLACES`: a power of two, at least its
    size."""
    SIDE: tl.constexpr = 2 * RADIUS + 2  # integer places along an axis
    WINDOW: tl.constexpr = SIDE - 1  # values of the answer along an axis
    p = tl.program_id(0).to(tl.int64)
    left, right_share, top, lower_share = _window(places + 2 * p, scale, height, width, RADIUS)
    # the products at integer places change only when the window moves by whole pixels
    across = left - tl.load(corners + 2 * p)
    down = top - tl.load(corners + 2 * p + 1)
    patch_of_p = patches + p * (SIDE * SIDE)
    k = tl.arange(0, PLACES)
    if (across != 0) | (down != 0):
        i, j = k // SIDE, k % SIDE
        x, y = left + i, top + j
        # `known`: places that the old patch holds; `wanted`: places of the frame that have come into view
        known = (i + across >= 0) & (i + across < SIDE) & (j + down >= 0) & (j + down < SIDE) & (i < SIDE)
        wanted = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (i < SIDE) & (known == 0)
        patch = tl.load(patch_of_p + (i + across) * SIDE + j + down, mask=known, other=0)
        # where the features of each place begin
        pixels = second + ((p // positions) * height * width + y * width + x) * channels
        for begin in range(0, channels, CHANNELS):
            c = begin + tl.arange(0, CHANNELS)
            there = tl.load(first + p * channels + c, mask=c < channels, other=0)
            near = tl.load(pixels[:, None] + c[None, :], mask=wanted[:, None] & (c < channels)[None, :], other=0)
            patch += tl.sum(near * there[None, :], 1)
        tl.debug_barrier()  # all threads must read the old patch and corner before they are overwritten
        tl.store(patch_of_p + k, patch, mask=i < SIDE)
        tl.store(corners + 2 * p, left)
        tl.store(corners + 2 * p + 1, top)
        tl.debug_barrier()  # all threads must write the new patch before it is read
    # all values of the window lie at the same fraction of a pixel, so they have the same bilinear weights
    i, j = k // WINDOW, k % WINDOW
    corner, inside = patch_of_p + i * SIDE + j, i < WINDOW
    # x is the slow axis of a patch: `corner + SIDE` is the neighbour on the right, `corner + 1` the one below
    upper = (1 - right_share) * tl.load(corner, mask=inside, other=0)
    upper += right_share * tl.load(corner + SIDE, mask=inside, other=0)
    lower = (1 - right_share) * tl.load(corner + 1, mask=inside, other=0)
    lower += right_share * tl.load(corner + SIDE + 1, mask=inside, other=0)
    tl.store(found + p * found_stride + k, (1 - lower_share) * upper + lower_share * lower, mask=inside)


@_kernel
def _gather(
    products,
    places,
    found,
    scale,
    height,
    width,
    found_stride,
    RADIUS: tl.constexpr,
    PLACES: tl.constexpr,
):
    """Interpolate the products of a position at its place; neighbours are read again from the cache."""
    WINDOW: tl.constexpr = 2 * RADIUS + 1  # values along an axis
    p = tl.program_id(0).to(tl.int64)
    left, right_share, top, lower_share = _window(places + 2 * p, scale, height, width, RADIUS)
    k = tl.arange(0, PLACES)
    i, j = k // WINDOW, k % WINDOW
    total = tl.zeros([PLACES], found.dtype.element_ty)
    for di in tl.static_range(2):  # pyright: ignore[reportGeneralTypeIssues]
        for dj in tl.static_range(2):  # pyright: ignore[reportGeneralTypeIssues]
            x, y = left + i + di, top + j + dj
            # products outside the frame count as zero
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (i < WINDOW)
            share = (right_share if di == 1 else 1 - right_share) * (lower_share if dj == 1 else 1 - lower_share)
            total += share * tl.load(products + p * height * width + y * width + x, mask=inside, other=0)
    tl.store(found + p * found_stride + k, total, mask=i < WINDOW)


@_kernel
def _spread(
    gradient,
    places,
    products,
    scale,
    height,
    width,
    gradient_stride,
    RADIUS: tl.constexpr,
    PLACES: tl.constexpr,
):
    """Distribute the gradient of a lookup to the products of a position, each of which is written once."""
    SIDE: tl.constexpr = 2 * RADIUS + 2
    WINDOW: tl.constexpr = SIDE - 1
    p = tl.program_id(0).to(tl.int64)
    left, right_share, top, lower_share = _window(places + 2 * p, scale, height, width, RADIUS)
    k = tl.arange(0, PLACES)
    i, j = k // SIDE, k % SIDE
    x, y = left + i, top + j
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (i < SIDE)
    product = products + p * height * width + y * width + x
    total = tl.load(product, mask=inside, other=0)
    for di in tl.static_range(2):  # pyright: ignore[reportGeneralTypeIssues]
        for dj in tl.static_range(2):  # pyright: ignore[reportGeneralTypeIssues]
            # the transpose of `_gather`: the product at (i, j) was read by the window's values (i - di, j - dj)
            m, n = i - di, j - dj
            seen = inside & (m >= 0) & (m < WINDOW) & (n >= 0) & (n < WINDOW)
            share = (right_share if di == 1 else 1 - right_share) * (lower_share if dj == 1 else 1 - lower_share)
            total += share * tl.load(gradient + p * gradient_stride + m * WINDOW + n, mask=seen, other=0)
    tl.store(product, total, mask=inside)


def gather(
    products: Float[Tensor, "positions height width"],
    places: Float[Tensor, "positions 2"],
    scale: float,
    found: Float[Tensor, "positions window"],
) -> None:
    """See `lookup_torch.gather`."""
    window = round(found.shape[1] ** 0.5)  # 2 r + 1 values along an axis
    with torch.cuda.device_of(products):
        _gather[(len(places),)](
            products,
            places,
            found,
            scale,
            *products.shape[1:],
            found.stride(0),
            RADIUS=window // 2,
            # a block of Triton has a power of two of values; those beyond the window are masked
            PLACES=triton.next_power_of_2(window * window),
        )


def read(
    first: Float[Tensor, "positions channels"],
    second: Float[Tensor, "batch height width channels"],
    places: Float[Tensor, "positions 2"],
    scale: float,
    corners: Int[Tensor, "positions 2"],
    patches: Float[Tensor, "positions side side"],
    found: Float[Tensor, "positions window"],
) -> None:
    """See `lookup_numba.read`."""
    side = patches.shape[1]  # 2 r + 2 integer places along an axis
    with torch.cuda.device_of(first):
        _read[(len(first),)](
            first,
            second,
            places,
            corners,
            patches,
            found,
            scale,
            len(first) // len(second),
            *second.shape[1:],
            found.stride(0),
            RADIUS=side // 2 - 1,
            PLACES=triton.next_power_of_2(side * side),
            CHANNELS=CHANNELS,
        )


def spread(
    gradient: Float[Tensor, "positions window"],
    places: Float[Tensor, "positions 2"],
    scale: float,
    products: Float[Tensor, "positions height width"],
) -> None:
    """See `lookup_numba.spread`."""
    side = round(gradient.shape[1] ** 0.5) + 1  # 2 r + 2 integer places along an axis
    with torch.cuda.device_of(gradient):
        _spread[(len(places),)](
            gradient,
            places,
            products,
            scale,
            *products.shape[1:],
            gradient.stride(0),
            RADIUS=side // 2 - 1,
            PLACES=triton.next_power_of_2(side * side),
        )
