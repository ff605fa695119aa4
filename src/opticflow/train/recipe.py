"""The definition of a recipe: a list of stages, with the meaning of every number."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from opticflow.data.order import is_chosen
from opticflow.errors import InputError
from opticflow.losses import LOSS_INPUTS

SCHEDULES = ("one-cycle", "plateau", "halving")
"""Learning-rate schedules."""
WARM_UP_BY_THE_CLOCK = 0.03
"""Share of a time budget in which the learning rate rises."""
AVERAGE = 0.999
"""Default decay of the moving average of the weights: a time constant of a thousand steps."""
MOST = {"steps": 10**12, "batch": 65_536, "validate_every": 10**12, "validation_samples": 10**6}
LARGEST_CROP = 8192
"""Largest side of a crop, in pixels."""


@dataclass(frozen=True)
class Part:
    """One of the data sets that a stage draws its samples from."""

    dataset: str
    """A key of `data.DATASETS`, or the name of a synthetic world. A world also replaces a data set of its name for
    which no folder is given."""
    augmentation: str = "none"
    """Augmentation of the samples: a key of `data.PRESETS`."""
    share: float = 1.0
    """How often it is drawn from, relative to the other parts."""
    split: str | None = None
    """Split of the data set; None: its first, which is the one for evaluation where there are two."""
    cameras: tuple[str, ...] = ()
    """Cameras of FlyingThings3D; all if empty."""
    fold: Literal["", "training", "held-out"] = ""
    """Which pairs of the split are used: `held-out`, its last tenth; `training`, the rest; empty: all. With a fold,
    `split=None` means the training split."""

    def __post_init__(self):
        _check(self.share > 0, f"the share of {self.dataset} is {self.share}; wanted more than 0")


@dataclass(frozen=True)
class Start:
    """Weights that a stage takes from an earlier one."""

    stage: str
    """Name of the earlier stage, whose last weights are taken."""
    theirs: str = ""
    """Take only weights under this prefix; empty: all."""
    ours: str = ""
    """Prefix in this stage's network that replaces theirs."""


@dataclass(frozen=True)
class Stage:
    """The training of one network on one mix of data with one schedule."""

    name: str
    """Unique within the recipe; also the name of a folder of the run."""
    model: str
    """A key of `models.MODELS`."""
    data: tuple[Part, ...]
    """What samples are drawn from."""
    steps: int
    """Number of updates of the weights."""
    batch: int
    """Samples per update, over all processes."""
    crop: tuple[int, int]
    """Height and width of the crops that the network sees, in pixels."""
    learning_rate: float
    """Largest learning rate."""
    loss: str
    """A key of `losses.LOSSES`."""
    source: str
    """Source of the numbers, or the reason for them."""
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the loss."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the model's function in `MODELS`."""
    optimiser: str = "adamw"
    """adam adds the weight decay to the gradient; adamw shrinks the weights by it."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates of the mean of the gradient and of its square."""
    epsilon: float = 1e-8
    """Adam's epsilon, added to the root of the mean square."""
    weight_decay: float = 0.0
    """Per step; multiplied with the learning rate in AdamW."""
    decay_biases: bool = True
    """Whether biases and the parameters of norms are also decayed."""
    schedule: str = "one-cycle"
    """Learning-rate schedule: one-cycle (linear rise and fall), plateau (linear rise, constant, linear fall to zero),
    or halving at given steps."""
    warm_up: float = 0.05
    """Share of the steps of one-cycle or plateau in which the learning rate rises."""
    decay: float = 0.25
    """Share of the plateau's steps in which the learning rate falls."""
    halve_at: tuple[int, ...] = ()
    """Steps after which the learning rate is halved."""
    average: float | None = None
    """Decay of the exponential moving average of the weights, which is then measured and published; None: the weights
    themselves are."""
    clip: float | None = None
    """Largest norm of the whole gradient."""
    iterations: int | None = None
    """Number of RAFT's iterations in training; validation uses the network's own number."""
    wide_crop: tuple[int, int] | None = None
    """Height and width of the crops in some steps: wide crops show the motion of a driving camera."""
    wide_share: float = 0.2
    """Share of the steps with wide crops."""
    coarse_starts: float = 0.0
    """Share of the steps whose iterations start from the network's own estimate at half the size."""
    augmentation_begins: int = 0
    """Step of the augmentation schedule at which this stage starts: the steps of the stages that it continues."""
    augmentation_pace: float = 1.0
    """Steps of the augmentation schedule per training step; more than 1 where the stage was shortened."""
    start: tuple[Start, ...] = ()
    """Parts of the network that are initialised from earlier stages; the rest is initialised at random."""
    frozen: tuple[str, ...] = ()
    """Prefixes of the parameters that are not trained."""
    freeze_batch_norm: bool = False
    """Whether batch norms keep the statistics that they were loaded with."""
    validation: tuple[Part, ...] = ()
    """Data on which the error is measured; none if empty."""
    validation_samples: int = 64
    """Number of validation samples, divided evenly among the parts; 0: nothing is measured."""
    validate_every: int = 5000
    """Steps between measurements."""
    keeps_best: bool = True
    """Whether the result is the weights with the lowest error; otherwise it is the last weights, for instance where the
    error is measured on training samples."""

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
        """Number of samples that the stage draws in all its steps."""
        return self.steps * self.batch

    @property
    def crops(self) -> list[tuple[int, int]]:
        """Sizes of its crops: height and width in pixels."""
        return [self.crop, self.wide_crop] if self.wide_crop else [self.crop]

    def crop_of(self, batch: int) -> tuple[int, int]:
        """Return the height and width of the crops of a batch, given its number."""
        return self.wide_crop if self.wide_crop and is_chosen(batch, self.wide_share) else self.crop

    def by_the_clock(self) -> "Stage":
        """Return this stage for a time budget, whatever its own schedule: the learning rate rises, stays constant and
        falls to zero, and the average of the weights is published. The next piece of training can continue from the
        constant rate."""
        return replace(self, schedule="plateau", warm_up=WARM_UP_BY_THE_CLOCK, average=self.average or AVERAGE)

    def shortened(self, steps: int) -> "Stage":
        """Return this stage with another number of steps; its schedules are scaled with it."""
        # two milestones that fall on the same step halve the rate once
        halve_at = sorted({max(1, step * steps // self.steps) for step in self.halve_at})
        every = max(1, min(self.validate_every, steps))
        # the product of pace and steps is constant, so that the augmentation reaches the same strength
        pace = self.augmentation_pace * self.steps / steps
        return replace(self, steps=steps, halve_at=tuple(halve_at), validate_every=every, augmentation_pace=pace)


@dataclass(frozen=True)
class Recipe:
    """A training recipe: a sequence of stages."""

    name: str
    """Name of the recipe on the command line."""
    title: str
    """One line that says what it trains."""
    stages: tuple[Stage, ...]
    """The network of the last stage is the result."""

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
        """Return the recipe for another budget, or another network.

        Args:
            steps: number of steps of all stages together, divided among them in the recipe's proportions, at least one
                each.
            batch: samples per update, in every stage.
            crop: height and width in pixels, in every stage.
            model: a key of `models.MODELS` that replaces the recipe's model, if all stages have the same one.
            rate: factor for all learning rates.
            validation_samples: number of validation samples in every stage; 0: nothing is measured.

        Raises:
            InputError: there are fewer steps than stages, a number is not possible for a stage, or the model cannot be
                replaced.
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
        """Return the recipe with some of its stages, which must include those they start from.

        Raises:
            InputError: there is no such stage, or one starts from a stage that is left out.
        """
        known = [stage.name for stage in self.stages]
        for name in names:
            _check(name in known, f"{self.name} has no stage {name!r}; known are {', '.join(known)}")
        return replace(self, stages=tuple(stage for stage in self.stages if stage.name in names))

    def to_json(self) -> dict[str, Any]:
        """Return all its numbers, ready for JSON."""
        return asdict(self)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(otherwise)
