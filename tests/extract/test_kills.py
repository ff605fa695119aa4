"""Estimates that are killed at any moment, by SIGKILL, and go on: nothing may differ.

OPTICFLOW_KILLS=200 pytest tests/video/test_kills.py
"""

import contextlib
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

from pictures import moving

KILLS = int(os.environ.get("OPTICFLOW_KILLS", "6"))
RUNNER = """
import json, os, sys
from pathlib import Path
import opticflow
from opticflow.extract import ClipOptions, options, run_clip, run_clip_to_video
from opticflow.io.video import open_clip

options.SEGMENT = 5
estimator = opticflow.load("DIS")
for line in sys.stdin:  # each run in a process of its own, forked when everything is imported
    order = json.loads(line)
    if (child := os.fork()) == 0:
        one_video = order["target"].endswith(".mp4")
        try:
            (run_clip_to_video if one_video else run_clip)(
                open_clip(order["clip"]), estimator, Path(order["target"]),
                ClipOptions(**{**order["options"], "saves": tuple(order["options"]["saves"])}),
                settings={}, resume=order["resume"],
            )
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Runner:
    def __init__(self) -> None:
        words = [sys.executable, "-c", RUNNER]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def go(self, kill_after: float | None = None, **order) -> int:
        """How the run ended; 9 if it was killed."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(child, signal.SIGKILL)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def runner():
    runner = Runner()
    yield runner
    runner.process.communicate()


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("out", {"saves": ["flo", "video"], "backward": True}),
        ("out", {"saves": ["npz", "color"]}),
        ("clip.flows", {"saves": ["store"], "backward": True}),
        ("out", {"saves": ["store", "flo"]}),
        ("a.mp4", {"saves": ["video"]}),
    ],
)
def test_a_run_killed_at_any_moment_goes_on(runner, tmp_path, target, options):
    for i, frame in enumerate(moving(48, 64, 18, dx=2, dy=1)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), frame[..., ::-1])
    order = {"clip": str(tmp_path), "options": options}
    for folder in ("first", "whole"):  # the second run finds everything imported
        (tmp_path / folder).mkdir()
        begun = time.perf_counter()
        assert runner.go(target=str(tmp_path / folder / target), resume=False, **order) == 0
    seconds, random, number = time.perf_counter() - begun, np.random.default_rng(0), 0
    for _ in range(KILLS):
        folder = tmp_path / f"killed{number}"
        folder.mkdir(exist_ok=True)
        ended = runner.go(random.uniform(0, seconds / 2), target=str(folder / target), resume=True, **order)
        assert ended in (0, signal.SIGKILL)
        number += ended == 0  # the next one begins anew
    for folder in tmp_path.glob("killed*"):
        assert runner.go(target=str(folder / target), resume=True, **order) == 0
        assert contents(folder) == contents(tmp_path / "whole")
