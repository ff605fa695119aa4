"""Flow stores made for tests."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from opticflow.store.writer import SegmentWriter


def smooth_flow(seed: int, height: int = 24, width: int = 32, *, unknown: bool = False) -> np.ndarray:
    """Flow that changes slowly, with a patch of unknown flow if asked for."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    (a, b, c), (d, e, f) = rng.uniform(-3, 3, (2, 3)).astype(np.float32)
    flow = np.stack([a + b * np.sin(x / 9) + c * np.cos(y / 7), d + e * np.cos(x / 8) + f * np.sin(y / 6)], -1)
    if unknown:
        flow[: height // 3, : width // 4] = np.nan
    return flow


def write_store(
    path: Path,
    pairs: int,
    *,
    length: int = 32,
    error: Fraction = Fraction(1, 64),
    backward: bool = True,
    size: tuple[int, int] = (24, 32),
    unknown: bool = False,
) -> Path:
    """Write a store of smooth flows, in files of `length` pairs: forward flow of seed i, backward flow of 1000 + i."""
    for first in range(0, pairs, length):
        writer = SegmentWriter(path, error, {"source": {"name": "made", "rate": "25"}, "start": 0, "step": 1})
        for index in range(first, min(first + length, pairs)):
            back = smooth_flow(1000 + index, *size) if backward else None
            writer.add(index, f"{index:06d}", index / 25, smooth_flow(index, *size, unknown=unknown), back)
        writer.write()
    return path


def sum_of_pair(store, index: int) -> float:
    """Return the sum of a pair's flow, in a function that worker processes can import."""
    return float(np.nansum(store[index].forward))
