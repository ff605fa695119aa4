"""`docs/extending.md` holds complete additions: applied to a copy of the package, each of them works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r'^```(?:python title="(?P<title>[^"]+)"|(?P<diff>diff))\n(?P<text>.*?)^```$', re.M | re.S)
TRAINING = re.compile(r"^```python\n(from pathlib import Path\nfrom opticflow.train .*?)^```$", re.M | re.S)
TARGET = re.compile(r"^\+\+\+ b/(\S+)$", re.M)

NEW = {"models/tiny_flow.py", "data/virtual_kitti.py", "io/table.py", "extract/mean_flow.py", "cli/info.py"}
CHANGED = {
    "models/__init__.py",
    "data/__init__.py",
    "io/flow_files.py",
    "extract/outputs.py",
    "cli/__init__.py",
}

USE = """
import sys
from pathlib import Path

import numpy as np
import torch

import opticflow

assert Path(opticflow.__file__).is_relative_to(Path.cwd()), opticflow.__file__
torch.set_num_threads(1)

from opticflow.cli import main
from opticflow.io import read_flow_with_mask, write_flow, write_image
from opticflow.losses import LOSS_INPUTS, LOSSES
from opticflow.models import LearnedNetwork, build


def command(*arguments):
    sys.argv = ["opticflow", *map(str, arguments)]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, (arguments, ended.code)


rng = np.random.default_rng(0)
first = rng.integers(0, 256, (40, 52, 3), np.uint8)
second = np.roll(first, 2, axis=1)
flow = rng.normal(0, 3, (40, 52, 2)).astype(np.float32)
valid = rng.random((40, 52)) < 0.9

# a network
network = build("TinyFlow")
assert isinstance(network, LearnedNetwork) and LOSS_INPUTS["multiscale"] == network.estimates
estimator = opticflow.Estimator(network, device="cpu", precision="fp32")
estimate = estimator(first, second)
assert estimate.shape == flow.shape and np.isfinite(estimate).all()
frames = torch.rand(2, 1, 3, 48, 64)
loss = LOSSES["multiscale"](
    network.predictions(*frames), torch.zeros(1, 2, 48, 64), torch.ones(1, 48, 64, dtype=torch.bool), weights=(1.0,)
)
loss.backward()
assert all(parameter.grad is not None for parameter in network.parameters())

TRAINING
assert opticflow.load("run", device="cpu", precision="fp32")(first, second).shape == flow.shape

# a data set
place = Path("vkitti2/Scene01/clone/frames")
for folder in ("rgb/Camera_0", "forwardFlow/Camera_0"):
    (place / folder).mkdir(parents=True)
write_image(place / "rgb/Camera_0/rgb_00000.jpg", first)
write_image(place / "rgb/Camera_0/rgb_00001.jpg", second)
write_flow(place / "forwardFlow/Camera_0/flow_00000.png", flow, valid)
samples = opticflow.open_dataset("virtual-kitti", ".")
assert len(samples) == 1 and samples[0].name == "Scene01/clone/Camera_0/00000"
assert np.array_equal(samples[0].valid, valid) and np.abs(samples[0].flow - flow)[valid].max() <= 1 / 128

# a flow format
write_flow("flow.csv", flow, valid)
read, known = read_flow_with_mask("flow.csv")
assert np.array_equal(known, valid) and np.array_equal(read[valid], flow[valid])
Path("cut.csv").write_bytes(Path("flow.csv").read_bytes()[:-40])
try:
    read_flow_with_mask("cut.csv")
except opticflow.FormatError as error:
    assert "cut off" in str(error)
else:
    raise AssertionError("half a table was read")

# an output of `estimate`
Path("clip").mkdir()
for number in range(3):
    write_image(f"clip/{number}.png", np.roll(first, 2 * number, axis=1))
command("estimate", "clip", "-o", "out", "--model", "DIS", "--save", "mean,csv", "--quiet")
written = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.*"))
assert written == ["csv/0.csv", "csv/1.csv", "mean/0.txt", "mean/1.txt", "opticflow.json"], written
mean = [float(word) for word in Path("out/mean/0.txt").read_text().split()]
assert np.allclose(mean, opticflow.read_flow("out/csv/0.csv").mean((0, 1)), atol=1e-3)

# a verb of the command line
command("info", "flow.csv")
command("--help")
command("models", "list")
"""


def test_every_addition_works_and_nothing_else_has_to_change(tmp_path):
    copy = tmp_path / "src" / "opticflow"
    shutil.copytree(ROOT / "src" / "opticflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = sources(copy)
    new, changed = apply_blocks(tmp_path)
    assert new == NEW and changed == CHANGED
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    (training,) = TRAINING.findall(PAGE.read_text(encoding="utf-8"))
    use = [sys.executable, "-c", USE.replace("TRAINING", training)]
    ended = subprocess.run(use, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for printed in ("52x40", "Print the size of a flow file", "TinyFlow"):
        assert printed in ended.stdout
    after = sources(copy)
    assert after.keys() - before.keys() == NEW
    assert {name for name, text in before.items() if after.get(name) != text} == CHANGED


def apply_blocks(folder: Path) -> tuple[set[str], set[str]]:
    """Apply every block of the page, in its order; the new and the changed files, by their paths in the package."""
    new: set[str] = set()
    changed: set[str] = set()
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["diff"]:
            apply_diff(block["text"], folder)
            changed |= {in_package(path) for path in TARGET.findall(block["text"])}
        else:
            path = folder / block["title"]
            assert not path.exists(), f"{block['title']} is there already"
            path.write_text(block["text"], encoding="utf-8")
            new.add(in_package(block["title"]))
    return new, changed


def apply_diff(text: str, folder: Path) -> None:
    if shutil.which("git"):
        command = ["git", "apply", "-"]
    elif shutil.which("patch"):
        command = ["patch", "-p1", "--fuzz=0"]
    else:
        pytest.skip("there is neither git nor patch")
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}  # no repository around it counts
    ended = subprocess.run(command, input=text, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, f"a diff of {PAGE.name} does not apply: {ended.stdout}{ended.stderr}\n{text}"


def in_package(path: str) -> str:
    return path.removeprefix("src/opticflow/")


def sources(package: Path) -> dict[str, str]:
    return {path.relative_to(package).as_posix(): path.read_text() for path in package.rglob("*.py")}
