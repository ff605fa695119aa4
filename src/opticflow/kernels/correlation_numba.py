"""Numba kernels of FlowNetC's correlation layer for the CPU.

Features are (batch, height, width, channels); channels are the innermost loop. Four displacements are computed
together, so that each value of the first frame is read once for all four. Pixels that read the same pixels of the
second frame follow each other, so that these stay in the first-level cache.
"""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.numba_runtime import compiled, in_threads

# float32, as a Python number would turn float32 data into double precision
_0 = np.float32(0)


@compiled
def _within(x, width, reach, step, count):
    """Return the range of displacements along an axis that end inside the frame: the first, and one after the last."""
    return max(0, -((x - reach) // step)), min(count, (width - 1 - x + reach) // step + 1)


@compiled
def _compare(first, second, answer, reach, step, begin, end):
    """Fill rows of the result, counted through the batch. See `compare`."""
    height, width, channels = first.shape[1:]
    count = 2 * reach // step + 1  # displacements along an axis
    for row in range(begin, end):
        n, y = row // height, row % height
        top, bottom = _within(y, height, reach, step, count)
        for i in range(top, bottom):
            v = y + i * step - reach
            # pixels that are `step` apart look at the same pixels of the second frame, which then stay in the cache
            for start in range(step):
                for x in range(start, width, step):
                    j, last = _within(x, width, reach, step, count)
                    while j < last:
                        # `k` is the number of the displacement, (u, v) the pixel of the second frame
                        k, u = i * count + j, x + j * step - reach
                        # four sums share each value that is read of the first frame
                        if j + 4 <= last:
                            s0, s1, s2, s3 = _0, _0, _0, _0
                            for c in range(channels):
                                value = first[n, y, x, c]
                                s0 += value * second[n, v, u, c]
                                s1 += value * second[n, v, u + step, c]
                                s2 += value * second[n, v, u + 2 * step, c]
                                s3 += value * second[n, v, u + 3 * step, c]
                            answer[n, y, x, k], answer[n, y, x, k + 1] = s0, s1
                            answer[n, y, x, k + 2], answer[n, y, x, k + 3] = s2, s3
                            j += 4
                        else:
                            s0 = _0
                            for c in range(channels):
                                s0 += first[n, y, x, c] * second[n, v, u, c]
                            answer[n, y, x, k] = s0
                            j += 1


@compiled
def _weight(gradient, n, y, x, v, u, k, of_first):
    """Return the gradient of the product of pixel (x, y) of one frame and (u, v) of the other, for displacement number
    k."""
    return gradient[n, y, x, k] if of_first else gradient[n, v, u, k]


@compiled
def _collect(features, gradient, answer, reach, step, of_first, begin, end):
    """Add to rows of the result. See `collect`."""
    height, width, channels = features.shape[1:]
    count = 2 * reach // step + 1
    sign = 1 if of_first else -1  # seen from the second frame, displacements and borders are mirrored
    stride = sign * step
    for row in range(begin, end):
        n, y = row // height, row % height
        top, bottom = _within(y if of_first else height - 1 - y, height, reach, step, count)
        for i in range(top, bottom):
            v = y + sign * (i * step - reach)
            for start in range(step):
                for x in range(start, width, step):
                    j, last = _within(x if of_first else width - 1 - x, width, reach, step, count)
                    while j < last:
                        k, u = i * count + j, x + sign * (j * step - reach)
                        w0 = _weight(gradient, n, y, x, v, u, k, of_first)
                        if j + 4 <= last:
                            w1 = _weight(gradient, n, y, x, v, u + stride, k + 1, of_first)
                            w2 = _weight(gradient, n, y, x, v, u + 2 * stride, k + 2, of_first)
                            w3 = _weight(gradient, n, y, x, v, u + 3 * stride, k + 3, of_first)
                            for c in range(channels):
                                near = w0 * features[n, v, u, c] + w1 * features[n, v, u + stride, c]
                                far = w2 * features[n, v, u + 2 * stride, c] + w3 * features[n, v, u + 3 * stride, c]
                                answer[n, y, x, c] += near + far
                            j += 4
                        else:
                            for c in range(channels):
                                answer[n, y, x, c] += w0 * features[n, v, u, c]
                            j += 1


Image = Float[Tensor, "batch height width channels"]
Displaced = Float[Tensor, "batch height width displacements"]


def compare(first: Image, second: Image, answer: Displaced, *, reach: int, step: int) -> None:
    """Write the products of `first` at x and `second` at x + d to `answer`, for all displacements d that end inside the
    frame. Values for other displacements stay as they are.

    Args:
        first: features of the first frame; all tensors must be contiguous.
        second: features of the second frame.
        answer: the output.
        reach: see `correlation`, also for the order of the displacements.
        step: see `correlation`.
    """
    arrays = first.numpy(), second.numpy(), answer.numpy()
    in_threads(len(first) * first.shape[1], lambda begin, end: _compare(*arrays, reach, step, begin, end))


def collect(features: Image, gradient: Displaced, answer: Image, *, reach: int, step: int, of_first: bool) -> None:
    """Add to `answer` the gradient of the features of one frame.

    Args:
        features: features of the other frame.
        gradient: gradient of the products.
        answer: the output, to which the gradient is added.
        reach: see `correlation`.
        step: see `correlation`.
        of_first: whether `answer` is the gradient of the first frame's features, rather than the second's.
    """
    arrays = features.numpy(), gradient.numpy(), answer.numpy()
    in_threads(len(answer) * answer.shape[1], lambda begin, end: _collect(*arrays, reach, step, of_first, begin, end))
