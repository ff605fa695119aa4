"""Broken samples are found and named."""

import numpy as np

from opticflow.data import check_dataset, open_dataset


def test_findings(write_files):
    random = np.random.default_rng(0)
    frame = random.integers(0, 255, (8, 12, 3), dtype=np.uint8)
    flow = np.ones((8, 12, 2), dtype=np.float32)
    nothing = np.zeros((8, 12), dtype=bool)
    truths = {
        "1-good": flow * 2,
        "2-empty": (flow, nothing),
        "3-far": flow * 100,
        "4-size": flow[1:],
        "5-black": flow,
    }
    files = {}
    for name, truth in truths.items():
        first = frame * 0 if name == "5-black" else frame
        files |= {f"{name}/img1.png": first, f"{name}/img2.png": frame, f"{name}/gt.flo": truth}
    findings = list(check_dataset(open_dataset("pairs", write_files(files))))
    assert [finding.name for finding in findings] == list(truths)
    problems = [finding.problem or "" for finding in findings]
    assert problems[0] == ""
    assert findings[0].valid_share == 1
    assert round(findings[0].longest, 3) == round(np.hypot(2, 2), 3)
    for problem, words in zip(
        problems[1:], ("no pixel", "141 px, more than four times", "the truth is 12x7", "one colour"), strict=True
    ):
        assert words in problem


def test_test_splits_are_read_too(write_files):
    frame = np.zeros((8, 12, 3), dtype=np.uint8)
    scene = "test/clean/market_1"
    root = write_files({f"{scene}/frame_0001.png": frame, f"{scene}/frame_0002.png": frame[1:]})
    (finding,) = check_dataset(open_dataset("sintel-clean", root, "test"))
    assert "the second frame is 12x7" in (finding.problem or "")
