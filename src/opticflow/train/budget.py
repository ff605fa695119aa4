"""The budget of a stage: a number of steps or an amount of time, and how much of it is used."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

SAVING = 1.0
"""Seconds reserved at the end of a time budget for the last checkpoint, until one has been timed."""
CHECKPOINT_SECONDS = 45.0
"""Seconds between checkpoints, so that a killed run loses at most a minute, including the time until one is written."""
FEWEST_SECONDS_TO_MEASURE = 1800.0
"""With a shorter time budget no error is measured: making and estimating the held-out samples would take a tenth of
it."""
MEASUREMENTS = 5
"""Number of measurements of the error within a time budget."""


class Budget(ABC):
    """The budget of a stage, which determines when it saves, measures and ends."""

    @abstractmethod
    def share(self, step: int) -> float:
        """Return the share of the budget that is used after a number of steps; the stage ends at 1."""

    @abstractmethod
    def saves(self, step: int) -> bool:
        """Whether a checkpoint is due."""

    @abstractmethod
    def measures(self, step: int) -> bool:
        """Whether a measurement of the error on held-out samples is due."""

    @abstractmethod
    def seconds_left(self, step: int, rate: float) -> float:
        """Return the estimated seconds until the budget is used up; `rate` is the steps per second so far."""

    @property
    def measures_at_the_end(self) -> bool:
        """Whether the error is measured when the budget is used up."""
        return True

    def note_saving(self, seconds: float) -> None:  # noqa: B027 - a budget of steps has no use for it
        """Record how long a checkpoint took."""

    def note_measuring(self, seconds: float) -> None:  # noqa: B027
        """Record how long a measurement took."""


class StepBudget(Budget):
    """A budget of a number of steps."""

    def __init__(self, steps: int, *, save_every: int, measure_every: int) -> None:
        """
        Args:
            steps: number of steps of the stage.
            save_every: steps between checkpoints.
            measure_every: steps between measurements of the error.
        """
        self.steps, self.save_every, self.measure_every = steps, save_every, measure_every

    def share(self, step: int) -> float:
        return step / self.steps

    def saves(self, step: int) -> bool:
        return step == self.steps or step % self.save_every == 0

    def measures(self, step: int) -> bool:
        return step == self.steps or step % self.measure_every == 0

    def seconds_left(self, step: int, rate: float) -> float:
        return (self.steps - step) / rate


class TimeBudget(Budget):
    """A budget of a number of seconds, some of which are reserved for the last checkpoint and measurement."""

    def __init__(self, seconds: float, used: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            seconds: budget of the stage within a piece of training.
            used: seconds of the budget that were used before an interruption.
            clock: function that returns the time in seconds; with `time.process_time`, networks can be compared on a
                machine that also does other work.
        """
        self.seconds, self.clock = seconds, clock
        # set back by the seconds used before an interruption, so that `elapsed` includes them
        self.start = clock() - used
        self.saving, self.measuring = SAVING, 0.0  # seconds reserved at the end
        self.saved_at, self.measured_at = used, 0.0

    def elapsed(self) -> float:
        """Seconds since the stage began."""
        return self.clock() - self.start

    def share(self, step: int) -> float:
        # never zero or less, even if a checkpoint takes longer than the whole budget
        return self.elapsed() / max(self.seconds - self.saving - self.measuring, 1e-3)

    def saves(self, step: int) -> bool:
        return self.elapsed() - self.saved_at >= CHECKPOINT_SECONDS

    def measures(self, step: int) -> bool:
        due = self.elapsed() - self.measured_at >= self.seconds / MEASUREMENTS
        return due and self.seconds >= FEWEST_SECONDS_TO_MEASURE and self.share(step) < 1

    def seconds_left(self, step: int, rate: float) -> float:
        return max(0.0, self.seconds - self.saving - self.measuring - self.elapsed())

    @property
    def measures_at_the_end(self) -> bool:
        return self.measuring > 0  # otherwise no time is reserved for it

    def note_saving(self, seconds: float) -> None:
        # 1.5 times the slowest so far, because the time of writing varies
        self.saving = max(self.saving, 1.5 * seconds)
        self.saved_at = self.elapsed()

    def note_measuring(self, seconds: float) -> None:
        # 1.2 times the last one, because the time varies a little
        self.measuring = 1.2 * seconds
        self.measured_at = self.elapsed()
