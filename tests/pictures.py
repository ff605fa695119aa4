"""Pictures with known motion, for tests."""

import cv2
import numpy as np


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random colours, uint8 RGB, with detail at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cell in (4, 11, 29):
        noise = rng.normal(size=(height // cell + 3, width // cell + 3, 3))
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 35 * total, 0, 255).astype(np.uint8)


def moving(height: int, width: int, count: int, *, dx: int = 2, dy: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Frames of a picture that moves by (dx, dy) pixels a frame: the flow is that, everywhere."""
    margin = count * max(abs(dx), abs(dy))
    picture = texture(height + 2 * margin, width + 2 * margin, seed)
    tops = [margin - i * dy for i in range(count)]
    lefts = [margin - i * dx for i in range(count)]
    return [picture[t : t + height, x : x + width].copy() for t, x in zip(tops, lefts, strict=True)]
