"""opticflow convert"""

import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from opticflow.cli import app, main
from opticflow.io import read_flow, write_flow


def test_what_was_lost_is_printed(tmp_path):
    flow = np.full((4, 5, 2), 0.1, np.float32)
    flow[0, 0] = np.nan
    write_flow(tmp_path / "a.flo", flow)
    a, b, c = (str(tmp_path / name) for name in ("a.flo", "b.png", "c.pfm"))
    result = CliRunner().invoke(app, ["convert", a, b], catch_exceptions=False)
    # 0.1 px is 6.4 steps of 1/64 px, and becomes 6
    assert result.output == f"{a} -> {b}: rounded by at most 0.0063 px; 1 of 20 pixels unknown, kept so\n"
    result = CliRunner().invoke(app, ["convert", a, c], catch_exceptions=False)
    assert "nothing lost" in result.output


def test_a_folder(tmp_path):
    write_flow(tmp_path / "a.flo", np.ones((4, 5, 2), np.float32))
    result = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "d"), "--to", "npz", "--half"])
    assert result.exit_code == 0
    np.testing.assert_array_equal(read_flow(tmp_path / "d" / "a.npz"), 1)


def test_files_in_the_other_folder_are_replaced_with_a_word_only(tmp_path, opticflow_command):
    flows, frames = tmp_path / "flow", tmp_path / "frames"
    for folder in (flows, frames):
        folder.mkdir()
    for name in "ab":
        write_flow(flows / f"{name}.flo", np.ones((4, 5, 2), np.float32))
    (frames / "b.png").write_bytes(b"mine")
    code, out, err = opticflow_command("convert", flows, frames, "--to", "png")
    assert (code, out) == (2, "") and "b.png is there already" in err and len(list(frames.iterdir())) == 1
    assert (frames / "b.png").read_bytes() == b"mine"
    assert opticflow_command("convert", flows, frames, "--to", "png", "--overwrite")[0] == 0
    np.testing.assert_array_equal(read_flow(frames / "b.png"), 1)


@pytest.mark.parametrize(
    "arguments",
    [["a.flo", "a.flo"], ["a.flo", "b.png"], ["bad.flo", "b.pfm"], ["a.flo", "b.xyz"], [".", "b"]],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capfd, arguments):
    write_flow(tmp_path / "a.flo", np.full((2, 2, 2), 600, np.float32))
    (tmp_path / "bad.flo").write_bytes(b"text")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["opticflow", "convert", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capfd.readouterr()
    assert stop.value.code == 2 and printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
