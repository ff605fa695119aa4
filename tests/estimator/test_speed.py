"""What is measured, and with which settings."""

import pytest

from opticflow.errors import InputError, WeightsError
from opticflow.estimator.speed import load_or_build, measure_speed
from opticflow.models import build


def test_the_settings_reach_the_process():
    found = measure_speed("RAFT-small", 64, 48, iterations=2, rounds=0, compare=False, device="cpu", max_memory="1GB")
    assert (found.iterations, found.max_memory, found.tiles, found.ratio) == (2, "1GB", 1, None)
    assert found.milliseconds > 0
    with pytest.raises(InputError, match="no iterations"):
        measure_speed("DIS", 64, 48, iterations=2)


def test_a_network_is_measured_without_weights_but_a_file_must_be_there(tmp_path):
    network, trained = load_or_build("FlowNet2-s")
    assert not trained and type(network) is type(build("FlowNet2-s"))
    assert load_or_build("DIS")[1]
    with pytest.raises(WeightsError, match="none"):
        load_or_build(str(tmp_path / "none.safetensors"))
