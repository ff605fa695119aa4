"""A training run, in the order in which it happens.

train(RECIPES["default"], Path("run"), sources)
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from opticflow.data.streams import Batch
from opticflow.errors import InputError, TrainingError
from opticflow.losses import LOSSES
from opticflow.models import LearnedNetwork
from opticflow.shapes import Sample
from opticflow.train import curriculum
from opticflow.train.checkpoint import Place, Run, State
from opticflow.train.devices import launch
from opticflow.train.logbook import Logbook
from opticflow.train.recipe import Recipe, Stage
from opticflow.train.schedules import learning_rate, make_optimiser, set_learning_rate
from opticflow.train.starts import coarse_start, starts_coarse
from opticflow.train.validation import validate


@dataclass(frozen=True)
class Progress:
    """Where a run stands; given to whoever watches."""

    stage: str
    step: int
    steps: int
    """Of this stage."""
    loss: float
    """Mean since the last report."""
    error: float | None
    """On the validation set, in pixels, as last measured."""
    samples_per_second: float
    seconds_left: float
    """Of this stage."""


@runtime_checkable
class Sources(Protocol):
    """Where samples come from. The same stage, seed and position give the same batches."""

    def batches(self, stage: Stage, start: int, *, rank: int, world: int) -> Iterator[Batch]:
        """Batches for training from sample number `start` on, for one of several processes."""
        ...

    def validation(self, stage: Stage) -> Sequence[Sample]:
        """The fixed set on which the error is measured."""
        ...


def train(
    recipe: Recipe,
    folder: Path,
    sources: Sources,
    *,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    resume: bool = False,
    log_every: int = 20,
    checkpoint_every: int = 1000,
    settings: dict[str, Any] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Run:
    """Run all stages of a recipe, or what is left of them.

    Started by torchrun or `fabric run`, every process takes its share of each batch.

    Args:
        folder: of the run; new or empty, unless `resume`.
        sources: where samples come from.
        seed: of the random weights; together with that of the sources it fixes the result.
        device: auto, cpu, cuda ...
        precision: auto, fp32 or bf16; auto takes bf16 where the device has matrix units for it.
        resume: go on with the run in `folder`.
        log_every: steps between rows of the log and reports.
        checkpoint_every: steps between checkpoints.
        settings: kept in run.json; a run is only resumed with the same.
        report: called at every row of the log.

    Raises:
        InputError: options that cannot be used, or a folder that holds something else.
        TrainingError: a loss that is not finite.
    """
    fabric, number_format = launch(device, precision)
    for stage in recipe.stages:
        if stage.batch % fabric.world_size:
            raise InputError(
                f"the batch of {stage.name} is {stage.batch}, which {fabric.world_size} processes cannot share; "
                "give a multiple with --batch"
            )
    noted = {**(settings or {}), "precision": number_format}
    with fabric.rank_zero_first():
        # the others find the folder that the first has made
        run = Run.begin(folder, recipe, seed, noted, resume=resume or fabric.global_rank > 0)
    for index, stage in enumerate(recipe.stages):
        if run.place(stage).state().step < stage.steps:
            fabric.seed_everything(seed + index, verbose=False)
            _run_stage(stage, run, sources, fabric, number_format, log_every, checkpoint_every, report)
    return run


def _run_stage(
    stage: Stage,
    run: Run,
    sources: Sources,
    fabric: Any,
    number_format: str,
    log_every: int,
    checkpoint_every: int,
    report: Callable[[Progress], None],
) -> None:
    loss_function = LOSSES[stage.loss]
    bare = curriculum.begin(stage, run).to(fabric.device).to(memory_format=torch.channels_last)  # pyright: ignore
    own_iterations = getattr(bare, "iterations", None)
    optimiser = make_optimiser(stage, bare)
    place = run.place(stage)
    state = place.state()
    place.restore(bare, optimiser)
    state = replace(state, frozen=state.frozen or curriculum.fingerprint(bare, stage))
    curriculum.training_mode(bare, stage)
    if stage.iterations is not None:
        bare.iterations = stage.iterations  # type: ignore[assignment]
    network, optimiser = fabric.setup(bare, optimiser, move_to_device=False)
    network.mark_forward_method("predictions")

    leads = fabric.global_rank == 0
    held_out = sources.validation(stage) if leads and stage.validation and stage.validation_samples else []
    logbook = Logbook(run.folder, stage.name, state.step) if leads else None
    window = _Window(stage, state.step)
    batches = sources.batches(stage, state.step * stage.batch, rank=fabric.global_rank, world=fabric.world_size)
    for step in range(state.step, stage.steps):
        batch = next(batches)
        first, second, flow, valid = fabric.to_device((batch.first, batch.second, batch.flow, batch.valid))
        set_learning_rate(optimiser, learning_rate(stage, step))
        optimiser.zero_grad(set_to_none=True)
        start = coarse_start(bare, stage, first, second, fabric) if starts_coarse(stage, step) else None
        predictions = network.predictions(first, second, init_flow=start)
        loss = loss_function(predictions, flow, valid, **stage.loss_options)
        fabric.backward(loss)
        norm = fabric.clip_gradients(network, optimiser, max_norm=stage.clip or math.inf, error_if_nonfinite=False)
        optimiser.step()
        window.add(loss, norm, batch.names)

        done = step + 1
        ends = done == stage.steps
        measures, saves = ends or done % stage.validate_every == 0, ends or done % checkpoint_every == 0
        if not (measures or saves or done % log_every == 0):
            continue
        row = window.close(done, fabric)
        state = replace(state, step=done)
        if logbook and measures and held_out:
            error, pictures = validate(
                bare, held_out, device=fabric.device, precision=number_format, iterations=own_iterations
            )
            row["error"] = window.error = error
            logbook.pictures(done, pictures)
            if stage.keeps_best:
                state = _keep_best(state, error, place, run, bare)
        if logbook:
            logbook.row(done, row)
            report(window.progress(done, row["loss"]))
        if saves:
            curriculum.must_be_unchanged(bare, stage, state.frozen)
            if leads:
                place.save(bare, optimiser, state, publish=None if held_out and stage.keeps_best else run.publish)
            fabric.barrier()
    if logbook:
        logbook.close()


def _keep_best(state: State, error: float, place: Place, run: Run, network: LearnedNetwork) -> State:
    if not math.isfinite(error) or (state.best is not None and error >= state.best):
        return state
    place.save_weights(network, place.best)
    run.publish(place.best)
    return replace(state, best=error)


class _Window:
    """What happened since the last row of the log. Nothing is read from the device until it is closed, so that the
    steps of a GPU are queued without waiting.
    """

    def __init__(self, stage: Stage, step: int) -> None:
        self.stage, self.first = stage, step
        self.begun = time.monotonic()
        self.figures: list[Tensor] = []
        self.names: list[Sequence[str]] = []
        self.error: float | None = None

    def add(self, loss: Tensor, norm: Tensor, names: Sequence[str]) -> None:
        self.figures.append(torch.stack((loss.detach().float(), norm.detach().float())))
        self.names.append(names)

    def close(self, step: int, fabric: Any) -> dict[str, float]:
        """Mean loss and gradient over steps and processes, and the last learning rate.

        Raises:
            TrainingError: one of them was not finite; in every process alike.
        """
        figures = torch.stack(self.figures).double()
        everyone = fabric.all_gather(figures).reshape(fabric.world_size, len(figures), 2).cpu()
        finite = everyone.isfinite()
        if not finite.all():
            which = int((~finite.all(2).all(0)).nonzero()[0])
            losses = everyone[:, which, 0]
            names = [self.names[which]]
            if fabric.world_size > 1:
                names = [self.names[which]] * fabric.world_size
                torch.distributed.all_gather_object(names, self.names[which])
            # where all losses are finite it was the gradient, and all processes share that
            to_blame = [rank for rank, loss in enumerate(losses) if not loss.isfinite()] or range(len(names))
            samples = ", ".join(name for rank in to_blame for name in names[rank])
            raise TrainingError(
                f"{self.stage.name}: at step {step - len(figures) + which + 1} the loss is {losses.mean().item()} and "
                f"the norm of the gradient {everyone[0, which, 1].item()}, with the samples {samples}; the last "
                "checkpoint is from before it: look at these samples, or begin again with a lower learning rate"
            )
        self.figures, self.names = [], []
        loss, norm = everyone.mean((0, 1)).tolist()
        return {"loss": loss, "gradient": norm, "rate": learning_rate(self.stage, step - 1)}

    def progress(self, step: int, loss: float) -> Progress:
        seconds = time.monotonic() - self.begun
        rate = (step - self.first) / seconds
        left = (self.stage.steps - step) / rate
        return Progress(self.stage.name, step, self.stage.steps, loss, self.error, rate * self.stage.batch, left)
