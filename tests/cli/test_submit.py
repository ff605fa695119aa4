"""opticflow submit"""

import numpy as np


def test_a_trial_run_says_what_is_missing(command, write_files, tmp_path):
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    root = write_files({f"testing/image_2/{n:06d}_{t}.png": frame for n in (0, 1) for t in (10, 11)})
    code, out, err = command("submit", "DIS", "kitti-2015", root, "-o", tmp_path / "out", "--limit", 1)
    assert (code, err) == (1, "")
    assert "has 2 test pairs; a full submission has 200" in out
    assert "flow/000001_10.png is missing" in out
    assert "2 faults; the server would not take this" in out
    assert (tmp_path / "out" / "flow" / "000000_10.png").is_file()


def test_a_wrong_benchmark_is_one_line_and_code_2(command, tmp_path):
    code, out, err = command("submit", "DIS", "hd1k", tmp_path, "-o", tmp_path / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no submission for 'hd1k'" in err
