"""The training run: all stages of a recipe, from the start or resumed.

train(RECIPES["default"], Path("run"), sources)
"""

import contextlib
import math
import reprlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch

from opticflow.data.batches import Batch, RawBatch, to_device
from opticflow.errors import InputError
from opticflow.estimator.precision import Format
from opticflow.losses import LOSSES
from opticflow.models import accelerate
from opticflow.shapes import Sample
from opticflow.train import curriculum
from opticflow.train.averaging import WeightAverage
from opticflow.train.budget import Budget, StepBudget, TimeBudget
from opticflow.train.devices import launch, tuned_convolutions
from opticflow.train.gradients import update
from opticflow.train.logbook import Logbook
from opticflow.train.recipe import Recipe, Stage
from opticflow.train.run_folder import Run, unchanged_if_refused
from opticflow.train.schedules import learning_rate, make_optimiser, plateau_rate, set_learning_rate
from opticflow.train.starts import coarse_start, starts_coarse
from opticflow.train.validation import validate
from opticflow.train.window import Progress, Window
from opticflow.weights import Checkpoint

LONGEST = 10**6
"""Largest budget of a piece of training, in minutes."""
SMALLEST_PART = 1_000_000
"""Smallest limit for the size of a file of the training state, in bytes."""


@runtime_checkable
class Sources(Protocol):
    """The protocol of a source of samples. The same stage, seed and position give the same batches, except on a GPU,
    where pairs of worlds are augmented in the order in which they arrive."""

    def batches(self, stage: Stage, start: int, *, rank: int, world: int) -> Iterator[Batch | RawBatch]:
        """Yield training batches from sample number `start` on, for one of several processes."""
        ...

    def validation(self, stage: Stage) -> Sequence[Sample]:
        """Return the fixed set on which the error is measured."""
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
    minutes: float | None = None,
    weights: Checkpoint | None = None,
    log_every: int = 20,
    checkpoint_every: int = 1000,
    part_size: int | None = None,
    settings: dict[str, Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
    begun: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Run:
    """Run all stages of a recipe, or the remaining ones.

    If torchrun or `fabric run` starts several processes, each takes its share of every batch.

    With `minutes` the budget is time, not steps. The learning rate rises, stays constant and falls to zero by the
    clock, and the run ends on time with averaged weights. The state before the rate falls is kept. With `resume` and
    `minutes`, a new piece of training continues from that state, on another device if needed. With `resume` alone, a
    piece that was interrupted is completed.

    Args:
        recipe: the stages to train.
        folder: folder of the run; new or empty, unless `resume`.
        sources: the source of the samples.
        seed: seed of the random weights. On a CPU with a budget of steps, this seed and that of the sources determine
            the result.
        device: auto, cpu, cuda ...
        precision: auto, fp32 or bf16; auto takes bf16 where the device is faster with it.
        resume: continue the run in `folder`.
        minutes: the time budget, divided among the stages in proportion to their steps; None: a budget of steps.
        weights: initial weights of the stages that start from no earlier one; random if not given.
        log_every: steps between rows of the log and reports.
        checkpoint_every: steps between checkpoints; with a time budget there is one every 45 seconds.
        part_size: largest size in bytes of a file of the training state, which is then written in parts; None: one
            file.
        settings: written to run.json; a run with a budget of steps can only be resumed with equal settings.
        clock: function that returns the time in seconds, for the time budget.
        begun: time at which the time budget began, by the clock; now if not given.
        report: called at every row of the log.

    Raises:
        InputError: an option cannot be used, or the folder holds something else.
        TrainingError: a loss or gradient is not finite. With a time budget such steps are skipped and counted in the
            log, and the error is raised only if half of the most recent steps are not finite.

    An error other than a TrainingError, before a new checkpoint is written, leaves the folder as it was.
    """
    begun = clock() if begun is None else begun
    largest_seed = 2**32 - 1 - len(recipe.stages)  # each stage has one of its own, which NumPy must take
    if not 0 <= seed <= largest_seed:
        raise InputError(f"the seed is {reprlib.repr(seed)}; wanted 0 to {largest_seed}")
    if minutes is not None and not 0 < minutes <= LONGEST:
        raise InputError(f"the budget is {minutes:g} minutes; wanted more than 0, and {LONGEST:,} at most")
    fabric, number_format = launch(device, precision)
    # each process takes batch / processes samples, so that together they take the batch of the recipe
    for stage in recipe.stages:
        if stage.batch % fabric.world_size:
            raise InputError(
                f"the batch of {stage.name} is {stage.batch}, which {fabric.world_size} processes cannot share; "
                "give a multiple with --batch"
            )
    curriculum.check(recipe, weights)
    if part_size is not None and part_size < SMALLEST_PART:
        raise InputError(f"parts of {part_size} bytes are too small; give at least {SMALLEST_PART // 10**6} MB")
    # the number format changes the result, so a resumed run with a budget of steps must have the same
    noted = {**(settings or {}), "precision": number_format}
    options = Options(log_every, part_size, weights, report)
    first = fabric.global_rank == 0
    with unchanged_if_refused(folder) if first else contextlib.nullcontext():
        with fabric.rank_zero_first():
            # the first process makes the folder, before the others look for it
            run = Run.begin(
                folder,
                recipe,
                seed,
                noted,
                resume=resume or not first,
                minutes=minutes if first else None,
                writes=first,
            )
            if first and run.pieces:
                _back_to_the_level(run)
        if run.pieces:
            _by_the_clock(run, sources, fabric, number_format, options, begun, clock)
            return run
        for index, stage in enumerate(recipe.stages):
            # a resumed run skips the stages that have made all their steps
            if run.place(stage).state().step < stage.steps:
                # one seed per stage: a stage starts alike, whether or not the stages before it ran in this process
                fabric.seed_everything(seed + index, verbose=False)
                budget = StepBudget(stage.steps, save_every=checkpoint_every, measure_every=stage.validate_every)
                with tuned_convolutions(fabric.device):
                    StageRun(stage, run, sources, fabric, number_format, options, budget).run()
        return run


def _back_to_the_level(run: Run) -> None:
    """Remove the checkpoints that an earlier piece of training wrote while its learning rate fell, so that a new piece
    continues from the constant rate. Finished stages keep theirs, except the last stage, which is trained further."""
    places = [run.place(stage) for stage in run.recipe.stages]
    states = [place.state() for place in places]  # all are read first: if one is damaged, nothing is removed
    for stage, place, state in zip(run.recipe.stages, places, states, strict=True):
        ended = state.finished and stage is not run.recipe.stages[-1]
        # checkpoints of the newest piece stay: it was interrupted and is now completed
        if state.decays and state.piece != len(run.pieces) and not ended:
            place.forget_decay()


def _by_the_clock(
    run: Run,
    sources: Sources,
    fabric: Any,
    number_format: Format,
    options: "Options",
    begun: float,
    clock: Callable[[], float],
) -> None:
    """Train one piece with a time budget: all stages in order, or the unfinished ones."""
    stages = [stage.by_the_clock() for stage in run.recipe.stages]
    states = [run.place(stage).state() for stage in stages]
    # the number of this piece, from 1 on, and its whole budget in seconds
    number, seconds = len(run.pieces), 60 * run.pieces[-1]
    # if a stage has begun, the ones before it count as finished; their folders need not exist
    next_one = max((index for index, state in enumerate(states) if state.step), default=0)
    # after a finished stage, the one after it is next
    next_one += states[next_one].finished
    if next_one == len(stages):
        raise InputError(f"{run.folder}: the last piece of training has come to its end; add --minutes for another")
    # seconds that the stages of this piece took before an interruption
    spent = sum(state.used for state in states if state.piece == number)
    for index, (stage, state) in enumerate(zip(stages, states, strict=True)):
        if index < next_one:
            continue
        fabric.seed_everything(run.seed + index, verbose=False)
        if state.piece == number:  # interrupted
            budget = TimeBudget(state.seconds, state.used, clock)
        else:
            # the remaining time is shared in proportion to the steps of the stages that are still to come
            left = sum(later.steps for later in stages[index:])
            over = spent + clock() - begun
            budget = TimeBudget(max(1.0, (seconds - over) * stage.steps / left), 0.0, clock)
        with tuned_convolutions(fabric.device):
            StageRun(stage, run, sources, fabric, number_format, options, budget, piece=number).run()


@dataclass(frozen=True)
class Options:
    """Options that are common to all stages of a run."""

    log_every: int
    part_size: int | None
    weights: Checkpoint | None
    report: Callable[[Progress], None]


class Due(NamedTuple):
    """How much of the budget is used after a step, and what is due then."""

    share: float
    """Share of the budget that is used up."""
    measures: bool
    """Whether the error is measured now."""
    saves: bool
    """Whether a checkpoint is written now."""


class StageRun:
    """The training of one stage: network, optimiser, average, budget and log."""

    def __init__(
        self,
        stage: Stage,
        run: Run,
        sources: Sources,
        fabric: Any,
        number_format: Format,
        options: Options,
        budget: Budget,
        *,
        piece: int = 0,
    ) -> None:
        self.stage, self.whole, self.fabric, self.options, self.budget = stage, run, fabric, options, budget
        self.number_format: Format = number_format
        self.piece = piece
        self.place = run.place(stage)
        self.loss = LOSSES[stage.loss]
        self.state = self.place.state()
        # a later piece has no warm-up if an earlier piece has completed it
        self.goes_on = bool(piece) and self.state.warm
        # the network itself, without the wrapper of Fabric: its tensor names are those of the checkpoints
        self.bare = curriculum.begin(stage, run, options.weights).to(fabric.device)
        accelerate(self.bare).to(memory_format=torch.channels_last)  # pyright: ignore
        optimiser = make_optimiser(stage, self.bare)
        self.average = WeightAverage(self.bare, stage.average) if stage.average else None
        # network, optimiser and average must exist before their saved values are copied into them
        self.place.restore(self.bare, optimiser, self.average)
        if piece:
            # from here on the state is that of this piece, which is not finished
            self.state = replace(self.state, piece=piece, finished=False)
        # the hash from before the first step stays the reference through all resumptions
        self.state = replace(self.state, frozen=self.state.frozen or curriculum.fingerprint(self.bare, stage))
        curriculum.training_mode(self.bare, stage)
        self.network, self.optimiser = fabric.setup(self.bare, optimiser, move_to_device=False)
        # the loss needs `predictions`; Fabric passes only `forward` and marked methods through the wrapper (DDP)
        self.network.mark_forward_method("predictions")
        self.leads = fabric.global_rank == 0
        # the data continues at the sample at which the checkpoint was written
        self.batches = sources.batches(stage, self.state.samples, rank=fabric.global_rank, world=fabric.world_size)
        # only the process of rank 0 measures the error, so only it needs the samples
        wanted = self.leads and stage.validation and stage.validation_samples
        self.held_out = sources.validation(stage) if wanted else []
        self.logbook = Logbook(run.folder, stage.name, self.state.step) if self.leads else None
        self.window = Window(stage, self.state.step, skips=bool(piece))

    def run(self) -> None:
        """Train until the budget is used up."""
        try:
            self._train()
        finally:
            if isinstance(self.batches, Generator):
                self.batches.close()  # ends the processes and the thread behind it
            if self.logbook:
                self.logbook.close()

    def _train(self) -> None:
        share = min(self._due().share, 1 - 1e-9)  # at least one step
        while share < 1:
            rate = self._rate(share)
            self._step(rate)
            share, measures, saves = self._due()
            ends = share >= 1
            if self.piece:
                self._save_by_the_clock(share, saves=saves or measures)
            if measures or saves or ends or self.step % self.options.log_every == 0:
                self._report(rate, measures=measures or (ends and self.budget.measures_at_the_end))
            if not self.piece and (saves or ends):  # after the measurement, which may have changed the best error
                self._save()

    def _save_by_the_clock(self, share: float, *, saves: bool) -> None:
        """Write a checkpoint if one is due; called before a measurement, which may take minutes."""
        self.state = replace(self.state, warm=self.state.warm or share >= self.stage.warm_up)
        # the newest checkpoint before the rate falls is where the next piece begins, so one is written at this point
        turns = not self.state.decays and share >= 1 - self.stage.decay
        if turns or (saves and share < 1):
            self._save()
        if turns:  # the next piece of training continues from the checkpoint just written
            self.state = replace(self.state, decays=True)
        if share >= 1:
            self._save(finished=True)

    @property
    def step(self) -> int:
        """Number of updates so far."""
        return self.state.step

    def _due(self) -> "Due":
        """Return how much of the budget is used and what is due; by the clock of the first process."""
        due = Due(self.budget.share(self.step), self.budget.measures(self.step), self.budget.saves(self.step))
        # clocks differ between processes, but all must stop and save at the same step
        return self.fabric.broadcast(due) if self.piece and self.fabric.world_size > 1 else due

    def _rate(self, share: float) -> float:
        if self.piece:
            return plateau_rate(self.stage, share, goes_on=self.goes_on)
        return learning_rate(self.stage, self.step)

    def _step(self, rate: float) -> None:
        """Take a batch and update the weights once."""
        stage, fabric = self.stage, self.fabric
        batch = to_device(next(self.batches), fabric.device)
        first, second = batch.first, batch.second  # B x 3 x H x W each, in [0, 1]
        set_learning_rate(self.optimiser, rate)
        self.optimiser.zero_grad(set_to_none=True)
        # B x 2 x H x W, pixels; None: the iterations start from zero flow
        start = coarse_start(self.bare, stage, first, second, fabric) if starts_coarse(stage, self.step) else None
        with fabric.autocast():  # Fabric enters it for a marked method only where it wraps the network
            how = {} if stage.iterations is None else {"iterations": stage.iterations}
            predictions = self.network.predictions(first, second, init_flow=start, **how)
        loss = self.loss(predictions, batch.flow, batch.valid, **stage.loss_options)
        fabric.backward(loss)
        # norm of the whole gradient before clipping, a scalar on the device
        norm, _ = update(fabric, self.network, self.optimiser, stage.clip)
        if self.average:
            # `self.bare` shares its parameters with the wrapped network, so it has the updated weights
            self.average.update(self.bare)
        self.window.add(loss, norm, batch.names)
        self.state = replace(self.state, step=self.step + 1, samples=self.state.samples + stage.batch)

    def _report(self, rate: float, *, measures: bool) -> None:
        """Write a row of the log, with the error on held-out samples if it is due."""
        row = self.window.close(self.step, rate, self.fabric)
        if self.logbook and measures and self.held_out:
            begun = time.monotonic()
            # the error is that of the averaged weights, because these are published
            with self.average.within(self.bare) if self.average else contextlib.nullcontext():
                error, pictures = validate(
                    self.bare,
                    self.held_out,
                    device=self.fabric.device,
                    precision=self.number_format,
                )
            self.budget.note_measuring(time.monotonic() - begun)
            row["error"] = self.window.error = error
            self.logbook.pictures(self.step, pictures)
            if self._publishes_best:
                self._keep_best(error)
        if self.logbook:
            self.logbook.row(self.step, row)
            self.options.report(self.window.progress(self.step, row["loss"], self.budget))

    @property
    def _publishes_best(self) -> bool:
        """Whether the result is the weights with the lowest error instead of the last ones."""
        return bool(self.held_out) and self.stage.keeps_best and not self.piece

    def _keep_best(self, error: float) -> None:
        best = self.state.best
        if math.isfinite(error) and (best is None or error < best):
            self.place.save_weights(self.bare, self.place.best, self.average)
            self.whole.publish(self.place.best)
            self.state = replace(self.state, best=error)

    def _save(self, *, finished: bool = False) -> None:
        begun = time.monotonic()
        # checked before each checkpoint, so that none contains a frozen weight that has changed
        curriculum.must_be_unchanged(self.bare, self.stage, self.state.frozen)
        if isinstance(self.budget, TimeBudget):
            seconds, used = self.budget.seconds, min(self.budget.elapsed(), self.budget.seconds)
            self.state = replace(self.state, seconds=seconds, used=used, finished=finished)
        if self.leads:
            self.place.save(
                self.bare,
                self.optimiser,
                self.state,
                average=self.average,
                publish=None if self._publishes_best else self.whole.publish,
                largest=self.options.part_size,
            )
        # all processes wait until rank 0 has written the whole checkpoint
        self.fabric.barrier()
        self.budget.note_saving(time.monotonic() - begun)
