"""Fractal noise, and the blur that band-limits the pictures.

All pictures are band-limited with `SOFTNESS`, similar to the blur of a lens, so that they can be resampled at sub-pixel
positions without aliasing.
"""

import cv2
import numpy as np
from jaxtyping import Float32

from opticflow.shapes import Frame

SOFTNESS = 0.7
"""Standard deviation, in pixels, of the Gaussian blur that band-limits each picture. After this blur, the error of
linear interpolation at a step of 200 grey levels is at most 200 * 0.242 / SOFTNESS^2 / 8 = 12.3 levels."""

Field = Float32[np.ndarray, "height width"]


def soften(canvas: Frame, sigma: float = SOFTNESS) -> Frame:
    """Band-limit a picture with a Gaussian blur, so that it can be resampled without aliasing."""
    return cv2.GaussianBlur(canvas, (0, 0), sigma)


def fractal(
    rng: np.random.Generator, height: int, width: int, *, coarsest: float, persistence: float, stretch: float = 1.0
) -> Field:
    """Draw fractal noise of several octaves, with mean 0 and standard deviation 1.

    Args:
        coarsest: size in pixels of the largest structures; rounded to a power of 2.
        persistence: amplitude of each octave relative to the next coarser one; 0.5 looks smooth, 1 looks like sand.
        stretch: ratio of width to height of the structures.
    """
    octaves = max(1, round(np.log2(max(coarsest, 2))))
    step = 2**octaves
    rows, columns = -(-height // step) + 2, -(-int(width / stretch) // step) + 2  # of the coarsest octave
    field = rng.standard_normal((rows, columns), dtype=np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        size = (2 * field.shape[1] - 2, 2 * field.shape[0] - 2)
        field = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
        amplitude *= persistence
        if amplitude > 0.01:
            # 3.4 (u - 1/2) has a standard deviation of about 1
            field += amplitude * 3.4 * (rng.random(field.shape, dtype=np.float32) - 0.5)
    field = field[: height + 2, : int(width / stretch) + 2]
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    mean, deviation = cv2.meanStdDev(field)
    return (field - np.float32(mean[0, 0])) / np.float32(max(deviation[0, 0], 1e-6))
