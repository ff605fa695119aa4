"""Measure the flow store on clips: bytes per pixel against error beside other formats, the time of a run that writes it
beside one that writes `.flo`, and the time of random reads.

    python benchmarks/flow_store.py CLIP... [--models DIS,RAFT-pyramid.worlds] [--frames 10] [--json FILE] [--plot FILE]
"""

import argparse
import json
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import opticflow
from opticflow.evaluate.environment import environment
from opticflow.extract import ClipOptions, run_clip
from opticflow.io import FLOW_FORMATS
from opticflow.io.video import open_clip
from opticflow.shapes import as_flow
from opticflow.store.writer import SegmentWriter

ERRORS = [Fraction(1, 2**power) for power in (9, 8, 7, 6, 5, 4, 3, 2)]
FORMATS = ("flo", "kitti", "npz", "npz half", "exr half")
ROUNDS = 3


def sizes(flows: list[np.ndarray], folder: Path) -> dict[str, tuple[float, float]]:
    """Return the bytes per pixel of forward flow, and its largest error in pixels, in each format."""
    pixels = sum(flow.shape[0] * flow.shape[1] for flow in flows)
    found = {}
    for name in FORMATS:
        known = next(form for form in FLOW_FORMATS.values() if form.name == name.split()[0])
        encode = known.encode_half if name.endswith("half") else known.encode
        files = [encode(*as_flow(flow)) for flow in flows]
        error = max(float(np.abs(known.decode(data)[0] - flow).max()) for data, flow in zip(files, flows, strict=True))
        found[name] = (sum(map(len, files)) / pixels, error)
    for error in ERRORS:
        path = folder / f"{error.denominator}.flows"
        writer = SegmentWriter(path, error, {})
        for index, flow in enumerate(flows):
            writer.add(index, f"{index:06d}", index / 25, flow)
        written = writer.write()
        store = opticflow.open_store(path)
        largest = max(float(np.abs(store.flow(index) - flow).max()) for index, flow in enumerate(flows))
        found[f"store {error}"] = (written.stat().st_size / pixels, largest)
        store.close()
    return found


def runs(clip: Path, model: str, frames: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the seconds, and the bytes, of runs that write different outputs; the fastest of alternating rounds."""
    estimator, found = opticflow.load(model), {}
    ways = {
        "flo": ClipOptions(saves=("flo",), backward=True, end=frames),
        "store 1/64": ClipOptions(saves=("store",), backward=True, end=frames),
        "store 1/16": ClipOptions(saves=("store",), backward=True, end=frames, error=Fraction(1, 16)),
    }
    run_clip(open_clip(clip), estimator, folder / "warm", ways["flo"], settings={}, overwrite=True)
    for number in range(ROUNDS):
        for name, options in ways.items():
            target = folder / f"{name.replace('/', '-')}-{number}"
            report = run_clip(open_clip(clip), estimator, target, options, settings={})
            size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
            best = found.get(name, {}).get("seconds", np.inf)
            if report.seconds < best:
                found[name] = {
                    "seconds": report.seconds,
                    "waiting for files": round(report.writing * report.seconds, 3),
                    "work of the writer": report.encoding,
                    "bytes": size,
                }
    return found


def reads(folder: Path, pairs: int, height: int, width: int) -> dict[str, float]:
    """Return milliseconds of reads from a long store: of the first and the last pair, and of random stacks."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 3, (2 * height + 64, width + 64, 2)).astype(np.float32)
    path = folder / "long.flows"
    for first in range(0, pairs, 32):
        writer = SegmentWriter(path, Fraction(1, 64), {})
        for index in range(first, min(first + 32, pairs)):
            writer.add(index, f"{index:06d}", index / 25, base[index % 64 : index % 64 + height, :width].copy())
        writer.write()
    found = {}

    def timed(name: str, read, rounds: int = 15) -> None:
        seconds = []
        for number in range(rounds):
            begun = time.perf_counter()
            read(number)
            seconds.append(time.perf_counter() - begun)
        found[name] = round(1000 * float(np.median(seconds)), 2)

    timed("opening", lambda _: opticflow.open_store(path).close())
    for name, index in (("pair 0", 0), (f"pair {pairs - 1}", pairs - 1)):
        with opticflow.open_store(path) as store:
            timed(
                f"{name}, file opened anew", lambda _, store=store, index=index: (store.close(), store[index].forward)
            )
            timed(f"{name}, file open", lambda _, store=store, index=index: store[index].forward)
    with opticflow.open_store(path) as store:
        timed("a random stack of 10", lambda _: store.stack(int(rng.integers(pairs - 10)), 10))
    return found


def plot(results: dict[str, dict[str, tuple[float, float]]], path: Path) -> None:
    """Draw bytes per pixel against the largest error: the mean over the sets of flow."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    means = {name: np.mean([found[name] for found in results.values()], 0) for name in next(iter(results.values()))}
    figure, axes = plt.subplots(figsize=(8, 4.8))
    errors = [float(error) for error in ERRORS]
    stores = [means[f"store {error}"][0] for error in ERRORS]
    axes.plot(errors, stores, "o-", color="#0072b2", label="flow store, by its --error")
    exact = errors[0] / 2
    places = {"flo": (8, 4), "npz": (8, -11), "kitti": (8, -3), "npz half": (8, -3), "exr half": (8, -3)}
    for (name, place), colour in zip(
        places.items(), ("#000000", "#009e73", "#d55e00", "#009e73", "#cc79a7"), strict=True
    ):
        size, error = means[name]
        label = {"kitti": "KITTI .png"}.get(name, f".{name}")
        axes.plot(error or exact, size, "s", color=colour)
        axes.annotate(label, (error or exact, size), textcoords="offset points", xytext=place)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks([exact, *errors], ["none", *map(str, ERRORS)])
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2, 5, 8], ["0.1", "0.2", "0.5", "1", "2", "5", "8"])
    axes.minorticks_off()
    axes.set_xlabel("largest error of a flow component, pixels")
    axes.set_ylabel("bytes per pixel of forward flow")
    axes.grid(True, alpha=0.3)
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--models", default="DIS,RAFT-pyramid.worlds")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    report: dict = {"environment": environment(), "sizes": {}, "runs": {}}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for model in given.models.split(","):
            estimator = opticflow.load(model)
            for clip in given.clips:
                frames = [frame.image for frame in open_clip(clip).frames(0, given.frames)]
                flows = [pair.forward for pair in estimator.pairs(frames)]
                (place := folder / model / clip.name).mkdir(parents=True)
                report["sizes"][f"{clip.name}, {model}"] = sizes(flows, place)
                print(f"{clip.name}, {model}: {flows[0].shape[1]}x{flows[0].shape[0]}, {len(flows)} flows", flush=True)
                report["runs"][f"{clip.name}, {model}"] = runs(clip, model, given.frames, place)
        print(f"\nbytes per pixel of forward flow, mean over {len(report['sizes'])} sets, beside .flo")
        for name in next(iter(report["sizes"].values())):
            per_pixel = [found[name][0] for found in report["sizes"].values()]
            error = max(found[name][1] for found in report["sizes"].values())
            ratios = [8 / size for size in per_pixel]
            print(
                f"{name:14} {np.mean(per_pixel):7.3f}  {8 / np.mean(per_pixel):5.1f}x  mean of ratios "
                f"{np.mean(ratios):5.1f}x ({min(ratios):.1f} to {max(ratios):.1f})  largest error {error:.5f} px"
            )
        print("\nboth directions: seconds of a run, of them waiting for files; megabytes")
        for name, ways in report["runs"].items():
            for way, run in ways.items():
                print(
                    f"{name:45} {way:10} {run['seconds']:7.2f} {run['waiting for files']:6.2f} "
                    f"{run['bytes'] / 1e6:8.2f}"
                )
        report["reads"] = reads(folder, given.pairs, 240, 320)
        print(f"\nreads of a store of {given.pairs} pairs of 320x240, milliseconds")
        for name, milliseconds in report["reads"].items():
            print(f"{name:35} {milliseconds:8.2f}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1, default=str))
    if given.plot:
        plot(report["sizes"], given.plot)


if __name__ == "__main__":
    main()
