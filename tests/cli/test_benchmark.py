import json

import pytest


def test_models_are_measured_and_written(opticflow_command, tmp_path):
    file = tmp_path / "speed.json"
    code, printed, _ = opticflow_command(
        "benchmark",
        "RAFT-small",
        "DIS",
        "--size",
        "64x48",
        "--rounds",
        1,
        "--bare",
        "--precision",
        "fp32",
        "--json",
        file,
    )
    assert code == 0 and "RAFT-small" in printed and "DIS" in printed
    report = json.loads(file.read_text())
    raft, classical = report["rows"]
    assert (raft["width"], raft["height"], raft["precision"]) == (64, 48, "fp32")
    assert raft["milliseconds"] > 0 and raft["memory"] > 50e6 and raft["iterations"] == 12
    assert raft["ratio"] == pytest.approx(raft["plain_milliseconds"] / raft["milliseconds"], rel=0.01)
    assert classical["ratio"] is None
    assert "torch" in report["machine"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RAFT-smal"], "RAFT-small"),
        (["DIS", "--size", "64by48"], "size"),
        (["DIS", "--size", f"{10**30}x48"], "is no size"),
        (["DIS", "--precision", "int8"], "int8"),
        (["generate", "chairs", "--pairs", "0"], "--pairs"),
    ],
)
def test_what_cannot_be_measured_is_one_line(opticflow_command, arguments, said):
    code, _, error = opticflow_command("benchmark", *arguments)
    assert code == 2 and said in error and len(error.strip().splitlines()) == 1


def test_the_stages_of_a_clip_are_measured(opticflow_command, tmp_path):
    file = tmp_path / "clip.json"
    code, printed, _ = opticflow_command(
        "benchmark", "clip", "--model", "DIS", "--end", 4, "--rounds", 1, "--json", file
    )
    assert code == 0 and "DIS, 3 pairs" in printed and "the network does not run for" in printed
    report = json.loads(file.read_text())
    assert report["clip"] == "clip.mp4" and 0 < report["rows"][0]["outside"] < 1 and "torch" in report["machine"]


def test_streams_are_measured(opticflow_command, tmp_path):
    file = tmp_path / "stream.json"
    code, printed, _ = opticflow_command("benchmark", "stream", "DIS", "--rounds", 1, "--json", file)
    rows = json.loads(file.read_text())["rows"]
    assert code == 0 and "kept   warm" in printed and len(rows) == 4
    assert rows[0]["end_point_error"] == rows[2]["end_point_error"] < 1
