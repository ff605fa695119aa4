"""What a training schedule is: a list of stages, every number of them with its meaning."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from opticflow.data.order import is_chosen
from opticflow.errors import InputError
from opticflow.losses import LOSS_INPUTS

SCHEDULES = ("one-cycle", "plateau", "halving")
"""Schedules of the learning rate."""
WARM_UP_BY_THE_CLOCK = 0.03
"""Share of a budget of time in which the rate rises."""
AVERAGE = 0.999
"""The usual decay of an average of weights: it looks back over a thousand steps."""
MOST = {"steps": 10**12, "batch": 65_536, "validate_every": 10**12, "validation_samples": 10**6}
LARGEST_CROP = 8192
"""Pixels of a side."""


@dataclass(frozen=True)
class Part:
    """One of the data sets that a stage draws its samples from."""

    dataset: str
    """A key of `data.DATASETS`, or the name of a synthetic world, which is also what stands in for a set of that name
    where no folder is given."""
    augmentation: str = "none"
    """How samples are varied: a key of `data.PRESETS`."""
    share: float = 1.0
    """How often it is drawn from, in proportion to the other parts."""
    split: str | None = None
    """Split of the data set; if not given its first, which is the one for evaluation where there are two."""
    cameras: tuple[str, ...] = ()
    """Cameras of FlyingThings3D; all if empty."""
    fold: Literal["", "training", "held-out"] = ""
    """Part of what a data set has for training: `held-out` is the last tenth, `training` the rest; all of it if
    empty."""

    def __post_init__(self):
        _check(self.share > 0, f"the share of {self.dataset} is {self.share}; wanted more than 0")


@dataclass(frozen=True)
class Start:
    """Weights that a stage takes over from an earlier one."""

    stage: str
    """Whose last weights."""
    theirs: str = ""
    """Only what is under this prefix; all if empty."""
    ours: str = ""
    """The prefix in this stage's network that takes the place of theirs."""


@dataclass(frozen=True)
class Stage:
    """One network, trained on one mix of data by one schedule."""

    name: str
    """Unique within the recipe; also names a folder of the run."""
    model: str
    """A key of `models.MODELS`."""
    data: tuple[Part, ...]
    """What samples are drawn from."""
    steps: int
    """Updates of the weights."""
    batch: int
    """Samples in an update, over all processes."""
    crop: tuple[int, int]
    """Height and width of what the network sees, in pixels."""
    learning_rate: float
    """The largest."""
    loss: str
    """A key of `losses.LOSSES`."""
    source: str
    """Where the numbers are from, or the reason for them."""
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the loss."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the model's function in `MODELS`."""
    optimiser: str = "adamw"
    """adam adds the weight decay to the gradient, adamw shrinks the weights by it."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates: what of the gradient's mean and square is kept from step to step."""
    epsilon: float = 1e-8
    """Adam's epsilon: added to the root of the mean square."""
    weight_decay: float = 0.0
    """Per step; multiplied with the learning rate in AdamW."""
    decay_biases: bool = True
    """Whether the weight decay also holds for biases and the parameters of norms."""
    schedule: str = "one-cycle"
    """Schedule of the learning rate: one-cycle, up and down in lines; plateau, up, level and down to zero; or halving,
    at given steps."""
    warm_up: float = 0.05
    """Share of the one-cycle's or the plateau's steps in which the rate rises."""
    decay: float = 0.25
    """Share of the plateau's steps in which the rate falls."""
    halve_at: tuple[int, ...] = ()
    """Steps after which the rate is halved."""
    average: float | None = None
    """The decay of the exponential moving average of the weights, which is then what is measured and published; none:
    the weights themselves are."""
    clip: float | None = None
    """The largest norm of the whole gradient."""
    iterations: int | None = None
    """RAFT's iterations in training; validation takes the network's own number."""
    wide_crop: tuple[int, int] | None = None
    """Height and width of the crops of some steps: wide ones show the motion of a camera that drives."""
    wide_share: float = 0.2
    """Share of the steps that have them."""
    coarse_starts: float = 0.0
    """Share of the steps that start RAFT's iterations from its estimate of the frames at half their size."""
    augmentation_begins: int = 0
    """The step at which the schedule of its augmentation stands at the beginning: those of the stages it goes on
    from."""
    augmentation_pace: float = 1.0
    """Steps of that schedule for each one; more than 1 where the stage was shortened."""
    start: tuple[Start, ...] = ()
    """What of the network begins with weights of earlier stages; the rest begins at random."""
    frozen: tuple[str, ...] = ()
    """Prefixes of the parameters that are not trained."""
    freeze_batch_norm: bool = False
    """Whether batch norms keep the statistics that they came with."""
    validation: tuple[Part, ...] = ()
    """What the error is measured on; none if empty."""
    validation_samples: int = 64
    """How many samples of it, shared evenly by its parts; 0 measures nothing."""
    validate_every: int = 5000
    """Steps between measurements."""
    keeps_best: bool = True
    """Whether the weights with the lowest error are the result; else the last are, as where that error is of samples
    that the stage is trained on."""

    def __post_init__(self):
        name = self.name
        _check(bool(name) and "/" not in name, f"a stage is called {name!r}; wanted a name that can name a folder")
        _check(bool(self.data), f"{name} has no data")
        for what, most in MOST.items():
            number, least = getattr(self, what), 0 if what == "validation_samples" else 1
            _check(least <= number <= most, f"{what} of {name} is {reprlib.repr(number)}; wanted {least} to {most:,}")
        sides = f"the crop of {name} is {self.crop}; wanted height and width of 8 to {LARGEST_CROP} pixels"
        _check(8 <= min(self.crop) <= max(self.crop) <= LARGEST_CROP, sides)
        rate = self.learning_rate
        _check(0 < rate < math.inf, f"the learning rate of {name} is {rate}; wanted a number above 0")
        _check(self.weight_decay >= 0, f"the weight decay of {name} is {self.weight_decay}; wanted 0 or more")
        _check(self.clip is None or self.clip > 0, f"{name} clips gradients at {self.clip}; wanted more than 0")
        _check(self.optimiser in ("adam", "adamw"), f"{name} has the optimiser {self.optimiser!r}; known: adam, adamw")
        known = self.schedule in SCHEDULES
        _check(known, f"{name} has the schedule {self.schedule!r}; known are {', '.join(SCHEDULES)}")
        _check(0 < self.warm_up < 1, f"the warm-up of {name} is {self.warm_up}; wanted a share between 0 and 1")
        _check(0 < self.decay < 1, f"the decay of {name} is {self.decay}; wanted a share between 0 and 1")
        _check(0 < (self.average or 0.5) < 1, f"the average of {name} is {self.average}; wanted between 0 and 1")
        rising = list(self.halve_at) == sorted(set(self.halve_at)) and all(step > 0 for step in self.halve_at)
        _check(rising, f"{name} halves its rate at {self.halve_at}; wanted rising steps")
        share = self.coarse_starts
        _check(0 <= share <= 1, f"the share of coarse starts of {name} is {share}; wanted 0 to 1")
        _check(self.loss in LOSS_INPUTS, f"{name} has the loss {self.loss!r}; known are {', '.join(LOSS_INPUTS)}")
        _check(self.iterations is None or self.iterations >= 1, f"{name} has {self.iterations} iterations; wanted 1")

    @property
    def samples(self) -> int:
        """How many samples the stage draws in all its steps."""
        return self.steps * self.batch

    @property
    def crops(self) -> list[tuple[int, int]]:
        """The sizes of its crops: height and width in pixels."""
        return [self.crop, self.wide_crop] if self.wide_crop else [self.crop]

    def crop_of(self, batch: int) -> tuple[int, int]:
        """Height and width of the crops of a batch, by its number."""
        return self.wide_crop if self.wide_crop and is_chosen(batch, self.wide_share) else self.crop

    def by_the_clock(self) -> "Stage":
        """This stage for a budget of time: whatever its schedule, the learning rate rises, stays level, where the next
        piece of training can go on, and falls to zero; and the average of the weights is what is published."""
        return replace(self, schedule="plateau", warm_up=WARM_UP_BY_THE_CLOCK, average=self.average or AVERAGE)

    def shortened(self, steps: int) -> "Stage":
        """This stage with another number of steps; its schedules are stretched or shrunk with it."""
        # two milestones that fall on the same step halve the rate once
        halve_at = sorted({max(1, step * steps // self.steps) for step in self.halve_at})
        every = max(1, min(self.validate_every, steps))
        # the product of pace and steps is constant, so that the augmentation reaches the same strength
        pace = self.augmentation_pace * self.steps / steps
        return replace(self, steps=steps, halve_at=tuple(halve_at), validate_every=every, augmentation_pace=pace)


@dataclass(frozen=True)
class Recipe:
    """A training schedule: stages, one after the other."""

    name: str
    """By which the command line knows it."""
    title: str
    """What it trains, in a line."""
    stages: tuple[Stage, ...]
    """The last one's network is the result."""

    def __post_init__(self):
        _check(bool(self.stages), f"the recipe {self.name} has no stages")
        before: set[str] = set()
        for stage in self.stages:
            _check(stage.name not in before, f"the recipe {self.name} has two stages called {stage.name}")
            for start in stage.start:
                _check(start.stage in before, f"{stage.name} starts from {start.stage}, which does not come before it")
            before.add(stage.name)

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def changed(
        self,
        *,
        steps: int | None = None,
        batch: int | None = None,
        crop: tuple[int, int] | None = None,
        model: str | None = None,
        rate: float | None = None,
        validation_samples: int | None = None,
    ) -> "Recipe":
        """The recipe for another budget, or another network.

        Args:
            steps: of all stages together, shared among them in the recipe's proportions, at least one each.
            batch: samples in an update, in every stage.
            crop: height and width, in every stage.
            model: a key of `models.MODELS` in place of the recipe's, if that has only one.
            rate: what all learning rates are multiplied with.
            validation_samples: in every stage; 0 measures nothing.

        Raises:
            InputError: fewer steps than stages, or a number that a stage cannot have.
        """
        stages = list(self.stages)
        if steps is not None:
            wanted = f"{self.name} has {len(stages)} stages; wanted at least one step for each, "
            wanted += f"{reprlib.repr(steps)} were given"
            _check(len(stages) <= steps <= MOST["steps"], wanted)
            # rounded down, but one step at least, so that the sum may differ a little from the steps asked for
            shares = [max(1, steps * stage.steps // self.steps) for stage in stages]
            stages = [stage.shortened(share) for stage, share in zip(stages, shares, strict=True)]
        if batch is not None:
            stages = [replace(stage, batch=batch) for stage in stages]
        if crop is not None:
            # the crop that was asked for holds for all steps, so wide crops are dropped
            stages = [replace(stage, crop=crop, wide_crop=None) for stage in stages]
        if rate is not None:
            stages = [replace(stage, learning_rate=stage.learning_rate * rate) for stage in stages]
        if validation_samples is not None:
            stages = [replace(stage, validation_samples=validation_samples) for stage in stages]
        if model is not None:
            own = {stage.model for stage in stages}
            one = f"{self.name} trains {', '.join(sorted(own))}, each from the one before; --model cannot replace them"
            _check(len(own) == 1, one)
            stages = [replace(stage, model=model, options={}) for stage in stages]
        return replace(self, stages=tuple(stages))

    def only(self, names: list[str]) -> "Recipe":
        """The recipe with some of its stages, which must bring what they start from.

        Raises:
            InputError: no such stage, or one that starts from a stage that is left out.
        """
        known = [stage.name for stage in self.stages]
        for name in names:
            _check(name in known, f"{self.name} has no stage {name!r}; known are {', '.join(known)}")
        return replace(self, stages=tuple(stage for stage in self.stages if stage.name in names))

    def to_json(self) -> dict[str, Any]:
        """All its numbers, ready for JSON."""
        return asdict(self)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(otherwise)
