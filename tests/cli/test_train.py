"""opticflow train and recipes."""

import json

import numpy as np
import pytest

import opticflow
from opticflow.io import write_image
from opticflow.train.recipes import RECIPES
from train_toys import flying_chairs


@pytest.fixture
def sets(write_files):
    """A few pairs in the layouts of FlyingChairs and of pairs of one's own."""
    return write_files(flying_chairs("", (80, 80)))


QUICK = ("--steps", 2, "--batch", 1, "--crop", "64x64", "--device", "cpu", "--precision", "fp32")


def test_a_schedule_runs_and_goes_on_with_one_command(command, sets, tmp_path):
    run = tmp_path / "run"
    arguments = ("train", "S_short", "--model", "FlowNet2-s", "--data", f"chairs={sets}", "-o", run, *QUICK)
    code, out, err = command(*arguments)
    assert code == 0 and "chairs (training): 2 pairs" in out and "step 2 of 2, loss" in err and "samples/s" in err
    assert opticflow.load(run, device="cpu", precision="fp32") is not None
    code, _, err = command(*arguments)
    assert code == 2 and "already holds a run; add --resume" in err
    assert command(*arguments, "--resume")[0] == 0


@pytest.mark.parametrize(("recipe", "name"), [("S_short", "pairs"), ("study-schedule", "sintel-clean")])
def test_data_that_a_recipe_does_not_take_are_refused(command, sets, tmp_path, recipe, name):
    code, _, err = command("train", recipe, "--data", f"{name}={sets}", "-o", tmp_path / "run", *QUICK)
    assert code == 2 and f"--data gives {name}, which nothing takes" in err and not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_same_photographs_alone(command, tmp_path):
    (tmp_path / "photographs").mkdir()
    write_image(tmp_path / "photographs" / "one.png", np.zeros((8, 8, 3), np.uint8))
    run = tmp_path / "run"
    arguments = ("train", "S_short", "--model", "FlowNet2-s", "-o", run, *QUICK, "--steps", 1, "--validation", 0)
    photographs = ("--photographs", tmp_path / "photographs")
    code, out, _ = command(*arguments, *photographs)
    assert code == 0 and "photographs among the pictures of worlds: 1 pictures" in out
    code, _, err = command(*arguments, "--resume")
    assert code == 2 and "another settings" in err.replace("\n", " ")
    assert command(*arguments, *photographs, "--resume")[0] == 0
    code, _, err = command("train", "study-schedule", *photographs, "-o", tmp_path / "study")
    assert code == 2 and "leave --photographs out" in err


def test_what_is_missing_or_wrong_is_said_in_a_line(command, tmp_path):
    for arguments, message in [
        (("S_shrt",), "did you mean S_short"),
        (("RAFT",), "sintel-clean was not given"),
        (("RAFT", "--stages", "chair"), "has no stage 'chair'"),
        (("S_short", "--crop", "64"), "wanted width x height"),
        (("S_short", "--data", tmp_path / "no"), "there is no folder"),
        (("FlowNet2", "--steps", 3), "one step for each"),
        (("S_short", "--steps", 10**30), "one step for each, 1000"),
        (("S_short", "--batch", 10**30), "wanted 1 to 65,536"),
        (("S_short", "--seed", 2**32), "the seed is 4294967296"),
        (("S_short", "--stages", ""), "has no stage ''"),
        (("S_short", "--rate", "inf"), "learning rate of chairs is inf"),
        (("S_short", "--rate", "nan"), "learning rate of chairs is nan"),
        (("S_short", "--rate", "-1"), "learning rate of chairs is -0.0001"),
        (("S_short", "--minutes", "nan"), "the budget is nan minutes"),
        (("S_short", "--minutes", 0), "the budget is 0 minutes"),
        (("S_short", "--minutes", 1, "--steps", 2), "two budgets"),
        (("S_short", "--part-size", "9" * 400), "no amount of memory"),
        (("S_short", "--part-size", "1KB"), "too small"),
        (("S_short", "--precision", "fp16"), "fp16 is not offered"),
        (("S_short", "--model", "RAFT-small.worlds"), "no model 'RAFT-small.worlds'"),
    ]:
        code, _, err = command("train", *arguments, "-o", tmp_path / "run", "-q")
        assert code == 2 and message in err and err.count("\n") == 1, err
        assert not (tmp_path / "run").exists()


def test_recipes_lists_all_numbers(command):
    code, out, _ = command("recipes", "RAFT")
    assert code == 0 and "train_standard.sh" in out.replace("\n", "") and "100,000" in out
    code, out, _ = command("recipes", "--json")
    names = [recipe["name"] for recipe in json.loads(out)["recipes"]]
    assert code == 0 and {"default", "S_short", "S_long", "S_fine", "FlowNet2", "RAFT"} <= set(names)


@pytest.mark.parametrize("columns", ["80", "40"])
def test_recipes_break_lines_between_words(command, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = command("recipes")
    assert code == 0
    words = " ".join(out.split())
    for recipe in RECIPES.values():
        assert f"{recipe.name}: {' '.join(recipe.title.split())}" in words
        for stage in recipe.stages:
            assert f"{stage.name}: {stage.model} on {', '.join(part.dataset for part in stage.data)}" in words
            assert " ".join(stage.source.split()) in words and f"weight decay {stage.weight_decay:g}" in words
    assert all(len(line) <= int(columns) or " " not in line.strip() for line in out.splitlines())


def test_a_file_that_ends_too_early_is_no_interruption(command, monkeypatch):
    """Such an error is what a damaged pickle raises; Typer takes it for the end of what is typed."""

    def fail(*arguments):
        raise EOFError

    monkeypatch.setattr("opticflow.train.recipes.find_recipe", fail)
    code, _, err = command("train", "S_short")
    assert code == 2 and "a file ends too early" in err
