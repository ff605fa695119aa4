"""`opticflow estimate`, as a user meets it: exit codes, one line for what is wrong, and a run that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import opticflow
from clips import write_clip
from opticflow.io import read_image, write_image
from opticflow.weights import DEFAULT_MODEL
from pictures import moving

FRAMES = moving(48, 64, 6)


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    paths = [tmp_path / f"frame{i}.png" for i in (1, 2)]
    for path, frame in zip(paths, FRAMES, strict=False):
        cv2.imwrite(str(path), frame[..., ::-1])
    return paths


@pytest.mark.parametrize("suffix", [".flo", ".exr", ".pfm", ".npz"])
def test_the_suffix_of_a_pair_chooses_the_format(pictures, tmp_path, opticflow_command, suffix):
    code, out, _ = opticflow_command("estimate", *pictures, "-o", tmp_path / f"flow{suffix}", "--model", "DIS")
    assert code == 0 and f"flow{suffix}" in out
    flow = opticflow.read_flow(tmp_path / f"flow{suffix}")
    np.testing.assert_allclose(np.median(flow, (0, 1)), (2, 1), atol=0.1)


def test_a_name_that_nobody_gave_replaces_nothing(pictures, tmp_path, opticflow_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frame1.flo").write_bytes(b"mine")
    code, _, err = opticflow_command("estimate", *pictures, "--model", "DIS")
    assert code == 2 and "frame1.flo is there already" in err and (tmp_path / "frame1.flo").read_bytes() == b"mine"
    assert opticflow_command("estimate", *pictures, "--model", "DIS", "--overwrite")[0] == 0
    assert opticflow.read_flow("frame1.flo").shape == (48, 64, 2)


def test_pictures_of_cameras_with_12_bits(tmp_path, pictures, opticflow_command):
    """As those of 8 bits that show the same; without `--white` there is one line of warning."""
    for clip, factor in (("8", 1), ("12", 4095 / 255), ("stack", 4095 / 255)):
        (tmp_path / clip).mkdir()
        dtype = np.uint8 if factor == 1 else np.uint16
        frames = [np.rint(frame * factor).astype(dtype) for frame in FRAMES[:3]]
        for index, frame in enumerate(frames):
            cv2.imwrite(str(tmp_path / clip / f"{index}.png"), frame)
        cv2.imwritemulti(str(tmp_path / clip / "clip.tif"), frames)

    def flow(name, *switches):
        sources = [tmp_path / name] if name.endswith(".tif") else sorted((tmp_path / name).glob("*.png"))
        out = tmp_path / f"{name.replace('/', '-')}-flow"
        code, _, err = opticflow_command("estimate", *sources, "-o", out, "--save", "flo", "--model", "DIS", *switches)
        assert (code, err) == (0, "")
        return np.stack([opticflow.read_flow(path) for path in sorted((out / "flo").glob("*.flo"))])

    plain = flow("8")
    assert plain.shape == (2, 48, 64, 2)
    np.testing.assert_array_equal(flow("12", "--white", 4095), plain)
    np.testing.assert_array_equal(flow("stack/clip.tif", "--white", 4095), plain)
    two = sorted((tmp_path / "12").glob("*.png"))[:2]
    assert opticflow_command("estimate", *two, "-o", tmp_path / "a.flo", "--model", "DIS", "--white", 4095)[0] == 0
    np.testing.assert_array_equal(opticflow.read_flow(tmp_path / "a.flo"), plain[0])

    line = [sys.executable, "-m", "opticflow", "estimate", *two, "-o", tmp_path / "b.flo", "--model", "DIS"]
    warned = subprocess.run([*map(str, line)], capture_output=True, text=True, check=True)
    assert warned.stderr.startswith("warning: a picture of 16 bits uses the lowest 12")
    assert warned.stderr.count("\n") == 1 and "--white 4095" in warned.stderr


def test_white_is_not_for_videos(tmp_path, opticflow_command):
    write_clip(tmp_path / "a.mp4", FRAMES)
    code, _, err = opticflow_command("estimate", tmp_path / "a.mp4", "--model", "DIS", "--white", 4095)
    assert code == 2 and "is a video" in err and not list(tmp_path.glob("*-flow"))


def test_both_directions_and_half_precision_of_a_pair(pictures, tmp_path, opticflow_command):
    switches = ["--backward", "--half", "--model", "DIS"]
    assert opticflow_command("estimate", *pictures, "-o", tmp_path / "f.npz", *switches)[0] == 0
    back = opticflow.read_flow(tmp_path / "f-backward.npz")
    np.testing.assert_allclose(np.median(back, (0, 1)), (-2, -1), atol=0.1)
    assert np.load(tmp_path / "f.npz")["flow"].dtype == np.float16
    assert cv2.imread(str(tmp_path / "f-occlusion.png"), 0).shape == (48, 64)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".PNG"])
def test_a_picture_suffix_gives_colours(pictures, tmp_path, opticflow_command, suffix):
    switches = ["--model", "DIS", "--max-flow", "20"]
    code, out, _ = opticflow_command("estimate", *pictures, "-o", tmp_path / f"c{suffix}", *switches)
    assert code == 0 and "full at 20.0 px" in out
    opticflow_command("estimate", *pictures, "-o", tmp_path / "flow.flo", "--model", "DIS")
    wanted = opticflow.flow_to_image(opticflow.read_flow(tmp_path / "flow.flo"), max_flow=20)
    assert np.abs(read_image(tmp_path / f"c{suffix}").astype(int) - wanted).mean() < 4


def test_kitti_flow_of_a_pair_has_a_name_of_its_own(pictures, tmp_path, opticflow_command):
    switches = ["--model", "DIS", "--save", "kitti", "-o", tmp_path / "out"]
    assert opticflow_command("estimate", *pictures, *switches)[0] == 0
    flow = opticflow.read_flow(tmp_path / "out" / "kitti" / "frame1.png")
    np.testing.assert_allclose(np.median(flow, (0, 1)), (2, 1), atol=0.1)


def test_a_clip_gives_a_video_and_a_summary(tmp_path, opticflow_command):
    clip = write_clip(tmp_path / "clip.mp4", FRAMES)
    code, out, err = opticflow_command("estimate", clip, "-o", tmp_path / "out", "--save", "flo,video", "--json")
    summary = json.loads(out)
    assert (code, err) == (0, "") and summary["pairs"] == 5
    assert summary["model"] == DEFAULT_MODEL and summary["refine"]
    assert len(list((tmp_path / "out" / "flo").glob("*.flo"))) == 5 and (tmp_path / "out" / "flow.mp4").exists()
    assert opticflow_command("estimate", clip, "-o", tmp_path / "quiet", "--quiet") == (0, "", "")


def test_features_can_be_made_anew_and_starts_be_warm(tmp_path, opticflow_command):
    clip = write_clip(tmp_path / "clip.mp4", FRAMES)
    for name, switches in {"kept": [], "anew": ["--no-reuse"], "warm": ["--warm-start"]}.items():
        always = ["-o", tmp_path / name, "--save", "flo", "--model", "DIS"]
        code, out, _ = opticflow_command("estimate", clip, *always, *switches)
        assert code == 0 and "full colour" not in out
    kept, anew, warm = ((tmp_path / name / "flo" / "000003.flo").read_bytes() for name in ("kept", "anew", "warm"))
    assert kept == anew != warm


def bad_inputs(folder: Path) -> dict[str, list]:
    """Arguments that must be refused, by what the line must say."""
    first, second = folder / "a.png", folder / "b.png"
    cv2.imwrite(str(first), FRAMES[0])
    cv2.imwrite(str(second), FRAMES[1][:, :32])
    (folder / "empty").mkdir()
    text = folder / "text.mp4"
    text.write_text("words")
    (folder / "file").write_text("in the way")
    broken = folder / "broken.png"
    broken.write_bytes(first.read_bytes()[:150])
    nan = folder / "nan.tiff"
    cv2.imwrite(str(nan), np.full((8, 8, 3), np.nan, np.float32))
    one = write_clip(folder / "one.mp4", FRAMES[:1])
    return {
        "32x48 and those before it are 64x48": [first, second],
        "there is no file or folder": [folder / "none.mp4"],
        "none.png": [first, folder / "none.png"],
        "holds no picture": [folder / "empty"],
        "cannot be opened as video": [text],
        "broken.png": [first, broken],
        "NaN": [nan, nan],
        "fewer than two frames": [one],
        "there is no model 'DISS'; did you mean DIS": [first, first, "--model", "DISS"],
        "known are flo, kitti": [first, first, "--save", "florr"],
        "no precision": [first, first, "--precision", "int8"],
        "no flow format": [first, first, "-o", folder / "flow.xyz"],
        "there is no folder": [first, first, "-o", folder / "nowhere" / "flow.flo"],
        "exists": [folder / "one.mp4", "-o", folder / "file"],
        "wanted a factor": [first, first, "--scale", "0"],
        "is read, and would be written to": [first, second, "-o", first],
        "is a clip of its own": [folder, folder],
        "fewer than two frames in": [first, first, "--step", "3"],
        "wanted pixels above 0": [first, folder / "b.png", "-o", "o", "--save", "color", "--max-flow", "-3"],
        "max-flow is for drawings": [first, first, "-o", "f.flo", "--max-flow", "3"],
        "save color or video too": [first, first, "-o", "o", "--save", "flo", "--max-flow", "3"],
        "half is for": [first, first, "-o", "f.flo", "--half"],
        "half is for npz": [first, first, "-o", "o", "--save", "flo", "--half"],
        "start is 1000000000000000000000000000000": [first, first, "-o", "o", "--save", "flo", "--start", 10**30],
        "batch is 1000000000000000000000000000000": [first, first, "-o", "o", "--save", "flo", "--batch", 10**30],
        "No such option": [first, first, "--nope"],
        "Invalid value for '--scale'": [first, first, "--scale", "abc"],
        "Missing argument": [],
    }


@pytest.mark.parametrize(
    "words",
    [
        "32x48 and those before it are 64x48",
        "there is no file or folder",
        "none.png",
        "holds no picture",
        "cannot be opened as video",
        "broken.png",
        "NaN",
        "fewer than two frames",
        "there is no model 'DISS'; did you mean DIS",
        "known are flo, kitti",
        "no precision",
        "no flow format",
        "there is no folder",
        "exists",
        "wanted a factor",
        "is read, and would be written to",
        "is a clip of its own",
        "fewer than two frames in",
        "wanted pixels above 0",
        "max-flow is for drawings",
        "save color or video too",
        "half is for",
        "half is for npz",
        "start is 1000000000000000000000000000000",
        "batch is 1000000000000000000000000000000",
        "No such option",
        "Invalid value for '--scale'",
        "Missing argument",
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, opticflow_command, monkeypatch, words):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    arguments = bad_inputs(tmp_path)[words]
    code, out, err = opticflow_command("estimate", *arguments)
    assert code == 2 and out == "" and words in err
    assert err.count("\n") == 1 and err.startswith("error: ")
    assert list(Path().iterdir()) == []


def test_an_interruption_says_how_to_go_on(tmp_path, opticflow_command, monkeypatch):
    def interrupt(self, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("opticflow.estimator.Estimator.pairs", interrupt)
    clip = write_clip(tmp_path / "clip.mp4", FRAMES)
    code, _, err = opticflow_command("estimate", clip, "-o", tmp_path / "out", "--quiet")
    assert code == 130 and err == "interrupted; the same command with --resume goes on\n"


@pytest.mark.slow
def test_kill_9_and_resume_equal_an_uninterrupted_run(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", moving(160, 240, 70, dx=1, dy=1))
    command = [sys.executable, "-m", "opticflow", "estimate", str(clip), "--model", "DIS"]
    command += ["--save", "flo,video", "--quiet", "-o"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    process = subprocess.Popen([*command, str(tmp_path / "killed")])
    while len(list((tmp_path / "killed").glob("flo/*.flo"))) < 40:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list((tmp_path / "killed").glob("flo/*.flo"))) < 69, "the process was killed on its way"
    subprocess.run([*command, str(tmp_path / "killed"), "--resume"], check=True)
    whole, killed = contents(tmp_path / "whole"), contents(tmp_path / "killed")
    assert whole.keys() == killed.keys() and all(whole[name] == killed[name] for name in whole)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_deterministic_is_the_same_whatever_the_number_of_threads(command, tmp_path, set_threads):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, frame in enumerate(moving(64, 96, 3)):
        write_image(frames / f"{number}.png", frame)
    usual = ("estimate", frames, "--save", "flo", "--iterations", 2, "--deterministic", "-q")
    for threads in (1, 2):
        set_threads(threads)
        assert command(*usual, "-o", tmp_path / str(threads))[0] == 0
        assert torch.get_num_threads() == 1
    one, two = ([file.read_bytes() for file in sorted((tmp_path / n / "flo").iterdir())] for n in "12")
    assert len(one) == 2 and one == two
    for option in (("--precision", "bf16"), ("--batch", 2), ("--device", "cuda")):
        code, _, err = command(*usual, *option, "-o", tmp_path / "other")
        assert code == 2 and "--deterministic is fp32 on the CPU, pair by pair" in err
