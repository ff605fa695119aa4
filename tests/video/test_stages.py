"""The time of a clip by stages, against stages whose time is known."""

import time

import pytest

import opticflow
from clips import write_clip
from opticflow.estimator import Estimator
from opticflow.models.network import FlowNetwork
from opticflow.video import ClipOptions, open_clip
from opticflow.video.stages import measure_stages
from pictures import moving


class Slow(FlowNetwork):
    """Takes a given time for each frame and each pair."""

    def encode(self, frames):
        time.sleep(0.01 * len(frames))
        return {"frames": frames}

    def match(self, first, second, *, init_flow=None):
        time.sleep(0.03 * len(first["frames"]))
        return 0 * first["frames"][:, :2]


def test_the_stages_add_up_to_the_clock(tmp_path):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", moving(32, 48, 6)))
    estimator = Estimator(network := Slow())
    found = measure_stages(clip, estimator, ClipOptions(saves=("flo",)))
    parts = found.network + found.waiting_for_frames + found.waiting_for_files + found.other
    assert found.pairs == 5 and parts == pytest.approx(found.wall, abs=0.01)
    slept = 6 * 0.01 + 5 * 0.03
    assert slept <= found.network < slept + 0.5 and slept <= found.network_alone < slept + 0.5
    assert found.outside == pytest.approx(1 - found.network / found.wall, abs=0.01)
    assert found.decoding > 0 and found.encoding > 0
    assert estimator.network is network


def test_the_network_sees_what_the_options_say(tmp_path):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", moving(32, 48, 6)))
    anew = measure_stages(clip, Estimator(Slow()), ClipOptions(saves=("flo",), reuse=False, end=4))
    assert anew.pairs == 3 and anew.network_alone >= 3 * (2 * 0.01 + 0.03)


def test_a_clip_that_cannot_be_measured_is_refused(tmp_path):
    clip = open_clip(write_clip(tmp_path / "one.mp4", moving(32, 48, 1)))
    with pytest.raises(opticflow.OpticflowError, match="fewer than two frames"):
        measure_stages(clip, Estimator(Slow()), ClipOptions())
