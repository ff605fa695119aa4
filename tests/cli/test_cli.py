"""The command as a whole."""

import os
import types

import numpy as np
import pytest
import typer.core
import typer.main

from opticflow.cli import app
from opticflow.io import read_flow, write_image
from pictures import moving


@pytest.mark.parametrize("arguments", [(), ("data",)])
def test_a_group_without_a_verb_shows_its_help(command, arguments):
    code, out, err = command(*arguments)
    assert (code, err) == (0, "") and "Usage:" in out and "--help" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--version",), "error: No such option: --version. See"),
        (("view", "--max-flw", "3"), ". See"),
        (("view", "--max-flow"), "requires an argument. See"),
        (("view", "x.flo", "--max-flow", "far"), "'--max-flow': "),
        (("estimat",), "See"),
        (("models", "lst"), "See"),
    ],
)
def test_messages_are_sentences(command, arguments, sentence):
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and sentence in err
    before, _, after = err.rpartition(" See `opticflow --help`.")
    assert before[-1] in ".?!" and before[-2] not in ".?!" and after == "\n"


def test_windows_gets_its_patterns_expanded(command, tmp_path, monkeypatch):
    """The shell does it elsewhere."""
    for number, frame in enumerate(moving(64, 96, 2)):
        write_image(tmp_path / f"img{number}.png", frame)
    arguments = ("estimate", tmp_path / "img*.png", "-o", tmp_path / "flow.flo", "--model", "DIS")
    monkeypatch.setattr(typer.core, "os", types.SimpleNamespace(**vars(os) | {"name": "nt"}))
    code, _, err = command(*arguments)
    assert (code, err) == (0, "")
    flow = read_flow(tmp_path / "flow.flo")
    assert abs(np.median(flow[..., 0])) == pytest.approx(2, abs=0.2)  # in the order of the file system


def test_lists_of_verbs_have_whole_sentences():
    group = typer.main.get_command(app)
    for name, verb in group.commands.items():  # type: ignore[attr-defined]
        listed = verb.get_short_help_str()
        assert listed[-1] in ".:" and "..." not in listed, (name, listed)
        assert " ".join(verb.help.split()).startswith(listed)
