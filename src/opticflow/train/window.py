"""The last steps of a training, summarised for a row of the log and for a progress report."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from opticflow.errors import TrainingError
from opticflow.train.budget import Budget, StepBudget
from opticflow.train.recipe import Stage

RECENT = 20
"""Number of recent steps among which non-finite steps are counted: training that skips them stops if half are not
finite."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run, as given to a `report` function."""

    stage: str
    step: int
    steps: int | None
    """Number of steps of this stage; None with a time budget."""
    loss: float
    """Mean loss since the last report."""
    error: float | None
    """Error on the validation set, in pixels, as last measured."""
    samples_per_second: float
    seconds_left: float
    """Estimated seconds until this stage ends."""


class Window:
    """The steps since the last row of the log. Nothing is read from the device until it is closed, so that a GPU's
    steps are queued without waiting."""

    def __init__(self, stage: Stage, step: int, *, skips: bool) -> None:
        """
        Args:
            stage: the stage that is trained.
            step: number of updates before the first step of the window.
            skips: whether steps whose loss or gradient is not finite are skipped, if they are fewer than half of the
                recent steps.
        """
        self.stage, self.first, self.skips = stage, step, skips
        self.begun = time.monotonic()
        self.recent: deque[bool] = deque(maxlen=RECENT)
        """Whether each recent step was finite."""
        self.figures: list[Tensor] = []
        self.names: list[Sequence[str]] = []
        self.error: float | None = None

    def add(self, loss: Tensor, norm: Tensor, names: Sequence[str]) -> None:
        self.figures.append(torch.stack((loss.detach().float(), norm.detach().float())))
        self.names.append(names)

    def close(self, step: int, rate: float, fabric: Any) -> dict[str, float]:
        """Return mean loss and gradient norm over steps and processes, and the last learning rate.

        Raises:
            TrainingError: a loss or gradient is not finite and cannot be skipped; raised in every process.
        """
        figures = torch.stack(self.figures).double()  # steps x 2: loss, norm of the gradient
        # processes x steps x 2
        everyone = fabric.all_gather(figures).reshape(fabric.world_size, len(figures), 2).cpu()
        finite = everyone.isfinite().all(2).all(0)  # of each step, in all processes
        left_out = int((~finite).sum())
        self.recent.extend(finite.tolist())
        if self.skips and 2 * self.recent.count(False) < RECENT:
            # `update` has skipped these steps, so a bad sample only costs its batch
            everyone = everyone[:, finite]
        elif left_out:
            which = int((~finite).nonzero()[0])
            # one loss for each process
            losses = everyone[:, which, 0]
            names = [self.names[which]]
            if fabric.world_size > 1:
                names = [self.names[which]] * fabric.world_size
                torch.distributed.all_gather_object(names, self.names[which])
            # if all losses are finite, the gradient is not, and all processes share it
            to_blame = [rank for rank, loss in enumerate(losses) if not loss.isfinite()] or range(len(names))
            samples = ", ".join(name for rank in to_blame for name in names[rank])
            raise TrainingError(
                f"{self.stage.name}: at step {step - len(figures) + which + 1} the loss is {losses.mean().item()} and "
                f"the norm of the gradient {everyone[0, which, 1].item()}, with the samples {samples}; the last "
                "checkpoint is from before it: look at these samples, or begin again with a lower learning rate"
            )
        self.figures, self.names = [], []
        loss, norm = everyone.mean((0, 1)).tolist()
        return {"loss": loss, "gradient": norm, "rate": rate, "skipped": left_out}

    def progress(self, step: int, loss: float, budget: Budget) -> Progress:
        # steps per second since the stage began or was resumed
        rate = (step - self.first) / (time.monotonic() - self.begun)
        steps = self.stage.steps if isinstance(budget, StepBudget) else None
        left = budget.seconds_left(step, rate)
        return Progress(self.stage.name, step, steps, loss, self.error, rate * self.stage.batch, left)
