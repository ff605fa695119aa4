"""Training by the clock: pieces that end on time, go on from the level of the rate, and survive being killed."""

import json
import shutil
import time

import pytest
import torch

import opticflow
from opticflow.errors import InputError, WeightsError
from opticflow.train.loop import train
from opticflow.train.parts import read_parts
from opticflow.train.run_folder import TRAINING
from opticflow.weights import Checkpoint, read_checkpoint
from train_toys import ToySources, toy_sample


class Clock:
    """A minute for each step: every step looks at it once."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 4.0
        return self.now


def run(recipe, folder, **options):
    options = {"device": "cpu", "precision": "fp32", "log_every": 1, **options}
    return train(recipe, folder, ToySources(), **options)


def checkpoint(folder, kind):
    (found,) = (folder / "stages" / "only").glob(f"{kind}-*")
    return found


@pytest.fixture
def piece(tmp_path, recipe):
    """A run that has had one piece, by a clock that moves by itself."""
    run(recipe(), tmp_path / "run", minutes=3, clock=Clock())
    return tmp_path / "run"


def rates(folder):
    return [float(line.split(",")[4]) for line in (folder / "log.csv").read_text().splitlines()[1:]]


def test_the_rate_rises_stays_level_and_falls(piece):
    levels = rates(piece)
    top = levels.index(max(levels))
    assert max(levels) == 4e-4 and levels.count(4e-4) >= 3
    assert levels[:top] == sorted(levels[:top])
    assert levels[-1] < 2e-4 and levels[top:] == sorted(levels[top:], reverse=True)


def test_the_end_is_published_and_the_level_is_kept(piece):
    level, end = checkpoint(piece, "step"), checkpoint(piece, "decay")
    before, after = (json.loads((folder / "state.json").read_text()) for folder in (level, end))
    assert before["step"] < after["step"] and after["finished"] and not before["decays"]
    assert (piece / "weights.safetensors").read_bytes() == (end / "weights.safetensors").read_bytes()
    averaged = read_checkpoint(piece / "weights.safetensors").tensors
    state = read_parts(end, TRAINING)
    assert all(torch.equal(averaged[name], state[f"average/{name}"]) for name in averaged)
    estimator = opticflow.load(piece, precision="fp32", device="cpu")
    assert estimator(toy_sample(1).first, toy_sample(1).second).shape == (64, 64, 2)


def test_the_next_piece_goes_on_from_the_level_without_a_warm_up(piece, recipe):
    level = read_parts(checkpoint(piece, "step"), TRAINING)
    step = json.loads((checkpoint(piece, "step") / "state.json").read_text())["step"]
    seen = []
    # another batch and crop, as on another device
    run(
        recipe(batch=4, crop=(64, 96)),
        piece,
        minutes=3,
        resume=True,
        clock=Clock(),
        report=lambda progress: seen.append(progress.step),
    )
    assert seen[0] == step + 1
    lines = [line.split(",") for line in (piece / "log.csv").read_text().splitlines()[1:]]
    assert [int(line[1]) for line in lines] == list(range(1, seen[-1] + 1))
    assert float(lines[step][4]) == 4e-4
    after = read_parts(checkpoint(piece, "decay"), TRAINING)
    moved = [name for name in level if name.startswith("network/") and not torch.equal(level[name], after[name])]
    assert moved
    assert json.loads((piece / "run.json").read_text())["pieces"] == [3, 3]


class Killed(Exception):
    pass


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_killed_piece_is_brought_to_its_end(tmp_path, recipe, share):
    """At the level and while the rate falls."""
    clock, folder = Clock(), tmp_path / "run"

    def kill(progress):
        if progress.seconds_left < (1 - share) * 600:
            raise Killed

    with pytest.raises(Killed):
        run(recipe(), folder, minutes=10, clock=clock, report=kill)
    stopped = len(rates(folder))
    at = json.loads((checkpoint(folder, "step" if share < 0.75 else "decay") / "state.json").read_text())
    left = []
    run(recipe(), folder, resume=True, clock=Clock(), report=lambda progress: left.append(progress.seconds_left))
    assert at["step"] <= stopped + 1
    assert left[0] == pytest.approx(600 - at["used"], abs=60)  # a step takes up to 40 s by this clock
    levels = rates(folder)
    assert levels[-1] < 2e-4 and max(levels) == 4e-4
    with pytest.raises(InputError, match="come to its end; add --minutes"):
        run(recipe(), folder, resume=True)


def test_real_time_is_kept(tmp_path, recipe):
    begun = time.monotonic()
    run(recipe(), tmp_path / "run", minutes=0.1)
    assert time.monotonic() - begun < 6 + 10


def test_stages_share_the_time_and_the_last_one_goes_on(tmp_path, stage):
    from opticflow.train.recipe import Recipe, Start

    two = Recipe("two", "a test", (stage(name="a", steps=1), stage(name="b", steps=3, start=(Start("a"),))))
    run(two, tmp_path / "run", minutes=8, clock=Clock())
    states = {}
    for name in "ab":
        (folder,) = (tmp_path / "run" / "stages" / name).glob("decay-*")
        states[name] = json.loads((folder / "state.json").read_text())
    assert 2 < states["b"]["seconds"] / states["a"]["seconds"] < 4
    assert states["a"]["seconds"] + states["b"]["seconds"] < 480
    seen = set()
    shutil.rmtree(tmp_path / "run" / "stages" / "a")  # as on a machine that was given the last state alone
    run(two, tmp_path / "run", minutes=2, resume=True, clock=Clock(), report=lambda progress: seen.add(progress.stage))
    assert seen == {"b"}


def test_state_in_parts_is_read_again(tmp_path, recipe):
    run(recipe(), tmp_path / "run", minutes=2, clock=Clock(), part_size=2_000_000)
    files = list(checkpoint(tmp_path / "run", "step").glob("training-*"))
    assert len(files) > 5 and all(file.stat().st_size <= 2_000_000 for file in files)
    run(recipe(), tmp_path / "run", minutes=2, clock=Clock(), resume=True)


def test_another_network_cannot_go_on(piece, recipe):
    with pytest.raises(InputError, match=r"another recipe: stages\[0\].options"):
        run(recipe(options={"iterations": 4}), piece, minutes=1, resume=True)


def test_training_begins_with_given_weights(tmp_path, recipe, piece):
    weights = read_checkpoint(piece / "weights.safetensors")
    run(recipe(steps=1, learning_rate=1e-30), tmp_path / "on", weights=weights)
    found = read_checkpoint(tmp_path / "on" / "weights.safetensors").tensors
    assert all(torch.equal(found[name], weights.tensors[name]) for name in found)
    other = Checkpoint("RAFT", "opticflow", "", opticflow.models.build("RAFT").state_dict())
    with pytest.raises(InputError, match="cannot begin with weights of RAFT: they differ in"):
        run(recipe(steps=1), tmp_path / "other", weights=other)


def test_a_damaged_state_is_named(piece, recipe):
    (file,) = checkpoint(piece, "step").glob("training-*")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="training-1-of-1"):
        run(recipe(), piece, minutes=1, resume=True)


def test_a_half_removed_checkpoint_does_not_count(piece, recipe):
    """A run that was killed while it removed the state after the level."""
    end = checkpoint(piece, "decay")
    end.rename(end.with_name(f".{end.name}.part"))
    level = json.loads((checkpoint(piece, "step") / "state.json").read_text())["step"]
    seen = []
    run(recipe(), piece, minutes=2, resume=True, clock=Clock(), report=lambda progress: seen.append(progress.step))
    assert seen[0] == level + 1
    assert not list((piece / "stages" / "only").glob(".*"))


def test_wide_crops_have_their_share_of_the_batches():
    from opticflow.data.order import is_chosen
    from opticflow.train.recipes import RECIPES

    stage = RECIPES["default"].stages[1]
    crops = {stage.crop_of(number) for number in range(40)}
    assert crops == {(256, 320), (256, 832)}
    assert sum(is_chosen(number, 0.1) for number in range(1000)) == pytest.approx(100, abs=2)
