"""What is said of the cost of an estimate, against what is measured."""

import pytest

from opticflow.estimator.describe import describe
from opticflow.estimator.speed import measure_speed
from opticflow.models import build
from opticflow.models.refinement import MULTIPLY_ADDS
from opticflow.settings import Settings
from opticflow.weights import Checkpoint


@pytest.mark.parametrize("model", ["RAFT-small", "FlowNet2-s"])
def test_memory_is_that_of_a_process(model):
    """Within a factor of 1.5: RAFT's volume of all pairs alone, which is not held, would be 2 GB."""
    measured = measure_speed(
        model,
        1280,
        720,
        settings=Settings(precision="fp32", device="cpu", iterations=1 if "RAFT" in model else None),
        rounds=0,
        compare=False,
    )
    assert 1 / 1.5 < describe(model, "1280x720")["bytes"] / measured.memory < 1.5


def test_the_work_is_that_of_an_estimate_as_it_is_made(tmp_path):
    """The shipped weights are used from a coarse start and refined; a file is used as the network alone."""
    Checkpoint("RAFT-small", "a test", "x", build("RAFT-small").state_dict(), options={"iterations": 8}).save(
        tmp_path / "x.safetensors"
    )
    file = str(tmp_path / "x.safetensors")
    alone = [describe(file, size)["multiply_adds"] for size in ("512x256", "256x128", "128x64")]
    assert describe("RAFT-small.worlds", "512x256")["multiply_adds"] == sum(alone) + 512 * 256 * MULTIPLY_ADDS
