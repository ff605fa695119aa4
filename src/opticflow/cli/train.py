"""opticflow train"""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from opticflow.cli.printing import remark, say

STUDY, FINETUNE = "study-schedule", "finetune"


def train(
    recipe: Annotated[str, typer.Argument(help=f"A name of `opticflow recipes`, or {STUDY}.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder with data sets, DATASET=FOLDER or DATASET=world; may be repeated.",
            show_default="the synthetic worlds",
        ),
    ] = None,
    photographs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photographs, used for one in eight pictures of the synthetic worlds.", show_default="none"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the run.", show_default="runs/RECIPE")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in that folder.")] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of steps of all stages together; schedules are scaled with it.",
            show_default="the recipe's",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time budget in minutes: the run ends then, with usable weights.", show_default="the steps"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="A model, a checkpoint file or a run's folder to start from; a resumed run has its own weights.",
            show_default="random weights",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Number of samples per update.", show_default="the recipe's")
    ] = None,
    crop: Annotated[
        str | None, typer.Option(help="Width x height of the training crops.", show_default="the recipe's")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Train another network with the same schedule.", show_default="the recipe's")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Factor on the recipe's learning rates; a small budget allows more.", show_default="1"),
    ] = None,
    validation: Annotated[
        int | None,
        typer.Option(min=0, help="Number of samples on which the error is measured.", show_default="the recipe's"),
    ] = None,
    stages: Annotated[
        str | None, typer.Option(help="Train only these stages, separated by commas.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and the samples.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    workers: Annotated[
        int,
        typer.Option(
            min=0, max=1024, help="Number of processes that prepare samples; 0: the training process does it."
        ),
    ] = 0,
    checkpoint_every: Annotated[
        int,
        typer.Option(
            min=1, help="Steps between checkpoints; a killed run loses these at most. With --minutes it is one minute."
        ),
    ] = 1000,
    part_size: Annotated[
        str | None,
        typer.Option(help="Largest file of the run's state, such as 16MB.", show_default="one file"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a network with a published schedule, or with that of the default weights.

    The folder of the run holds the weights (for `opticflow estimate --model RUN`), the training curves, and all that
    `--resume` needs to continue as if the run had not been interrupted. Under torchrun all processes share each batch.

    With `--minutes` the learning rate depends on the elapsed time, and the state before it falls is kept:
    `--resume --minutes 30` trains for another half hour from that state, also on another device; `--resume` alone
    finishes an interrupted run.

    Example: `opticflow train RAFT --data ~/FlyingChairs --data ~/FlyingThings3D --stages chairs,things -o raft`

    Example: `opticflow train default --minutes 30 -o run`

    Example: `opticflow train finetune --weights RAFT-small --data pairs=my-pairs --minutes 20 -o mine`
    """
    import psutil

    from opticflow.errors import InputError
    from opticflow.estimator.describe import parse_size
    from opticflow.estimator.precision import choose_device
    from opticflow.settings import parse_memory
    from opticflow.train import train as run_recipe
    from opticflow.train.devices import require
    from opticflow.train.recipes import find_recipe, finetune
    from opticflow.train.sources import Locations, RecipeSources

    require()
    if steps and minutes is not None:
        raise InputError("--steps and --minutes are two budgets; give one of them")
    output = output or Path("runs") / recipe
    size = tuple(reversed(parse_size(crop))) if crop is not None else None
    budget: dict[str, Any] = {"steps": steps, "batch": batch, "crop": size, "model": model, "rate": rate}
    budget["validation_samples"] = validation
    options: dict[str, Any] = {"device": device, "precision": precision, "resume": resume}
    options["checkpoint_every"] = checkpoint_every
    if part_size is not None:
        options["part_size"] = parse_memory(part_size)
    folders = Locations.parse(data or [])
    show = (lambda progress: None) if quiet else _Lines()
    if recipe == STUDY:
        from opticflow.train.study import study

        if stages is not None:
            raise InputError(f"{STUDY} has no stages to choose from; leave --stages out")
        if photographs:
            raise InputError(f"{STUDY} compares orders of plain worlds; leave --photographs out")
        if minutes is not None or weights is not None or part_size is not None:
            raise InputError(f"{STUDY} compares equal numbers of steps; leave --minutes, --weights, --part-size out")
        table = study(output, folders, seed=seed, workers=workers, report=show, **budget, **options)
        if not quiet and _leads():
            for line in table.splitlines():
                say(line)
        return
    options |= {"minutes": minutes, "weights": _begin(weights)}
    chosen = find_recipe(recipe)
    if stages is not None:
        chosen = chosen.only([name.strip() for name in stages.split(",")])
    if recipe == FINETUNE:
        network = options["weights"].network if options["weights"] else _network_of(output)
        chosen = finetune(network, tuple(folders.named) or ("pairs",))
    chosen = chosen.changed(**budget)
    gpu = choose_device(device).type == "cuda"
    sources = RecipeSources(
        chosen, folders, seed=seed, workers=workers, pool=output / "pool", photographs=photographs, gpu=gpu
    )
    if not quiet and _leads():
        for line in sources.described():
            say(line)
    # the time budget covers the whole command, from the start of the process
    begun = time.monotonic() - (time.time() - psutil.Process().create_time())
    run_recipe(chosen, output, sources, seed=seed, settings=sources.settings(), begun=begun, report=show, **options)
    if not quiet and _leads():
        say(f"{output}: `opticflow estimate CLIP --model {output}` uses its weights")


def _begin(weights: str | None) -> Any:
    """Return the weights to start with."""
    from opticflow.errors import InputError
    from opticflow.weights import load_checkpoint

    found = None if weights is None else load_checkpoint(weights)
    if weights is not None and found is None:
        raise InputError(f"{weights} has no weights to begin with; give a network's")
    return found


def _network_of(run: Path) -> str:
    """Return the name of the network that a run trains, so that a resumed run does not need `--weights`."""
    from opticflow.errors import InputError
    from opticflow.train.run_folder import RECORD, read_record

    if not (run / RECORD).is_file():
        raise InputError(f"{FINETUNE} goes on from weights; add --weights NAME or FILE, such as RAFT-small")
    return read_record(run)["recipe"]["stages"][0]["model"]


def _leads() -> bool:
    return int(os.environ.get("RANK", 0)) == 0


class _Lines:
    """Prints a line at intervals; on a terminal the last one is overwritten."""

    def __init__(self) -> None:
        self.terminal = sys.stderr is not None and sys.stderr.isatty()
        self.between = 0.5 if self.terminal else 10.0
        self.shown = -1e9

    def __call__(self, progress: Any) -> None:
        ends = progress.seconds_left == 0
        if time.monotonic() - self.shown < self.between and not ends:
            return
        self.shown = time.monotonic()
        error = "" if progress.error is None else f", error {progress.error:.3f} px"
        left = f", {_duration(progress.seconds_left)} left" if not ends else ""
        of = f" of {progress.steps}" if progress.steps else ""
        line = (
            f"{progress.stage}: step {progress.step}{of}, loss {progress.loss:.4g}{error}, "
            f"{progress.samples_per_second:.1f} samples/s{left}"
        )
        over = "\r\x1b[K" if self.terminal else ""
        remark(line, start=over, end="" if self.terminal and not ends else "\n")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
