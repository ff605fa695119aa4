"""Time and peak memory of models against the size of the frame, and a plot of both.

python benchmarks/frame_sizes.py RAFT RAFT-small

Each measurement is made by a process of its own and appended to a file as one line of JSON; those that are in the file
are not made again. The largest frames take 2 iterations, as one of the next smaller size does to compare with; what
was measured with one number of iterations is joined by a line.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from opticflow.errors import OpticflowError
from opticflow.estimator.speed import load_or_build, measure_speed
from opticflow.evaluate.environment import environment
from opticflow.settings import Settings

PLAN = [
    ("640x480", 12),
    ("1024x436", 12),
    ("1280x720", 12),
    ("1920x1080", 12),
    ("2560x1440", 12),
    ("3840x2160", 12),
    ("3840x2160", 2),
    ("7680x4320", 2),
]
"""Sizes, and RAFT's iterations there; other models have none."""
SETTINGS = ("model", "width", "height", "iterations", "max_memory")
"""What tells measurements in a file apart; use another file for another machine or precision."""


def plan(options: argparse.Namespace) -> Iterator[dict]:
    """The settings of each measurement, the small sizes first."""
    own = {model: load_or_build(model, bare=True)[0].settings.iterations for model in options.models}
    for size, planned in PLAN if options.size is None else [(size, None) for size in options.size]:
        for model in options.models:
            iterations = own[model] and (options.iterations or planned or own[model])
            settings = (model, *map(int, size.split("x")), iterations, options.max_memory)
            yield dict(zip(SETTINGS, settings, strict=True))


def rounds(width: int, height: int) -> int:
    """Timed pairs after the first; of large frames the first counts."""
    return 2 if width * height < 1e6 else 1 if width * height <= 1920 * 1080 else 0


def draw(rows: list[dict], path: Path) -> None:
    """Both curves, on logarithmic axes."""
    mpl.rcParams |= {"svg.hashsalt": "frame sizes", "svg.fonttype": "none", "font.size": 9}
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    rows = sorted(rows, key=lambda row: row["width"] * row["height"])
    for number, (model, iterations) in enumerate(dict.fromkeys((r["model"], r["iterations"]) for r in rows)):
        own = [row for row in rows if (row["model"], row["iterations"]) == (model, iterations)]
        pixels = [row["width"] * row["height"] / 1e6 for row in own]
        label = f"{Path(model).stem}, {iterations} iterations" if iterations else model
        for axis, values in zip(
            axes, ([r["milliseconds"] / 1e3 for r in own], [r["memory"] / 1e9 for r in own]), strict=True
        ):
            axis.plot(pixels, values, color=f"C{number}", label=label, linewidth=1)
            if number == 0:
                axis.axline((pixels[-1], values[-1]), (pixels[-1] / 10, values[-1] / 10), color="grey", linestyle=":")
            for x, y, row in zip(pixels, values, own, strict=True):
                filled = f"C{number}" if row["tiles"] == 1 else "white"
                axis.plot(x, y, "o", color=f"C{number}", markerfacecolor=filled, markersize=5)
    for axis, name in zip(axes, ("seconds a pair", "peak memory of the process, GB"), strict=True):
        axis.set(
            xscale="log", yscale="log", xlabel="million pixels (dotted: proportional; hollow: in tiles)", title=name
        )
        axis.grid(which="both", alpha=0.25)
    axes[0].legend()
    figure.savefig(
        path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")) if path.suffix == ".svg" else None
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["RAFT", "RAFT-small"], help="names, or checkpoint files")
    parser.add_argument("--size", nargs="+", help="in place of all, as 7680x4320")
    parser.add_argument("--iterations", type=int, help="in place of those of the plan; the network's own for --size")
    parser.add_argument("--max-memory", default="6GB")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rows", type=Path, default=Path("frame_sizes.jsonl"), help="where measurements are kept")
    parser.add_argument("--plot", type=Path, default=Path("frame_sizes.svg"), help="or a .png")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    failures = 0
    for settings in plan(options):
        if any(settings.items() <= row.items() for row in rows):
            continue
        times = rounds(settings["width"], settings["height"])
        how = Settings(
            precision=options.precision,
            device=options.device,
            iterations=settings["iterations"],
            max_memory=settings["max_memory"],
        )
        where = settings["model"], settings["width"], settings["height"]
        try:
            found = measure_speed(*where, settings=how, bare=True, rounds=times, compare=False)
        except OpticflowError as error:
            failures += 1
            print(error, flush=True)
            continue
        rows.append({**asdict(found), "timed_pairs": times or 1, "machine": environment()})
        with options.rows.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(
            f"{found.model:12} {found.width:>5}x{found.height:<5} {found.iterations or '-':>3} iterations,"
            f" {found.tiles} tiles: {found.milliseconds / 1e3:8.2f} s {found.memory / 1e9:6.2f} GB",
            flush=True,
        )
    if rows:
        draw(rows, options.plot)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    try:
        main()
    except OpticflowError as error:
        raise SystemExit(str(error)) from None
