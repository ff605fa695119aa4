"""What is measured, and with which settings."""

import pytest

import opticflow
from opticflow.errors import InputError, WeightsError
from opticflow.estimator.speed import load_or_build, measure_speed
from opticflow.models import build
from opticflow.settings import Settings


def test_the_settings_reach_the_process():
    settings = Settings(iterations=2, device="cpu", max_memory="2GB")
    found = measure_speed("RAFT-small", 64, 48, settings=settings, bare=True, rounds=0, compare=False)
    assert (found.iterations, found.max_memory, found.tiles, found.ratio) == (2, "2GB", 1, None)
    assert found.milliseconds > 0 and found.uses == ()
    with pytest.raises(InputError, match="no iterations"):
        measure_speed("DIS", 64, 48, settings=Settings(iterations=2))


def test_a_model_is_measured_as_it_is_used_or_bare():
    used, bare = load_or_build("RAFT-small")[0], load_or_build("RAFT-small", bare=True)[0]
    assert used.settings == opticflow.load("RAFT-small").settings and repr(used) == repr(opticflow.load("RAFT-small"))
    assert bare.network is bare.network.innermost and bare.settings.iterations == 12


def test_a_network_is_measured_without_weights_but_a_file_must_be_there(tmp_path):
    estimator, trained = load_or_build("FlowNet2-s")
    assert not trained and type(estimator.network) is type(build("FlowNet2-s"))
    assert load_or_build("DIS")[1]
    with pytest.raises(WeightsError, match="none"):
        load_or_build(str(tmp_path / "none.safetensors"))
