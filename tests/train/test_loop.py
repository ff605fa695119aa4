"""The run as a whole: learning, stopping, going on."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

import opticflow
from opticflow.errors import DatasetError, InputError, TrainingError, WeightsError
from opticflow.train.loop import train
from opticflow.train.parts import read_parts, write_parts
from opticflow.train.recipe import Part
from opticflow.train.run_folder import TRAINING
from opticflow.weights import read_checkpoint
from train_toys import ToySources, toy_sample


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run(recipe, folder, sources=None, **options):
    return train(recipe, folder, sources or ToySources(), precision="fp32", device="cpu", log_every=1, **options)


def test_a_run_folder_rebuilds_the_network(tmp_path, recipe):
    run(recipe(validation=(Part("toy"),), steps=2), tmp_path / "run", seed=5)
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    assert kept["seed"] == 5 and kept["opticflow"] == opticflow.__version__
    assert kept["recipe"]["stages"][0]["learning_rate"] == 4e-4
    estimator = opticflow.load(tmp_path / "run", precision="fp32", device="cpu")
    assert estimator.network.iterations == 3  # the network's own, not that of training
    sample = toy_sample(10**9)
    assert estimator(sample.first, sample.second).shape == (64, 64, 2)
    (last,) = (tmp_path / "run" / "stages" / "only").glob("step-*")
    from_checkpoint = opticflow.load(last / "weights.safetensors", precision="fp32", device="cpu")
    assert from_checkpoint.network.state_dict().keys() == estimator.network.state_dict().keys()


class Killed(Exception):
    pass


def killed_at(step):
    def kill(progress):
        if progress.step == step:
            raise Killed

    return kill


@pytest.mark.parametrize("coarse_starts", [0, 0.5])
def test_an_interrupted_run_goes_on_to_the_last_bit(tmp_path, recipe, coarse_starts):
    small = recipe(steps=8, validation=(Part("toy"),), validate_every=3, coarse_starts=coarse_starts)
    run(small, tmp_path / "whole", checkpoint_every=3)
    with pytest.raises(Killed):
        run(small, tmp_path / "cut", checkpoint_every=3, report=killed_at(5))
    torch.manual_seed(1234)
    seen = []
    run(small, tmp_path / "cut", checkpoint_every=3, resume=True, report=lambda progress: seen.append(progress.step))
    assert seen == [4, 5, 6, 7, 8]
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    cut, whole = (read_checkpoint(tmp_path / name / "weights.safetensors").tensors for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], whole[name]) for name in whole)
    # weights, the optimiser's moments and the state of the random number generator
    last = "stages/only/step-00000008"
    cut, whole = (read_parts(tmp_path / name / last, TRAINING) for name in ("cut", "whole"))
    assert cut.keys() == whole.keys()
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_samples(tmp_path, recipe):
    with pytest.raises(TrainingError, match=r"at step 3 the loss is nan .* samples toy 4, toy 5"):
        run(recipe(steps=6), tmp_path / "run", ToySources(spoiled=5), checkpoint_every=2)
    assert len(rows(tmp_path / "run")) == 2
    assert np.isfinite(opticflow.load(tmp_path / "run", precision="fp32")(*[np.zeros((64, 64, 3), np.uint8)] * 2)).all()


def test_half_precision_is_used_where_it_is_asked_for(tmp_path, recipe):
    small = recipe(steps=1)
    run(small, tmp_path / "single")
    train(small, tmp_path / "half", ToySources(), precision="bf16", device="cpu", log_every=1)
    single, half = (float(rows(tmp_path / name)[0]["loss"]) for name in ("single", "half"))
    assert half == pytest.approx(single, rel=0.02) and half != single


def test_another_run_is_not_overwritten(tmp_path, recipe):
    run(recipe(steps=1), tmp_path / "run")
    with pytest.raises(InputError, match="add --resume"):
        run(recipe(steps=1), tmp_path / "run")
    with pytest.raises(InputError, match=r"another recipe: stages\[0\].batch is 2, and 1 was asked for"):
        run(recipe(steps=1, batch=1), tmp_path / "run", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        run(recipe(steps=1), tmp_path / "other")


def test_progress_tells_speed_and_time_left(tmp_path, recipe):
    seen = []
    run(recipe(steps=3), tmp_path / "run", report=seen.append)
    assert [progress.step for progress in seen] == [1, 2, 3]
    assert seen[0].seconds_left > 0 and seen[-1].seconds_left == 0
    assert seen[0].samples_per_second == pytest.approx(2 * 2 / seen[0].seconds_left, rel=1e-6)


def test_a_run_that_is_refused_leaves_its_folder_as_it_was(tmp_path, recipe):
    class Broken(ToySources):
        def batches(self, stage, start, *, rank=0, world=1):
            raise DatasetError("the first frame is broken")

    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        with pytest.raises(DatasetError):
            run(recipe(), folder, Broken())
        assert folder.exists() == (folder.name == "empty") and not list(folder.glob("*"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "log.csv").write_text("a user's own")
    with pytest.raises(InputError, match="holds no run"):
        run(recipe(), tmp_path / "other")
    assert (tmp_path / "other" / "log.csv").read_text() == "a user's own"
    # a piece that cannot begin is no piece
    run(recipe(), tmp_path / "run", minutes=0.02)
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(DatasetError):
        run(recipe(), tmp_path / "run", Broken(), minutes=0.02, resume=True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


NO_RECORDS = [b"", b"null", b"[]", b"7", b'{"recipe": nu', b"\xff\xfe{", b"[" * 100_000, b'{"a":' * 100_000]
CHANGES = {
    "run.json": [
        {"recipe": None},
        {"recipe": {"stages": [None]}},
        {"recipe": {"stages": []}},
        {"recipe": {"stages": [{"name": "only", "model": "RAFT-small", "options": []}]}},
        {"pieces": 3},
        {"pieces": [float("inf")]},
        {"pieces": [True]},
    ],
    "state.json": [
        {"step": None},
        {"step": "1"},
        {"step": float("inf")},
        {"step": -1},
        {"step": 10**30},
        {"samples": True},
        {"best": "low"},
        {"seconds": float("nan")},
        {"finished": 1},
        {"more": 1},
    ],
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_records_of_a_run_are_named(tmp_path, recipe, name):
    run(recipe(steps=1), tmp_path / "run")
    (file,) = (tmp_path / "run").rglob(name)
    whole = json.loads(file.read_bytes())
    for content in NO_RECORDS + [json.dumps({**whole, **change}).encode() for change in CHANGES[name]]:
        file.write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is damaged") as caught:
            run(recipe(steps=1), tmp_path / "run", resume=True)
        assert len(str(caught.value)) < 600 and file.read_bytes() == content


def test_a_damaged_table_is_begun_anew(tmp_path, recipe):
    with pytest.raises(Killed):
        run(recipe(steps=2), tmp_path / "run", checkpoint_every=1, report=killed_at(2))
    for content in (b"", b"\xff\xfe,\r\n", b"stage,step,loss,gradient,rate,error,skipped\r\nonly,x,,,,,\r\n"):
        copy = tmp_path / str(len(content))
        shutil.copytree(tmp_path / "run", copy)
        (copy / "log.csv").write_bytes(content)
        run(recipe(steps=2), copy, resume=True)
        assert [row["step"] for row in rows(copy)] == ["2"]


def test_a_state_that_is_not_whole_is_named(tmp_path, recipe):
    with pytest.raises(Killed):
        run(recipe(steps=2), tmp_path / "run", checkpoint_every=1, report=killed_at(2))
    (folder,) = (tmp_path / "run" / "stages" / "only").glob("step-*")
    tensors = read_parts(folder, TRAINING)
    nothing = {"optimiser/exp_avg/nothing": torch.zeros(1)}
    for changed in (nothing, {"random/cpu": tensors["random/cpu"][:100]}, {"random/cpu": torch.zeros(3)}):
        write_parts({**tensors, **changed}, folder, TRAINING)
        with pytest.raises(WeightsError, match="step-00000001 is damaged"):
            run(recipe(steps=2), tmp_path / "run", resume=True)
