"""Numba kernels of instance normalisation for the CPU, on channels-last frames."""

from jaxtyping import Float
from torch import Tensor

from opticflow.kernels.numba_runtime import compiled, in_threads

Images = Float[Tensor, "batch height width channels"]
OfImage = Float[Tensor, "batch channels"]
OfRow = Float[Tensor, "rows channels"]


@compiled
def _moments(images, shift, sums, squares, begin, end):
    height, width, channels = images.shape[1:]
    for r in range(begin, end):
        # each row of an image has sums of its own, so that no two threads write to the same place
        n, y = r // height, r % height
        for x in range(width):
            for c in range(channels):
                # without the shift the variance would be a small difference of large sums
                value = images[n, y, x, c] - shift[n, c]
                sums[r, c] += value
                squares[r, c] += value * value


@compiled
def _scale(images, mean, scale, answer, begin, end):
    height, width, channels = images.shape[1:]
    for r in range(begin, end):
        # rows are counted through the batch
        n, y = r // height, r % height
        for x in range(width):
            for c in range(channels):
                answer[n, y, x, c] = (images[n, y, x, c] - mean[n, c]) * scale[n, c]


@compiled
def _products(gradient, images, mean, sums, products, begin, end):
    height, width, channels = images.shape[1:]
    for r in range(begin, end):
        # as in `_moments`, each row has sums of its own
        n, y = r // height, r % height
        for x in range(width):
            for c in range(channels):
                value = gradient[n, y, x, c]
                sums[r, c] += value
                products[r, c] += value * (images[n, y, x, c] - mean[n, c])


@compiled
def _combine(gradient, images, scale, slope, offset, answer, begin, end):
    height, width, channels = images.shape[1:]
    for r in range(begin, end):
        n, y = r // height, r % height
        for x in range(width):
            for c in range(channels):
                # the gradient of a normalisation is linear in the incoming gradient and in the image
                answer[n, y, x, c] = (
                    scale[n, c] * gradient[n, y, x, c] - slope[n, c] * images[n, y, x, c] - offset[n, c]
                )


def _by_rows(kernel, *tensors: Tensor) -> None:
    images = tensors[0]
    arrays = [tensor.numpy() for tensor in tensors]
    in_threads(images.shape[0] * images.shape[1], lambda begin, end: kernel(*arrays, begin, end))


def moments(images: Images, shift: OfImage, sums: OfRow, squares: OfRow) -> None:
    """Add the values minus a shift, and their squares, to the sums of each row."""
    _by_rows(_moments, images, shift, sums, squares)


def scale(images: Images, mean: OfImage, factor: OfImage, answer: Images) -> None:
    """Fill `answer` with (images - mean) * factor."""
    _by_rows(_scale, images, mean, factor, answer)


def products(gradient: Images, images: Images, mean: OfImage, sums: OfRow, covariances: OfRow) -> None:
    """Add the gradient, and the gradient times (images - mean), to the sums of each row."""
    _by_rows(_products, gradient, images, mean, sums, covariances)


def combine(gradient: Images, images: Images, factor: OfImage, slope: OfImage, offset: OfImage, answer: Images) -> None:
    """Fill `answer` with factor * gradient - slope * images - offset."""
    _by_rows(_combine, gradient, images, factor, slope, offset, answer)
