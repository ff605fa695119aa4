"""opticflow view"""

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from opticflow.cli import app, main
from opticflow.io import read_image, write_flow, write_image
from opticflow.visualize import draw_flow


def test_a_picture_and_its_scale(tmp_path):
    write_flow(tmp_path / "a.flo", np.full((4, 5, 2), 3, np.float32))
    result = CliRunner().invoke(app, ["view", str(tmp_path / "a.flo")], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output == f"{tmp_path / 'a.color.png'} (scale: 0 to 4.243 px)\n"


def test_every_option(tmp_path):
    flow = np.full((4, 5, 2), 3, np.float32)
    write_flow(tmp_path / "a.flo", flow)
    frame = draw_flow(flow)
    arguments = ["view", str(tmp_path), "-o", str(tmp_path / "out"), "--style", "arrows", "--max-flow", "7"]
    arguments += ["--percentile", "50", "--legend", "--frame", str(tmp_path / "frame.png")]
    write_image(tmp_path / "frame.png", frame)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "scale: 0 to 7 px" in result.output
    wanted = draw_flow(flow, "arrows", max_flow=7.0, frame=frame, with_legend=True)
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "a.arrows.png"), wanted)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.flo"],
        ["missing.flo"],
        ["b.flo", "-o", "missing/b.png"],
        ["b.flo", "-o", "b.xyz"],
        ["b.flo", "--style", "rainbow"],
        ["b.flo", "--max-flow", "0"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capfd, arguments):
    (tmp_path / "a.flo").write_bytes(b"HEIP" + bytes(20))
    write_flow(tmp_path / "b.flo", np.ones((2, 2, 2), np.float32))
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["opticflow", "view", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capfd.readouterr()
    assert stop.value.code == 2 and printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_decoder_of_a_broken_frame_adds_no_lines(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    write_image(tmp_path / "frame.jpg", frame)
    (tmp_path / "frame.jpg").write_bytes((tmp_path / "frame.jpg").read_bytes()[:700])
    write_flow(tmp_path / "a.flo", np.ones((40, 50, 2), np.float32))
    command = [sys.executable, "-m", "opticflow", "view", "a.flo", "--style", "overlay", "--frame", "frame.jpg"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: frame.jpg") and run.stderr.count("\n") == 1
