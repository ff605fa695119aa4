"""opticflow data check"""

import json

import numpy as np


def pair(seed: int = 0) -> dict:
    frame = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    return {"a/img1.png": frame, "a/img2.png": frame, "a/gt.flo": np.ones((8, 12, 2), dtype=np.float32)}


def test_a_sound_set_passes(command, write_files):
    code, out, _ = command("data", "check", "pairs", write_files(pair()))
    assert code == 0
    assert "1 pair, 1 read, 0 broken" in out
    assert "longest vector 1.4 px in a" in out


def test_a_broken_set_fails_and_names_the_pair(command, write_files):
    root = write_files(pair() | {"a/gt.flo": np.ones((8, 11, 2), dtype=np.float32)})
    code, out, err = command("data", "check", "pairs", root, "--json")
    assert code == 1
    assert "a: the truth is 11x8" in err
    report = json.loads(out)
    assert (report["pairs"], report["broken"]) == (1, 1)


def test_a_wrong_root_is_one_line_and_code_2(command, tmp_path):
    code, out, err = command("data", "check", "kitti-2015", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is nothing" in err
