"""Random closed outlines: polygons, blobs and stars."""

import numpy as np
from jaxtyping import Float32


def outline(rng: np.random.Generator, kind: str, count: int = 64) -> Float32[np.ndarray, "corners 2"]:
    """Draw a random closed outline within the unit circle.

    Args:
        kind: `polygon`, `blob` or `star`.
        count: number of corners of a blob; polygons and stars have a random number.
    """
    if kind == "polygon":
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        radius = rng.uniform(0.6, 1.0, len(angles))
    elif kind == "star":
        angles = np.linspace(0, 2 * np.pi, 2 * int(rng.integers(3, 10)), endpoint=False)
        radius = np.where(np.arange(len(angles)) % 2 == 0, 1.0, rng.uniform(0.2, 0.7))
    else:
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        radius = np.ones(count)
        # harmonics of the angle; the higher ones are weaker, so that the outline is smooth
        for order in range(2, 7):
            radius += rng.normal(0, 0.45 / order) * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.15, None)  # a positive radius, so that the outline does not cross itself
        radius /= radius.max()
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=-1).astype(np.float32)
