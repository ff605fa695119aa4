"""What the library leaves as it found it in the process that it is used by."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
import logging, os, random, signal, sys, warnings
from pathlib import Path

import cv2
import numpy as np
import torch

torch.set_num_threads(2)


def look():
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "warnings": list(warnings.filters),
        "random": random.getstate(),
        "NumPy's random numbers": str(np.random.get_state()),
        "PyTorch's random numbers": torch.get_rng_state().tolist(),
        "PyTorch's threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "OpenCV's threads": cv2.getNumThreads(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "type": torch.get_default_dtype(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
        "arithmetic": (np.geterr(), torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()),
        "log": (list(logging.root.handlers), logging.root.level),
        "streams": (sys.stdin, sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino),
        "hooks": (sys.excepthook, sys.path[:]),
    }


before = look()


def unchanged(after):
    now = look()
    changed = [name for name in before if now[name] != before[name]]
    assert not changed, f"{after} changes {changed}"


import opticflow

unchanged("import opticflow")
import opticflow.data, opticflow.estimator.speed, opticflow.evaluate, opticflow.io, opticflow.metrics
import opticflow.extract, opticflow.scenes.worlds, opticflow.visualize, opticflow.weights

unchanged("importing its parts")
try:
    import opticflow.train
except ImportError:
    pass
unchanged("importing opticflow.train")
frames = [np.kron(np.random.default_rng(0).integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)] * 3
estimator = opticflow.load(device="cpu", precision="fp32", iterations=2)
unchanged("load")
flow = estimator(frames[0], frames[1])
unchanged("an estimate")
list(estimator.pairs(frames, backward=True, warm_start=True))
unchanged("a stream")
opticflow.load("DIS")(frames[0], frames[1])
unchanged("DIS")
opticflow.load(device="cpu", precision="bf16", iterations=1, max_memory="8GB")(frames[0], frames[1])
unchanged("an estimate within an amount of memory")
opticflow.flow_to_image(flow)
unchanged("a picture of flow")
for suffix in ("flo", "pfm", "npy", "npz", "png", "exr", "flo5"):
    try:
        opticflow.write_flow(Path(f"a.{suffix}"), flow)
        opticflow.read_flow(Path(f"a.{suffix}"))
    except opticflow.OpticflowError:
        pass  # an extra that is not installed
    unchanged(f"a .{suffix} file")
from opticflow.io import read_image, write_image

for suffix in ("png", "jpg", "tif"):
    write_image(Path(f"b.{suffix}"), frames[0])
    read_image(Path(f"b.{suffix}"))
    unchanged(f"a .{suffix} picture")
from opticflow.estimator.describe import describe

describe("RAFT-small", "64x64")
unchanged("a description")
"""


def run(program: str, folder: Path, seconds: int = 300) -> str:
    """What a program prints that runs in a process of its own and ends well."""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_nothing_of_the_process_is_changed(tmp_path):
    run(PROGRAM, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("model", ["DIS", "RAFT-small.worlds"])
def test_a_process_that_is_forked_after_an_estimate_estimates_the_same(tmp_path, model):
    program = f"""
        import multiprocessing, numpy as np, opticflow, torch
        torch.set_num_threads(2)
        frames = [np.random.default_rng(i).integers(0, 255, (96, 128, 3)).astype(np.uint8) for i in range(2)]
        estimator = opticflow.load({model!r}, device="cpu", precision="fp32")
        work = lambda _=0: float(np.abs(estimator(*frames)).mean())
        def answer(pipe):
            pipe.send((work(), torch.get_num_threads()))
        mine = work()
        context = multiprocessing.get_context("fork")
        for _ in range(2):
            ours, theirs = context.Pipe()
            child = context.Process(target=answer, args=(theirs,), daemon=True)
            child.start()
            assert ours.poll(60), "the child hangs"
            found, threads = ours.recv()
            assert abs(found - mine) < 1e-3 * mine and threads == 1
        assert torch.get_num_threads() == 2 and work() == mine
    """
    run(program, tmp_path)
