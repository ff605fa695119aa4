"""Raw samples: what is kept of them, and the processes that make them."""

import os
import signal
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opticflow.data.augmentation import PRESETS
from opticflow.data.augmentation.batched import STEPS
from opticflow.data.raw import Origin, RawWorkers, _samples, cut, in_steps
from opticflow.errors import DatasetError, InputError
from opticflow.scenes.rendered import RenderedPair
from waves import Waves

SIZE = (40, 56)


WAVES = partial(Waves, 7)


def mix(make=WAVES):
    return [Origin("waves", make, PRESETS["none"])]


@given(arrays(np.float32, (3, 4, 2), elements=st.floats(-1500, 1500, width=32)))
def test_flow_is_kept_to_a_64th_of_a_pixel(flow):
    valid = np.ones((3, 4), dtype=bool)
    valid[1, 2] = False
    flow[1, 2] = np.nan
    steps, fits = in_steps(flow, valid)
    assert np.abs(steps / STEPS - flow)[fits].max(initial=0) <= 1 / 64
    far, near = (np.abs(flow) >= 1024).any(-1), (np.abs(flow) < 1023.9).all(-1)
    assert not fits[far].any() and fits[near & valid].all()
    assert not fits[1, 2] and (steps[~fits] == 0).all()


def test_flow_that_is_no_number_is_refused():
    flow = np.full((2, 2, 2), np.inf, np.float32)
    with pytest.raises(DatasetError, match="NaN or infinite at pixels that count as known"):
        in_steps(flow, np.eye(2, dtype=bool))


def test_a_larger_sample_is_cropped_and_a_smaller_one_refused():
    sample = Waves(7)[2]
    corners = set()
    for seed in range(20):
        part = cut(sample, SIZE, np.random.default_rng(seed))
        (y, x), *others = np.argwhere((sample.first == part.first[0, 0]).all(-1)).tolist()
        corners.add((y, x))
        if not others:
            box = np.s_[y : y + SIZE[0], x : x + SIZE[1]]
            for name in ("first", "second", "flow", "valid", "occluded"):
                assert np.array_equal(getattr(part, name), getattr(sample, name)[box])
    assert len(corners) > 10
    with pytest.raises(DatasetError, match="64x48, smaller than the 64x49"):
        cut(sample, (49, 64), np.random.default_rng(0))


class Numbers:
    """A world without end, whose pair number n shows the grey n and its reverse the grey n + 100."""

    def __getitem__(self, number):
        frames = [np.full((50, 60, 3), grey, np.uint8) for grey in (number % 100, number % 100 + 100)]
        flows = [np.full((50, 60, 2), step, np.float32) for step in (1.5, -1.5)]
        masks = [np.zeros((50, 60), dtype=bool)] * 2
        return RenderedPair(*frames, *flows, *masks, *[np.zeros((50, 60), dtype=int)] * 2, f"pair {number}")


def test_workers_share_one_series_in_which_time_runs_both_ways():
    both = [Origin("numbers", Numbers, PRESETS["none"], 3), Origin("waves", lambda: Waves(7), PRESETS["none"])]
    whole = [name for _, name, _ in islice(_samples(both, SIZE, 4, 0, 1), 400)]
    shared = [name for worker in (0, 1) for _, name, _ in islice(_samples(both, SIZE, 4, worker, 2), 150)]
    assert len(set(shared)) > 200 and set(shared) <= set(whole)
    assert 60 < sum(name.startswith("waves") for name in whole) < 140  # a quarter wanted
    assert {name for name in whole if name.startswith("waves")} == {f"waves waves/{index}" for index in range(7)}
    samples = [(name, parts) for _, name, parts in islice(_samples(both[:1], SIZE, 4, 0, 1), 4)]
    assert [name for name, _ in samples] == [f"numbers pair {n}{end}" for n in (0, 1) for end in ("", " reversed")]
    for number, (_, (first, second, flow, valid)) in enumerate(samples):
        greys = [number // 2, number // 2 + 100]
        assert [first[0, 0, 0], second[0, 0, 0]] == (greys[::-1] if number % 2 else greys)
        assert (flow == (-48 if number % 2 else 48)).all() and valid.all()


def test_slots_are_filled_and_wait_until_they_are_released():
    workers = RawWorkers(mix(), SIZE, workers=2, seed=3, slots=2)
    arrivals = []
    while len(arrivals) < 4:
        arrivals += workers.arrived()
    assert sorted(arrival.slot for arrival in arrivals) == [0, 1, 2, 3]
    assert workers.arrived(0.3) == []  # all wait
    for arrival in arrivals:
        sample = Waves(7)[int(arrival.name.removeprefix("waves waves/"))]
        flow = workers.slots.flow[arrival.slot].numpy()
        assert (flow == sample.flow[0, 0] * STEPS).all() and workers.slots.valid[arrival.slot].all()
        corner = workers.slots.second[arrival.slot][0, 0].numpy()
        assert (sample.second == corner).all(-1).any()
    workers.release(arrivals[0].slot)
    (again,) = workers.arrived(20)
    assert again.slot == arrivals[0].slot
    processes = list(workers.processes)
    workers.close()
    assert not any(process.is_alive() for process in processes)
    workers.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Waves, 3, bad=(0, 1, 2)), r"^waves waves/\d: its flow is NaN or infinite .*; leave it out of"),
        (
            partial(open, "/nowhere/at/all"),
            r"^waves 0: .* No such file or directory: '/nowhere/at/all'; leave it out of",
        ),
        (partial(os._exit, 3), r"^a process that makes samples has died with exit code 3, "),
    ],
)
def test_what_goes_wrong_in_a_process_is_one_line(make, message):
    workers = RawWorkers(mix(make), SIZE, workers=1)
    with pytest.raises(DatasetError, match=message) as caught:
        workers.arrived(60)
    assert "\n" not in str(caught.value)
    workers.release(0)
    workers.close()


def test_numbers_that_make_no_sense_are_refused():
    for options in ({"workers": 0}, {"workers": 1, "slots": 0}):
        with pytest.raises(InputError, match="wanted at least 1 each"):
            RawWorkers(mix(), SIZE, **options)


SCRIPT = """
import signal
from functools import partial
from opticflow.data.augmentation import PRESETS
from opticflow.data.raw import Origin, RawWorkers
from waves import Waves
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
    workers = RawWorkers([Origin("waves", partial(Waves, 7), PRESETS["none"])], (40, 56), workers=1)
    workers.arrived()
    print("ready", flush=True)
    while True:
        for arrival in workers.arrived():
            workers.release(arrival.slot)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to groups of processes")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_process_is_stopped(tmp_path, how):
    """By Ctrl-C, which all processes of a group get; or so that the process itself can do nothing more."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=here,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert len(everyone) >= 2
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.kill()
    _, errors = process.communicate(timeout=120)
    _, alive = psutil.wait_procs(everyone[1:], timeout=60)
    assert alive == []
    assert errors.count("Traceback") == (how == signal.SIGINT)  # that of the process itself alone
    left = [path for one in everyone for path in Path("/dev/shm").glob(f"*_{one.pid}_*")]
    assert left == []
