"""Peak memory of `opticflow estimate` on a short and on a long clip: it must not grow with the length.

python benchmarks/clip_memory.py [--frames 200 2000] [--size 640x480] [--model DIS]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from opticflow.io.video import VideoWriter


def make_clip(path: Path, count: int, width: int, height: int) -> None:
    """A camera that pans over random colours."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 6, width // 3, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (width * 2, height), interpolation=cv2.INTER_CUBIC)
    with VideoWriter(path) as writer:
        for i in range(count):
            left = abs((3 * i) % (2 * width) - width)
            writer.write(np.ascontiguousarray(picture[:, left : left + width]), i / 25)


def peak_memory(clip: Path, out: Path, model: str) -> tuple[float, float]:
    """Peak resident memory in MB and seconds of one run."""
    command = [sys.executable, "-m", "opticflow", "estimate", str(clip), "-o", str(out), "--save", "npz,video"]
    begun = time.perf_counter()
    process = subprocess.Popen([*command, "--half", "--model", model, "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--model", default="DIS")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for count in options.frames:
            clip, out = Path(place, f"{count}.mp4"), Path(place, "out")
            make_clip(clip, count, width, height)
            memory, seconds = peak_memory(clip, out, options.model)
            rows.append({"frames": count, "peak_mb": round(memory, 1), "seconds": round(seconds, 1)})
            print(rows[-1], flush=True)
            shutil.rmtree(out)
    print(json.dumps({"size": options.size, "model": options.model, "runs": rows}))
    print(f"ratio of the peaks: {rows[-1]['peak_mb'] / rows[0]['peak_mb']:.3f}")


if __name__ == "__main__":
    main()
