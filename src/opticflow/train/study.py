"""A study of data order, after section 3.1 of FlowNet 2.0 (Ilg et al., CVPR 2017), at small scale.

In the paper, FlowNetS had the lowest error after Chairs and then Things3D, compared with either alone or both mixed.
Here a thin FlowNetS is trained on this project's worlds, or on the real data sets where they are given, with the same
budget for each order.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from opticflow.errors import InputError
from opticflow.estimator.precision import choose_device, choose_precision
from opticflow.io.atomic import write_bytes
from opticflow.train.loop import Progress, train
from opticflow.train.recipe import Part, Recipe, Stage, Start
from opticflow.train.recipes.flownet import CHAIRS, HELD_OUT_CHAIRS, HELD_OUT_THINGS, THINGS, fine, long
from opticflow.train.sources import Locations, RecipeSources
from opticflow.train.validation import validate
from opticflow.weights import read_checkpoint

STEPS, BATCH, CROP, MODEL = 4000, 8, (192, 256), "FlowNet2-s"
"""Budget of each order; about an hour on two cores."""
FINE_SHARE = 0.5 / 1.7
"""Share of the budget for S_fine after S_long: 500k of 1.7M."""
MEASURED = {
    "chairs": HELD_OUT_CHAIRS[0],
    "things": HELD_OUT_THINGS[0],
    "mixed": Part("mixed"),
}
"""Columns of the table; also `pairs`, if a folder of them is given."""
SAMPLES = 32
"""Number of validation samples of each column."""


def orders(steps: int, batch: int, crop: tuple[int, int], model: str) -> list[Recipe]:
    """Return the recipes that are compared, each with the same number of samples."""

    def alone(name: str, title: str, *data: Part) -> Recipe:
        stage = long("only", model, data=data, validation=(), batch=batch, crop=crop)
        return Recipe(name, title, (stage.shortened(steps),))

    # steps of S_fine; together with S_long before it, this order has as many steps as the others
    last = max(1, round(steps * FINE_SHARE))
    sizes = {"batch": batch, "crop": crop, "validation": ()}
    first = long("chairs", model, data=CHAIRS, **sizes).shortened(max(1, steps - last))
    second = fine("things", model, data=THINGS, start=(Start("chairs"),), **sizes).shortened(last)
    return [
        alone("chairs", "Chairs by S_long", *CHAIRS),
        alone("things", "Things3D by S_long", *THINGS),
        alone("mixed", "both mixed, by S_long", *CHAIRS, *THINGS),
        Recipe("chairs-things", "Chairs by S_long, then Things3D by S_fine", (first, second)),
    ]


def study(
    folder: Path,
    folders: Locations,
    *,
    steps: int | None = None,
    batch: int | None = None,
    crop: tuple[int, int] | None = None,
    model: str | None = None,
    rate: float | None = None,
    validation_samples: int | None = None,
    seed: int = 0,
    workers: int = 0,
    device: str = "auto",
    precision: str = "auto",
    resume: bool = False,
    checkpoint_every: int = 1000,
    report: Callable[[Progress], None] = lambda progress: None,
) -> str:
    """Train with every order and measure on every data set.

    Args:
        folder: output folder, for one run per order and the table as study.md and study.json.
        folders: the locations of data sets; worlds replace those that are not given.
        steps: number of steps of each order; STEPS by default.
        batch: samples per update; BATCH by default.
        crop: height and width of the crops in pixels; CROP by default.
        model: a key of `models.MODELS`; MODEL by default.
        rate: factor for the learning rates of S_long and S_fine; 1 by default.
        validation_samples: number of samples of each column; SAMPLES by default.
        seed: random seed of weights and samples.
        workers: number of processes that prepare samples.
        device: see `train`.
        precision: see `train`.
        resume: continue the study in `folder`.
        checkpoint_every: see `train`.
        report: see `train`.

    Returns:
        The table, as Markdown.

    Raises:
        InputError: there are no samples to measure on, or `train` refuses an option.
    """
    if validation_samples == 0:
        raise InputError("the study is a table of errors; wanted at least 1 sample to measure them on")
    steps, batch, crop, model = steps or STEPS, batch or BATCH, crop or CROP, model or MODEL
    measured = {**MEASURED, **({"pairs": Part("pairs")} if "pairs" in folders.named else {})}
    rows: dict[str, dict[str, float]] = {}
    chosen = choose_device(device)
    recipes = [recipe.changed(rate=rate) for recipe in orders(steps, batch, crop, model)]
    parts = [part for recipe in recipes for stage in recipe.stages for part in stage.data] + [*measured.values()]
    for part in parts:  # all parts of all orders, so that missing or unused data is reported before the first run
        folders.find(part)
    folders.must_be_used(parts)
    for recipe in recipes:
        # rendered samples are kept on disk, and not in the memory of each worker
        pool = folder / recipe.name / "pool"
        sources = RecipeSources(recipe, folders, seed=seed, workers=workers, pool=pool, gpu=chosen.type == "cuda")
        run = train(
            recipe,
            folder / recipe.name,
            sources,
            seed=seed,
            settings=sources.settings(),
            device=device,
            precision=precision,
            resume=resume,
            checkpoint_every=checkpoint_every,
            report=lambda progress, name=recipe.title: report(replace(progress, stage=name)),
        )
        network = read_checkpoint(run.place(recipe.stages[-1]).weights()).build()
        rows[recipe.title] = {
            name: validate(
                network,  # type: ignore[arg-type]
                _held_out(recipe.stages[-1], part, folders, validation_samples or SAMPLES),
                device=chosen,
                precision=choose_precision(precision, chosen),
            )[0]
            for name, part in measured.items()
        }
    budget = f"{model}, {steps:,} steps of {batch}, crop {crop[1]}x{crop[0]}, "
    budget += f"learning rates times {rate or 1:g}, seed {seed}"
    table = _table(budget, rows)
    write_bytes(folder / "study.md", table.encode())
    write_bytes(folder / "study.json", json.dumps({"budget": budget, "error_px": rows}, indent=2).encode())
    return table


def _held_out(stage: Stage, part: Part, folders: Locations, samples: int) -> Any:
    # a recipe of one stage cannot start from another; its samples are the same for every order
    stage = replace(stage, start=(), validation=(part,), validation_samples=samples)
    return RecipeSources(Recipe("held out", "", (stage,)), folders).validation(stage)


def _table(budget: str, rows: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(rows.values())))
    lines = [f"Mean end-point error in pixels on held-out samples; {budget}.", ""]
    lines += ["| order | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(f"{row[name]:.2f}" for name in names) + " |" for title, row in rows.items()]
    return "\n".join(lines) + "\n"
