"""`opticflow demo` needs nothing at hand."""

import json

import opticflow
from opticflow.io import read_image


def test_the_demo_finds_the_motion_and_says_how_well(tmp_path, opticflow_command):
    code, out, _ = opticflow_command("demo", "-o", tmp_path / "out", "--model", "DIS", "--json")
    report = json.loads(out)
    assert code == 0 and report["end_point_error"] < 0.5 * report["zero_error"]
    frames = list(opticflow.read_video(report["video"]))
    assert len(frames) == report["pairs"] >= 9
    height, width = frames[0].shape[:2]
    assert read_image(report["still"]).shape == (height, 3 * width, 3)


def test_the_demo_prints_where_the_results_are(tmp_path, opticflow_command):
    code, out, _ = opticflow_command("demo", "-o", tmp_path / "out", "--model", "DIS")
    assert code == 0 and "frames per second" in out and "end-point error" in out
    assert str(tmp_path / "out" / "flow.mp4") in out and str(tmp_path / "out" / "still.png") in out
