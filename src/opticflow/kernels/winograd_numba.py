"""Numba kernels of the 3 x 3 Winograd convolution, for the CPU. See `winograd`.

Frames are (batch, height, width, channels). A tile is 4 x 4 pixels of the result, which depend on 6 x 6 pixels of the
input. Tiles are numbered along rows, then down, then through the batch. Channels are the innermost loop: one
instruction handles eight of them.
"""

import threading
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.dispatch import channels_last
from opticflow.kernels.numba_runtime import compiled, in_threads
from opticflow.kernels.winograd_points import TILE

PATCH = TILE + 2
_of_thread = threading.local()
CHUNK = 4608
"""Number of values of a channel that a thread processes at once."""
_BLOCK = 64
"""Number of channels whose intermediate values fit into the first-level cache."""
# float32, as Python numbers would turn float32 data into double precision
_2, _4, _5, _8 = (np.float32(number) for number in (2, 4, 5, 8))


@compiled
def _to_points(d0, d1, d2, d3, d4, d5):
    """Transform six input values to the points 0, 1, -1, 2, -2 and infinity."""
    # B^T of Lavin and Gray, section 4: two opposite points share their even and their odd terms
    even, odd = d4 - _4 * d2, d3 - _4 * d1
    half_even, half_odd = d4 - d2, _2 * (d3 - d1)
    first, last = _4 * d0 - _5 * d2 + d4, _4 * d1 - _5 * d3 + d5
    return first, even + odd, even - odd, half_even + half_odd, half_even - half_odd, last


@compiled
def _to_points_adjoint(m0, m1, m2, m3, m4, m5):
    # multiplication by B, the transpose of the matrix in `_to_points`
    sum_one, gap_one, sum_two, gap_two = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    third = -_5 * m0 - _4 * sum_one - sum_two
    fourth = gap_one + _2 * gap_two - _5 * m5
    return _4 * m0, -_4 * gap_one - _2 * gap_two + _4 * m5, third, fourth, m0 + sum_one + sum_two, m5


@compiled
def _from_points(m0, m1, m2, m3, m4, m5):
    """Transform products at the points to four values of the result."""
    # A^T of Lavin and Gray, section 4
    sum_one, gap_one, sum_two, gap_two = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return m0 + sum_one + sum_two, gap_one + _2 * gap_two, sum_one + _4 * sum_two, gap_one + _8 * gap_two + m5


@compiled
def _from_points_adjoint(d0, d1, d2, d3):
    # multiplication by A, the transpose of the matrix in `_from_points`
    even, odd = d0 + d2, d1 + d3
    far_even, far_odd = d0 + _4 * d2, _2 * d1 + _8 * d3
    return d0, even + odd, even - odd, far_even + far_odd, far_even - far_odd, d3


@compiled
def _six(between, k, i):
    """Return row k of one channel's intermediate values."""
    return between[k, 0, i], between[k, 1, i], between[k, 2, i], between[k, 3, i], between[k, 4, i], between[k, 5, i]


@compiled
def _column(points, j, t, c):
    """Return column j of the 6 x 6 points of one tile and channel."""
    return (
        points[j, t, c],
        points[6 + j, t, c],
        points[12 + j, t, c],
        points[18 + j, t, c],
        points[24 + j, t, c],
        points[30 + j, t, c],
    )


@compiled
def _keep_column(between, j, i, found):
    between[0, j, i], between[1, j, i], between[2, j, i] = found[0], found[1], found[2]
    between[3, j, i], between[4, j, i], between[5, j, i] = found[3], found[4], found[5]


@compiled
def _fill_row(points, k, t, c, found):
    """Write row k of the 6 x 6 points of one tile and channel."""
    first = PATCH * k
    points[first, t, c], points[first + 1, t, c] = found[0], found[1]
    points[first + 2, t, c], points[first + 3, t, c] = found[2], found[3]
    points[first + 4, t, c], points[first + 5, t, c] = found[4], found[5]


@compiled
def _place(tile, rows, columns):
    # number of the frame in the batch, and row and column of the tile's first pixel
    within = tile % (rows * columns)
    return tile // (rows * columns), within // columns * TILE, within % columns * TILE


@compiled
def _transform_patch(frames, n, top, left, low, size, between, values, t, first_channel):
    """Transform the channels from `low` of one patch inside the frames, and write them from `first_channel` on."""
    # the transform of a patch d is B^T d B: first down the columns, then along the rows
    for j in range(PATCH):
        x = left + j
        for i in range(size):
            c = low + i
            found = _to_points(
                frames[n, top, x, c],
                frames[n, top + 1, x, c],
                frames[n, top + 2, x, c],
                frames[n, top + 3, x, c],
                frames[n, top + 4, x, c],
                frames[n, top + 5, x, c],
            )
            _keep_column(between, j, i, found)
    for k in range(PATCH):
        for i in range(size):
            c = first_channel + i
            _fill_row(values, k, t, c, _to_points(*_six(between, k, i)))


@compiled
def _transform_input(frames, values, rows, columns, start, begin, end):
    height, width, channels = frames.shape[1:]
    between = np.empty((PATCH, PATCH, _BLOCK), frames.dtype)  # 6 points down x 6 columns of pixels x channels
    patch = np.empty((1, PATCH, PATCH, _BLOCK), frames.dtype)  # 1 x 6 x 6 x channels, for patches that cross the border
    for t in range(begin, end):
        n, top, left = _place(start + t, rows, columns)
        # the convolution has a padding of one pixel, so a patch begins one pixel above and left of its tile
        top, left = top - 1, left - 1
        # patches within the frame are read in place; only those at the border are copied, with zeros outside
        inside = top >= 0 and left >= 0 and top + PATCH <= height and left + PATCH <= width
        for low in range(0, channels, _BLOCK):
            size = min(_BLOCK, channels - low)
            if inside:
                _transform_patch(frames, n, top, left, low, size, between, values, t, low)
                continue
            for j in range(PATCH):
                y = top + j
                for k in range(PATCH):
                    x = left + k
                    if 0 <= y < height and 0 <= x < width:
                        for i in range(size):
                            patch[0, j, k, i] = frames[n, y, x, low + i]
                    else:
                        for i in range(size):
                            patch[0, j, k, i] = 0
            _transform_patch(patch, 0, 0, 0, 0, size, between, values, t, low)


@compiled
def _transform_input_adjoint(values, frames, rows, columns, begin, end):
    """Compute the adjoint for the channels from `begin` to `end`: tiles overlap, so they cannot be divided among
    threads."""
    height, width = frames.shape[1:3]
    between = np.empty((PATCH, PATCH, _BLOCK), frames.dtype)  # 6 rows of pixels x 6 points across x channels
    for low in range(begin, end, _BLOCK):
        size = min(_BLOCK, end - low)
        for t in range(values.shape[1]):
            n, top, left = _place(t, rows, columns)
            top, left = top - 1, left - 1
            # rows are checked one by one below, so only the columns decide whether all six values can be added
            inside = left >= 0 and left + PATCH <= width
            for j in range(PATCH):
                for i in range(size):
                    c = low + i
                    _keep_column(between, j, i, _to_points_adjoint(*_column(values, j, t, c)))
            for k in range(PATCH):
                y = top + k
                if not 0 <= y < height:
                    continue
                for i in range(size):
                    c = low + i
                    found = _to_points_adjoint(*_six(between, k, i))
                    if inside:
                        frames[n, y, left, c] += found[0]
                        frames[n, y, left + 1, c] += found[1]
                        frames[n, y, left + 2, c] += found[2]
                        frames[n, y, left + 3, c] += found[3]
                        frames[n, y, left + 4, c] += found[4]
                        frames[n, y, left + 5, c] += found[5]
                    else:
                        for j in range(PATCH):
                            if 0 <= left + j < width:
                                frames[n, y, left + j, c] += found[j]


@compiled
def write_value(frames, n, y, x, c, value, bias, residual, floor):
    """Write a value of the result with its epilogue, while its pixel is in the cache."""
    value += bias[c]
    if residual is not None:
        value += residual[n, y, x, c]
    # the floor is 0 with a ReLU, else minus infinity
    frames[n, y, x, c] = floor if value < floor else value


@compiled
def _transform_output(products, frames, bias, residual, floor, rows, columns, start, begin, end):
    height, width, channels = frames.shape[1:]
    between = np.empty((TILE, PATCH, _BLOCK), frames.dtype)  # 4 rows of pixels x 6 points across x channels
    for t in range(begin, end):
        n, top, left = _place(start + t, rows, columns)
        for low in range(0, channels, _BLOCK):
            size = min(_BLOCK, channels - low)
            for j in range(PATCH):
                for i in range(size):
                    c = low + i
                    found = _from_points(*_column(products, j, t, c))
                    between[0, j, i], between[1, j, i] = found[0], found[1]
                    between[2, j, i], between[3, j, i] = found[2], found[3]
            # the last tiles may cross the border; their values outside are dropped
            for k in range(min(TILE, height - top)):
                y = top + k
                inside = width - left  # columns from the tile's first one to the border
                for i in range(size):
                    c = low + i
                    found = _from_points(*_six(between, k, i))
                    write_value(frames, n, y, left, c, found[0], bias, residual, floor)
                    if inside > 1:
                        write_value(frames, n, y, left + 1, c, found[1], bias, residual, floor)
                    if inside > 2:
                        write_value(frames, n, y, left + 2, c, found[2], bias, residual, floor)
                    if inside > 3:
                        write_value(frames, n, y, left + 3, c, found[3], bias, residual, floor)


@compiled
def _transform_output_adjoint(frames, products, rows, columns, begin, end):
    """Transform `frames`, which are padded to whole tiles."""
    channels = frames.shape[3]
    between = np.empty((PATCH, TILE, _BLOCK), frames.dtype)  # 6 points down x 4 columns of pixels x channels
    for t in range(begin, end):
        n, top, left = _place(t, rows, columns)
        for low in range(0, channels, _BLOCK):
            size = min(_BLOCK, channels - low)
            for j in range(TILE):
                x = left + j
                for i in range(size):
                    c = low + i
                    found = _from_points_adjoint(
                        frames[n, top, x, c],
                        frames[n, top + 1, x, c],
                        frames[n, top + 2, x, c],
                        frames[n, top + 3, x, c],
                    )
                    _keep_column(between, j, i, found)
            for k in range(PATCH):
                for i in range(size):
                    c = low + i
                    found = _from_points_adjoint(between[k, 0, i], between[k, 1, i], between[k, 2, i], between[k, 3, i])
                    _fill_row(products, k, t, c, found)


Images = Float[Tensor, "batch height width channels"]
Points = Float[Tensor, "36 tiles channels"]
Grid = tuple[int, int]
"""Rows and columns of tiles."""


def by_chunks(
    tiles: int,
    kernel: Float[Tensor, "points inputs outputs"],
    fill: Callable[[np.ndarray, int, int, int], None],
    write: Callable[[np.ndarray, int, int], None],
    kept: Float[Tensor, "points tiles inputs"] | None = None,
) -> None:
    """Let each thread process a number of tiles through all steps, so that intermediate values stay in its cache.

    Args:
        tiles: number of tiles.
        kernel: the weights at the points.
        fill: `fill(values, shift, begin, end)` fills values[:, begin:end] with the transformed input of the tiles from
            number `shift + begin` on.
        write: `write(products, start, count)` writes the result of `count` tiles from number `start` on, from
            products[:, :count].
        kept: receives the values of all tiles, if given.
    """
    points, inputs, outputs = kernel.shape
    kernel = kernel.detach()  # whether gradients are recorded is a setting of each thread

    def part(begin: int, end: int) -> None:
        chunk = max(1, min(CHUNK // points, end - begin))
        room = _workspace(points * chunk * (inputs + outputs), kernel.dtype)
        # both are points x tiles x channels; the backward pass needs the values of all tiles, which `kept` receives
        products = room[: points * chunk * outputs].view(points, chunk, outputs)
        values = room[products.numel() :].view(points, chunk, inputs) if kept is None else kept
        for start in range(begin, end, chunk):
            count = min(chunk, end - start)
            first = 0 if kept is None else start
            fill(values.numpy(), start - first, first, first + count)
            # one matrix product for each point: tiles x inputs times inputs x outputs
            torch.bmm(values[:, first : first + count], kernel, out=products[:, :count])
            write(products.numpy(), start, count)

    in_threads(tiles, part, calls_torch=True)


def _workspace(size: int, kind: torch.dtype) -> Tensor:
    """Return a buffer of this thread, kept between calls: allocating new pages takes as long as the transforms."""
    kept = getattr(_of_thread, "workspace", None)
    if kept is None or len(kept) < size or kept.dtype != kind:
        with torch.inference_mode(False):  # a tensor made in that mode cannot be written to outside of it
            kept = _of_thread.workspace = torch.empty(size, dtype=kind)
    return kept[:size]


Finish = tuple[np.ndarray, np.ndarray | None, np.floating]
"""The epilogue of the convolution: the bias of each channel, the residual (batch x height x width x channels) or None,
and the lower bound of the values (0 with a ReLU, otherwise minus infinity)."""


def finishing(
    answer: Float[Tensor, "batch height width outputs"],
    bias: Float[Tensor, " outputs"] | None,
    residual: Float[Tensor, "batch outputs height width"] | None,
    relu: bool,
) -> Finish:
    """Return bias, residual and ReLU in the form that the kernels take; a missing bias becomes zeros."""
    array = answer.numpy()
    floor = array.dtype.type(0 if relu else -np.inf)
    of_channels = np.zeros(array.shape[-1], array.dtype) if bias is None else bias.numpy()
    return of_channels, None if residual is None else channels_last(residual).numpy(), floor


def convolve(
    frames: Float[Tensor, "batch height width inputs"],
    kernel: Float[Tensor, "36 inputs outputs"],
    answer: Float[Tensor, "batch height width outputs"],
    grid: Grid,
    finish: Finish,
    kept: Float[Tensor, "36 tiles inputs"] | None = None,
) -> None:
    """Fill `answer` with the convolution of the frames.

    Args:
        frames: the input.
        kernel: the result of `winograd_kernel`.
        answer: the output.
        grid: rows and columns of tiles.
        finish: the result of `finishing`.
        kept: filled with the values of all tiles at the points, if given.
    """
    read, written = frames.numpy(), answer.numpy()
    by_chunks(
        len(frames) * grid[0] * grid[1],
        kernel,
        lambda values, shift, begin, end: _transform_input(read, values, *grid, shift, begin, end),
        lambda products, start, count: _transform_output(products, written, *finish, *grid, start, 0, count),
        kept,
    )


def transform_input_adjoint(values: Points, frames: Images, grid: Grid) -> None:
    """Add the gradient of the input to `frames`, from that of its values at the points."""
    arrays = values.numpy(), frames.numpy()
    in_threads(frames.shape[3], lambda begin, end: _transform_input_adjoint(*arrays, *grid, begin, end))


def transform_output_adjoint(frames: Images, products: Points, grid: Grid) -> None:
    """Fill `products` with the gradient of the products, from that of the result, which is padded to whole tiles."""
    arrays = frames.numpy(), products.numpy()
    in_threads(products.shape[1], lambda begin, end: _transform_output_adjoint(*arrays, *grid, begin, end))
