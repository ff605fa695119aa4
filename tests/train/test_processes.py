"""Runs in processes of their own: killed and resumed, and several at once."""

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import train_process
from opticflow.weights import read_checkpoint

TESTS = Path(__file__).parents[1]


def in_processes(folder, *, steps, batch=2, dies_at=0, processes=1, minutes=0):
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [*launcher, str(TESTS / "train_process.py"), str(folder), str(steps), str(batch)]
    paths = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "DIES_AT": str(dies_at)}
    environment["MINUTES"] = str(minutes)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder):
    return read_checkpoint(folder / "weights.safetensors").tensors


def kill_and_resume(folder, steps, dies_at):
    killed = in_processes(folder, steps=steps, dies_at=dies_at)
    assert killed.returncode == -9, killed.stderr
    train_process.run(folder, steps, 2, resume=True)


def test_a_killed_run_resumes_with_the_same_losses_to_the_last_bit(tmp_path):
    train_process.run(tmp_path / "whole", 6, 2)
    kill_and_resume(tmp_path / "cut", 6, dies_at=5)
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    cut, whole = weights(tmp_path / "cut"), weights(tmp_path / "whole")
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


@pytest.mark.slow
def test_it_does_so_wherever_it_is_killed(tmp_path):
    train_process.run(tmp_path / "whole", 24, 2)
    for dies_at in random.Random(1).sample(range(1, 24), 6):
        kill_and_resume(tmp_path / str(dies_at), 24, dies_at)
        assert rows(tmp_path / str(dies_at)) == rows(tmp_path / "whole"), dies_at


@pytest.mark.slow
def test_two_processes_reach_the_weights_of_one_with_the_same_whole_batch(tmp_path):
    """Each has half of the batch, and the gradients are averaged: only the order of sums differs."""
    for folder, processes in (("one", 1), ("two", 2)):
        done = in_processes(tmp_path / folder, steps=8, batch=4, processes=processes)
        assert done.returncode == 0, done.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    for alone, together in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert float(together["loss"]) == pytest.approx(float(alone["loss"]), rel=1e-4)
        assert float(together["gradient"]) == pytest.approx(float(alone["gradient"]), rel=1e-3)


def test_two_processes_end_together_by_the_clock_of_one(tmp_path):
    done = in_processes(tmp_path / "run", steps=1, batch=2, processes=2, minutes=0.05)
    assert done.returncode == 0, done.stderr
    (end,) = (tmp_path / "run" / "stages" / "only").glob("decay-*")
    assert json.loads((end / "state.json").read_text())["finished"]
