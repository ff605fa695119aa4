"""The networks compute what the reference implementations compute, from files as those write them."""

import numpy as np
import pytest

import opticflow
from vectors import read_vector

RAFT = [
    *(f"princeton-raft-{size}-pad_{pad}" for size in ("things", "small") for pad in ("sintel", "kitti")),
    "torchvision-raft_large",
    "torchvision-raft_small",
]
FLOWNET = ["pinard-flownets", "pinard-flownetc", "pinard-flownets_bn", "pinard-flownetc_bn"]
FLOWNET += [f"nvidia-FlowNet2{letters}" for letters in ("C", "S", "SD", "CS")]
LARGE = ["nvidia-FlowNet2CSS", "nvidia-FlowNet2"]


def difference(name: str, folder, **options) -> tuple[float, float]:
    """Largest difference from the vector, and the vector's largest flow, both in pixels."""
    vector = read_vector(name)
    estimator = opticflow.load(vector.write(folder / "weights.pth"), device="cpu", precision="fp32", **options)
    flow = estimator(*vector.frames)
    return float(np.abs(flow - vector.flow.transpose(1, 2, 0)).max()), float(np.abs(vector.flow).max())


@pytest.mark.parametrize("name", RAFT)
def test_raft(name, tmp_path):
    padding = "bottom" if name.endswith("kitti") else "center"
    assert difference(name, tmp_path, iterations=4, padding=padding)[0] < 1e-3


@pytest.mark.parametrize("name", [*FLOWNET, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_flownet(name, tmp_path):
    error, largest = difference(name, tmp_path)
    assert error < 1e-4 * largest


def test_an_imported_file_gives_the_same_flow(tmp_path):
    vector = read_vector("princeton-raft-small-pad_sintel")
    file = vector.write(tmp_path / "raft-small.pth")
    from opticflow.weights import import_checkpoint

    checkpoint, path = import_checkpoint(file, tmp_path / "ours.safetensors")
    assert (checkpoint.network, checkpoint.source) == ("RAFT-small", "the RAFT authors")
    before, after = (opticflow.load(weights, iterations=2)(*vector.frames) for weights in (file, path))
    np.testing.assert_array_equal(before, after)
