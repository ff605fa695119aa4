"""The time of a clip by stages, against stages whose time is known."""

import time

import pytest
import torch

import opticflow
from clips import write_clip
from opticflow.estimator import Estimator
from opticflow.extract import ClipOptions, stages
from opticflow.extract.stages import Stopwatch, measure_stages
from opticflow.io.video import open_clip
from opticflow.models import FlowNetwork, VariationalRefinement, build
from pictures import moving


class Slow(FlowNetwork):
    """Takes a given time for each frame and each pair."""

    def encode(self, frames):
        time.sleep(0.01 * len(frames))
        return {"frames": frames}

    def match(self, first, second, *, init_flow=None, iterations=None):
        time.sleep(0.03 * len(first["frames"]))
        return 0 * first["frames"][:, :2]


def test_the_stopwatch_counts_the_network_alone(monkeypatch):
    ticks = iter([10, 12, 100, 105])
    monkeypatch.setattr(stages.time, "perf_counter", ticks.__next__)
    watch = Stopwatch(build("Lucas-Kanade"))
    encoded = watch.encode(torch.zeros(1, 3, 8, 8))
    watch.match(encoded, encoded)
    assert watch.seconds == 2 + 5


@pytest.mark.parametrize(("options", "pairs", "encoded"), [({}, 5, 6), ({"reuse": False, "end": 4}, 3, 6)])
def test_the_stages_follow_each_other(tmp_path, options, pairs, encoded):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", moving(32, 48, 6)))
    read = clip.frames

    def slowly(*where, **how):
        for frame in read(*where, **how):
            time.sleep(0.05)
            yield frame

    clip.frames = slowly  # type: ignore[method-assign]
    estimator = Estimator(network := Slow())
    found = measure_stages(clip, estimator, ClipOptions(saves=("flo",), **options))
    slept = encoded * 0.01 + pairs * 0.03
    assert found.pairs == pairs and found.network >= slept and found.network_alone >= slept
    assert found.decoding >= (pairs + 1) * 0.05 and found.waiting_for_frames > 0 and found.encoding > 0
    assert found.other >= 0, "nothing is counted twice"
    assert found.outside == pytest.approx(1 - found.network / found.wall, abs=0.01)
    assert estimator.network is network


def test_coarse_starts_are_counted_and_the_refinement_is_once(tmp_path, monkeypatch):
    """As `opticflow estimate` runs the default model."""
    clip = open_clip(write_clip(tmp_path / "clip.mp4", moving(256, 256, 3)))
    sizes, refine = [], VariationalRefinement._refine
    monkeypatch.setattr(VariationalRefinement, "_refine", lambda *a: sizes.append(a[1].shape) or refine(*a))
    estimator = Estimator(Slow(), coarse_start=True, refine=True)
    found = measure_stages(clip, estimator, ClipOptions(saves=("flo",)))
    assert set(sizes) == {(256, 256)}
    levels = 3  # a quarter, half and the whole
    assert found.network >= 2 * (levels * 0.03 + 2 * 0.01 * levels) - 0.01


def test_a_clip_that_cannot_be_measured_is_refused(tmp_path):
    clip = open_clip(write_clip(tmp_path / "one.mp4", moving(32, 48, 1)))
    with pytest.raises(opticflow.OpticflowError, match="fewer than two frames"):
        measure_stages(clip, Estimator(Slow()), ClipOptions())
