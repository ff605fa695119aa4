"""A whole piece of GPU time with one command: checks, rate, training of the default weights, benchmark rows.

python scripts/gpu_piece.py OUT --minutes 9 [--run RUN] [--device cuda] [--workers 15] [--recipe default-gpu]

Each part has a time limit of its own and needs no other's success; its result is appended to OUT/results.jsonl at once,
what it prints to OUT/log.txt. RUN is a run to go on with; without it training begins anew. At the end OUT holds the
weights, and the state of the training in files below 16 MB: `python scripts/gpu_piece.py OUT --unpack RUN` makes a run
of them, which `opticflow train ... --resume` goes on with.
The same command with `--device cpu` rehearses it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTEST = ["-m", "pytest", "-q", "-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider"]
GPU_TESTS = ["tests/train/test_gpu.py", "tests/ops/test_lookup.py", "tests/ops/test_lookup_triton.py"]
KERNELS = """
import json, torch
from opticflow.kernels.dispatch import has_triton
card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
print(json.dumps({"torch": torch.__version__, "card": card, "triton": torch.cuda.is_available() and has_triton()}))
"""
WORLDS = """
from opticflow.scenes.worlds import make_world
for kind in ("chairs", "mixed", "drive-3d"):
    make_world(kind, 0)[0]
"""


class Piece:
    """Where results go, and how parts are run."""

    def __init__(self, out: Path) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONUNBUFFERED": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "4",
        }

    def part(self, name: str, arguments: list[str], seconds: float) -> None:
        """Run Python with arguments, for so many seconds at most."""
        begun = time.monotonic()
        with (self.out / "log.txt").open("a") as log:
            print(f"== {name}", file=log, flush=True)
            try:
                done = subprocess.run(
                    [sys.executable, *arguments],
                    cwd=ROOT,
                    env=self.environment,
                    timeout=max(1.0, seconds),
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    check=False,
                )
                code, printed = done.returncode, done.stdout
            except subprocess.TimeoutExpired as error:
                code, printed = 124, (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else ""
            log.write(printed)
        lines = printed.strip().splitlines()
        row = {"part": name, "code": code, "seconds": round(time.monotonic() - begun, 1), "last": lines[-1:]}
        print(json.dumps(row), flush=True)
        with (self.out / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=9, help="of all parts together")
    parser.add_argument("--unpack", type=Path, help="only put the state in OUT back into this folder of a run")
    parser.add_argument("--run", type=Path, help="a run to go on with")
    parser.add_argument("--recipe", default="default-gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=15)
    parser.add_argument("--benchmark-seconds", type=float, default=60)
    parser.add_argument("--train", default="", help="more options of `opticflow train`, as one word")
    options = parser.parse_args()
    if options.unpack:
        unpack(options.out, options.unpack)
        return
    end = time.monotonic() + 60 * options.minutes
    piece = Piece(options.out.resolve())
    run = piece.out / "run"
    for path in piece.out.glob("training-*"):  # of an earlier piece
        path.unlink()
    if options.run:
        shutil.copytree(options.run, run, ignore=shutil.ignore_patterns("pool", "tensorboard", "decay-*"))

    piece.part("kernels", ["-c", KERNELS], 60)
    piece.part("worlds", ["-c", WORLDS], 120)  # compiles their loops once, not in every worker
    if options.device != "cpu":
        piece.part("tests", [*PYTEST, *GPU_TESTS], 90)
    steps = ["benchmarks/training_step.py", "--device", options.device, "--json", "--model", "RAFT-pyramid"]
    small = options.device == "cpu"
    size = ["--crop", "64x64", "--batch", "2", "--iterations", "1", "--steps", "2"] if small else []
    piece.part("step", [*steps, *(size or ["--crop", "512x384", "--batch", "32", "--iterations", "4"])], 60)
    minutes = max(0.2, (end - time.monotonic() - options.benchmark_seconds - 5) / 60)
    train = ["-m", "opticflow", "train", options.recipe, "-o", str(run), "--minutes", f"{minutes:.3f}"]
    train += ["--device", options.device, "--workers", str(options.workers), "--part-size", "16MB"]
    train += ["--resume"] if options.run else []
    piece.part("training", [*train, *options.train.split()], 60 * minutes + 30)
    collect(run, piece.out)
    rows = ["-m", "opticflow", "benchmark", "RAFT-pyramid", "RAFT-small", "RAFT", "--device", options.device]
    rows += ["--size", "128x64"] if small else ["--size", "1024x436", "--size", "1920x1080", "--rounds", "20"]
    piece.part("benchmark", [*rows, "--json"], end - time.monotonic())


RECORDS = ("run.json", "log.csv")
"""Of a run, beside its state."""


def collect(run: Path, out: Path) -> None:
    """Put what training goes on from where one looks for it, in few files, and remove the rest."""
    records = {name: (run / name).read_text() for name in RECORDS if (run / name).is_file()}
    folders = sorted(run.glob("stages/*/step-*"), key=lambda folder: folder.stat().st_mtime)
    for folder in folders[-1:]:  # of the last stage
        records |= {"stage": folder.parent.name, "state.json": (folder / "state.json").read_text()}
        for file in folder.glob("training-*"):
            shutil.copy(file, out / file.name)
    if (run / "weights.safetensors").is_file():
        shutil.copy(run / "weights.safetensors", out / "weights.safetensors")
    (out / "records.json").write_text(json.dumps(records, indent=2))
    if folders:
        shutil.rmtree(run)


def unpack(out: Path, run: Path) -> None:
    """The other way round."""
    records = json.loads((out / "records.json").read_text())
    folder = run / "stages" / records["stage"] / f"step-{json.loads(records['state.json'])['step']:08d}"
    folder.mkdir(parents=True)
    for path in (*out.glob("training-*"), out / "weights.safetensors"):
        shutil.copy(path, folder / path.name)
    (folder / "state.json").write_text(records["state.json"])
    for name in RECORDS:
        (run / name).write_text(records[name])
    shutil.copy(out / "weights.safetensors", run / "weights.safetensors")


if __name__ == "__main__":
    main()
