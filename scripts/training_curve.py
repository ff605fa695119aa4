"""Draw the loss and the error of a training run over the samples seen, all stages one after the other.

python scripts/training_curve.py runs/default docs/images/training.svg
"""

import argparse
import csv
import json
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

SMOOTHED = 25
"""Rows of the log that are averaged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    stages = json.loads((options.run / "run.json").read_text())["recipe"]["stages"]
    rows = list(csv.DictReader((options.run / "log.csv").open()))
    mpl.rcParams |= {"svg.hashsalt": "training", "svg.fonttype": "none", "font.size": 9}
    figure, axis = pyplot.subplots(figsize=(8, 3.4), layout="constrained")
    errors = axis.twinx()
    before = 0
    for stage in stages:
        # a resumed run writes some steps again: the last time counts; a stage that was cut may have gone further
        own = {int(row["step"]): row for row in rows if row["stage"] == stage["name"]}
        own = {step: row for step, row in own.items() if step <= stage["steps"]}
        seen = [before + step * stage["batch"] for step in own]
        losses = [float(row["loss"]) for row in own.values()]
        smooth = [
            sum(losses[max(0, i - SMOOTHED) : i + 1]) / len(losses[max(0, i - SMOOTHED) : i + 1])
            for i in range(len(losses))
        ]
        axis.plot(seen, smooth, label=f"loss, {stage['name']}")
        measured = [
            (samples, float(row["error"])) for samples, row in zip(seen, own.values(), strict=True) if row["error"]
        ]
        if measured:
            errors.plot(*zip(*measured, strict=True), "k.--", label="error on held-out samples" if not before else None)
        before = max(seen, default=before)
    axis.set(xlabel="samples", ylabel="sequence loss (each stage its own number of iterations)")
    errors.set(ylabel="end-point error, px", ylim=(0, None))
    axis.legend(loc="upper right")
    errors.legend(loc="lower left")
    figure.savefig(options.output, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


if __name__ == "__main__":
    main()
