"""Numba kernels of the Winograd convolution along one axis, for the CPU. See `winograd`.

As `winograd_numba`, but a tile is 4 pixels of the result in a row or a column, which depend on 8 pixels of the input.
"""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.numba_runtime import compiled
from opticflow.kernels.winograd_numba import Finish, by_chunks, write_value
from opticflow.kernels.winograd_points import TILE

PATCH = TILE + 4
_BLOCK = 64
"""Number of channels of a patch at the border that are copied at once."""
# float32, as Python numbers would turn float32 data into double precision
_eighth, _quarter, _half, _2, _4, _8 = (np.float32(2.0**power) for power in (-3, -2, -1, 1, 2, 3))
_five_quarters, _five_halves, _17_quarters, _21_quarters = (np.float32(number) for number in (1.25, 2.5, 4.25, 5.25))


@compiled
def _to_points(d0, d1, d2, d3, d4, d5, d6, d7):
    """Transform eight input values to the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity."""
    # two opposite points share their even and their odd terms, as in `winograd_numba`
    even_one, odd_one = d2 - _17_quarters * d4 + d6, d1 - _17_quarters * d3 + d5
    even_two, odd_two = _quarter * d2 - _five_quarters * d4 + d6, _half * d1 - _five_halves * d3 + _2 * d5
    even_half, odd_half = _4 * (d2 - _five_quarters * d4) + d6, _2 * d1 - _five_halves * d3 + _half * d5
    return (
        d0 - d6 + _21_quarters * (d4 - d2),
        even_one + odd_one,
        even_one - odd_one,
        even_two + odd_two,
        even_two - odd_two,
        even_half + odd_half,
        even_half - odd_half,
        d7 - d1 + _21_quarters * (d3 - d5),
    )


@compiled
def _from_points(m0, m1, m2, m3, m4, m5, m6, m7):
    """Transform products at the points to four values of the result."""
    sum_one, gap_one, sum_two, gap_two, sum_half, gap_half = m1 + m2, m1 - m2, m3 + m4, m3 - m4, m5 + m6, m5 - m6
    return (
        m0 + sum_one + sum_two + sum_half,
        gap_one + _2 * gap_two + _half * gap_half,
        sum_one + _4 * sum_two + _quarter * sum_half,
        gap_one + _8 * gap_two + _eighth * gap_half + m7,
    )


@compiled
def _place(tile, rows, columns, down):
    """Return batch, row and column where a tile begins; `down` is 1 for tiles along columns, 0 for those along rows."""
    within = tile % (rows * columns)
    y, x = within // columns, within % columns
    return tile // (rows * columns), (y * TILE if down else y), (x if down else x * TILE)


@compiled
def _transform_line(frames, n, y, x, down, low, size, values, t, first_channel):
    """Transform the channels from `low` of one patch inside the frames, and write them from `first_channel` on."""
    along = 1 - down  # step in x; `down` is the step in y
    for i in range(size):
        c = low + i
        found = _to_points(
            frames[n, y, x, c],
            frames[n, y + down, x + along, c],
            frames[n, y + 2 * down, x + 2 * along, c],
            frames[n, y + 3 * down, x + 3 * along, c],
            frames[n, y + 4 * down, x + 4 * along, c],
            frames[n, y + 5 * down, x + 5 * along, c],
            frames[n, y + 6 * down, x + 6 * along, c],
            frames[n, y + 7 * down, x + 7 * along, c],
        )
        o = first_channel + i
        values[0, t, o], values[1, t, o], values[2, t, o], values[3, t, o] = found[0], found[1], found[2], found[3]
        values[4, t, o], values[5, t, o], values[6, t, o], values[7, t, o] = found[4], found[5], found[6], found[7]


@compiled
def _transform_input(frames, values, rows, columns, down, shift, begin, end):
    height, width, channels = frames.shape[1:]
    patch = np.empty((1, 1, PATCH, _BLOCK), frames.dtype)  # 1 x 1 x 8 pixels x channels
    for t in range(begin, end):
        n, y, x = _place(shift + t, rows, columns, down)
        # the convolution has a padding of two pixels, so a patch begins two pixels before its tile
        start, length = (y - 2, height) if down else (x - 2, width)
        # patches within the frame are read in place; only those at the border are copied, with zeros outside
        if start >= 0 and start + PATCH <= length:
            _transform_line(frames, n, y - 2 * down, x - 2 * (1 - down), down, 0, channels, values, t, 0)
            continue
        for low in range(0, channels, _BLOCK):
            size = min(_BLOCK, channels - low)
            for k in range(PATCH):
                there = start + k
                if 0 <= there < length:
                    for i in range(size):
                        patch[0, 0, k, i] = frames[n, there, x, low + i] if down else frames[n, y, there, low + i]
                else:
                    for i in range(size):
                        patch[0, 0, k, i] = 0
            _transform_line(patch, 0, 0, 0, 0, 0, size, values, t, low)


@compiled
def _transform_output(products, frames, bias, residual, floor, rows, columns, down, start, count):
    height, width, channels = frames.shape[1:]
    along = 1 - down  # step in x; `down` is the step in y
    for t in range(count):
        n, y, x = _place(start + t, rows, columns, down)
        inside = height - y if down else width - x  # pixels from the tile's first one to the border
        for c in range(channels):
            found = _from_points(
                products[0, t, c],
                products[1, t, c],
                products[2, t, c],
                products[3, t, c],
                products[4, t, c],
                products[5, t, c],
                products[6, t, c],
                products[7, t, c],
            )
            write_value(frames, n, y, x, c, found[0], bias, residual, floor)
            if inside > 1:
                write_value(frames, n, y + down, x + along, c, found[1], bias, residual, floor)
            if inside > 2:
                write_value(frames, n, y + 2 * down, x + 2 * along, c, found[2], bias, residual, floor)
            if inside > 3:
                write_value(frames, n, y + 3 * down, x + 3 * along, c, found[3], bias, residual, floor)


def convolve(
    frames: Float[Tensor, "batch height width inputs"],
    kernel: Float[Tensor, "8 inputs outputs"],
    answer: Float[Tensor, "batch height width outputs"],
    finish: Finish,
    *,
    down: bool,
) -> None:
    """Fill `answer` with the convolution of the frames along their columns (`down`) or rows.

    Args:
        frames: the input.
        kernel: the result of `winograd_kernel`.
        answer: the output.
        finish: the result of `finishing`.
        down: whether the kernel runs along columns.
    """
    batch, height, width, _ = frames.shape
    # rows and columns of tiles, rounded up: the last tiles may cross the border
    grid = (-(-height // TILE), width, 1) if down else (height, -(-width // TILE), 0)
    read, written = frames.numpy(), answer.numpy()
    by_chunks(
        batch * grid[0] * grid[1],
        kernel,
        lambda values, shift, begin, end: _transform_input(read, values, *grid, shift, begin, end),
        lambda products, start, count: _transform_output(products, written, *finish, *grid, start, count),
    )
