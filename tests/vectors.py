"""The parity vectors: what the public reference implementations compute, and state dicts in their layouts.

`tests/parity/NAME.json` holds the names and shapes of a reference's state dict, `NAME.npz` two frames and the flow
that the reference computes (float32, CPU) with the weights that the names give.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

PARITY = Path(__file__).parent / "parity"


@dataclass(frozen=True)
class Vector:
    """One reference result."""

    name: str
    frames: tuple[np.ndarray, np.ndarray]
    flow: np.ndarray
    shapes: dict[str, list[int]]
    seed: int

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The reference's weights, by its own names."""
        return {name: torch.from_numpy(_tensor(name, tuple(shape), self.seed)) for name, shape in self.shapes.items()}

    def write(self, path: Path) -> Path:
        """The file that a user of the reference has: a legacy pickle, wrapped as that code wraps it."""
        contents = self.state_dict()
        if self.name.startswith("nvidia"):
            contents = {"epoch": 3, "state_dict": contents, "best_EPE": np.float64(2.5)}
        elif self.name.startswith("pinard"):
            contents = {"epoch": 3, "arch": self.name[7:], "state_dict": contents, "best_EPE": 2.5, "div_flow": 20}
        torch.save(contents, path, _use_new_zipfile_serialization=False)
        return path


def _tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A tensor that depends on its name alone."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_mean":
        values = random.normal(0, 0.1, shape)
    elif leaf == "running_var":
        values = random.uniform(0.5, 1.5, shape)
    elif len(shape) == 4:
        values = random.normal(0, float(np.sqrt(1 / np.prod(shape[1:]))), shape)
    elif leaf == "weight":
        values = random.normal(1, 0.1, shape)
    else:
        values = random.normal(0, 0.05, shape)
    return values.astype(np.float32)


def read_vector(name: str) -> Vector:
    """The vector of that name."""
    manifest = json.loads((PARITY / f"{name}.json").read_text())
    with np.load(PARITY / f"{name}.npz") as arrays:
        frames, flow = (arrays["frame1"], arrays["frame2"]), arrays["flow"]
    return Vector(name, frames, flow, manifest["tensors"], manifest["seed"])
