"""Random colours and palettes, and the colouring of scalar fields with them."""

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.scenes.noise import Field
from opticflow.shapes import Frame


def colour(rng: np.random.Generator) -> np.ndarray:
    """Draw an RGB colour in [0, 255]: mostly muted, and mostly a hue of earth, plants or sky."""
    hue = rng.normal((0.6, 1.9, 3.5)[rng.choice(3, p=[0.55, 0.25, 0.2])], 0.4)  # in sixths of the hue circle
    if rng.random() < 0.2:
        hue = rng.uniform(0, 6)
    saturation, value = rng.beta(1.1, 2.6), rng.uniform(0.06, 1.0)
    # from HSV to RGB
    channel = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return 255 * value * (1 - saturation * (1 - channel))


def palette_around(rng: np.random.Generator, contrast: float) -> UInt8[np.ndarray, "256 3"]:
    """Draw a palette of colours around a random one; a larger `contrast` in [0, 1] spreads them farther from it."""
    base = colour(rng)
    stops = np.stack([base + contrast * (colour(rng) - base) for _ in range(int(rng.integers(2, 5)))])  # N x 3
    # sorted by brightness, so that a larger value of a field is a brighter colour
    stops = stops[np.argsort(stops.sum(axis=1))]
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=-1).astype(np.uint8)


def paint(field: Field, palette: UInt8[np.ndarray, "256 3"]) -> Frame:
    """Colour a field of mean 0 and standard deviation 1 with a palette that covers the values from -2.5 to 2.5."""
    index = cv2.convertScaleAbs(np.clip(field * 51 + 127.5, 0, 255))  # H x W; 51 levels per standard deviation
    return cv2.LUT(cv2.merge([index, index, index]), palette[None])
