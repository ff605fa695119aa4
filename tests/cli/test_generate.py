"""`opticflow generate` and `opticflow benchmark generate`."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import psutil
import pytest


@pytest.fixture
def material(tmp_path):
    """Options that name one picture and one object, so that little has to be made."""
    rng = np.random.default_rng(0)
    for name, channels in (("pictures", 3), ("objects", 4)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), rng.integers(0, 256, (60, 70, channels)).astype(np.uint8))
    return "--backgrounds", tmp_path / "pictures", "--objects", tmp_path / "objects"


def test_set_is_made_and_reported_on(command, material, tmp_path):
    folder = tmp_path / "set"
    options = ("generate", "chairs", "-n", 3, "-o", folder, "--size", "128x96", *material)
    code, out, err = command(*options, "--report")
    assert code == 0, err
    assert "3 of 3 to make, about 534.1 kB; " in out
    assert len(list((folder / "data").glob("*"))) == 9
    assert json.loads((folder / "report.json").read_text())["pairs"] == 3
    code, _, err = command(*options)
    assert code == 2
    assert "add --resume" in err
    assert len(err.splitlines()) == 1
    code, out, _ = command(*options, "--resume", "--json")
    assert json.loads(out)["made"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stools", "-n", 1), "no world 'stools'; wanted chairs"),
        (("chairs", "-n", 0), "wanted 1 to"),
        (("chairs", "-n", 10**19), "wanted 1 to"),
        (("chairs", "-n", 1, "--size", "huge"), "--size is 'huge'"),
        (("chairs", "-n", 1, "--jobs", 0), "0 jobs"),
        (("chairs", "-n", 1, "--jobs", 10**19), "wanted 1 to"),
        (("chairs", "-n", 1, "--seed", -1), "seed is -1"),
        (("chairs", "-n", 1, "--objects", "nowhere"), "no folder nowhere"),
        (("chairs", "-n", 10**8), "B free"),
    ],
)
def test_impossible_orders_get_one_line(command, tmp_path, arguments, message):
    code, _, err = command("generate", *arguments, "-o", tmp_path / "set")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
def test_benchmark_names_every_world(command):
    code, out, _ = command("benchmark", "generate", "chairs-sdhom", "--pairs", 2, "--json")
    assert code == 0
    assert json.loads(out)["chairs-sdhom"]["pairs_per_second"] > 0


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_workers_leave_interrupts_to_the_command(material, tmp_path, processes):
    """From their first moment on, as when all processes of a terminal get Ctrl-C; while one of them begins, too."""
    options = ("generate", "chairs", "-n", "20000", "-o", "set", "--size", "128x96", "--jobs", "2", *map(str, material))
    command = [sys.executable, "-m", "opticflow", *options]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True) as process:
        children = psutil.Process(process.pid).children
        while process.poll() is None and len(children()) < processes:  # two, and multiprocessing's own
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b"interrupted\n" and process.wait() == 130
