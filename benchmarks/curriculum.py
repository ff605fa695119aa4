"""What each stage of FlowNet 2.0's curriculum adds, on a budget that a laptop has.

opticflow generate chairs -n 1000 --size 256x192 -o data/chairs
opticflow generate chairs-sdhom -n 600 --size 256x192 -o data/chairs-sdhom
opticflow generate things -n 60 --size 256x192 -o data/things
python benchmarks/curriculum.py -o runs/curriculum --data data/chairs --data data/chairs-sdhom --data data/things

Every stage is measured on its own held-out samples: as it begins, with what it took over from earlier stages, and with
the weights that it ends with. What it must not change is compared with the files of the stages that it came from.
Stopped, the same command goes on.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from opticflow.estimator.describe import parse_size
from opticflow.models import LearnedNetwork
from opticflow.train import Progress, train
from opticflow.train.curriculum import begin
from opticflow.train.recipe import Stage
from opticflow.train.recipes import find_recipe
from opticflow.train.run_folder import Run
from opticflow.train.sources import Locations, RecipeSources
from opticflow.train.validation import validate
from opticflow.weights import read_checkpoint


def unchanged(stage: Stage, run: Run, network: LearnedNetwork) -> int:
    """How many tensors were frozen, after each was found equal to that of the stage it came from, bit for bit."""
    ours, count = network.state_dict(), 0
    stages = {stage.name: stage for stage in run.recipe.stages}
    for start in stage.start:
        for name, tensor in read_checkpoint(run.place(stages[start.stage]).weights()).tensors.items():
            taken = start.ours + name.removeprefix(start.theirs)
            if name.startswith(start.theirs) and stage.frozen and taken.startswith(stage.frozen):
                if not torch.equal(tensor, ours[taken]):
                    raise SystemExit(f"{stage.name}: {taken} was frozen and has changed")
                count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder of the run")
    parser.add_argument("--data", action="append", default=[], help="as for `opticflow train`")
    parser.add_argument("--recipe", default="FlowNet2-thin")
    parser.add_argument("--steps", type=int, default=4000, help="of all stages together")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", default="192x128", help="width x height")
    parser.add_argument("--rate", type=float, default=5.0, help="times the learning rates of the recipe")
    parser.add_argument("--validation", type=int, default=40, help="samples that each error is measured on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    width, height = parse_size(options.crop)
    recipe = find_recipe(options.recipe).changed(
        steps=options.steps,
        batch=options.batch,
        crop=(height, width),
        rate=options.rate,
        validation_samples=options.validation,
    )
    sources = RecipeSources(recipe, Locations.parse(options.data), seed=options.seed, pool=options.output / "pool")

    def report(progress: Progress) -> None:
        if progress.step % 100 == 0 or progress.step == progress.steps:
            print(f"{progress.stage}: step {progress.step} of {progress.steps}, {progress.loss:.4g}", file=sys.stderr)

    run = train(
        recipe,
        options.output,
        sources,
        seed=options.seed,
        settings=sources.settings(),
        resume=options.output.exists(),
        report=report,
    )
    for index, stage in enumerate(recipe.stages):
        torch.manual_seed(options.seed + index)  # as the training began, where it began at random
        networks = {"begins": begin(stage, run), "ends": read_checkpoint(run.place(stage).weights()).build()}
        held_out = sources.validation(stage)
        row: dict[str, object] = {"stage": stage.name, "model": stage.model, "steps": stage.steps}
        for name, network in networks.items():
            assert isinstance(network, LearnedNetwork)
            row[name] = round(validate(network, held_out, device=torch.device("cpu"), precision="fp32")[0], 3)
        assert isinstance(networks["ends"], LearnedNetwork)
        row["frozen_unchanged"] = unchanged(stage, run, networks["ends"])
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
