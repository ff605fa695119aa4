"""Random changes of a sample's frames in two stages: the random parameters are drawn, then the change is applied.

Drawing takes almost no time, and both ways to apply a change share it: for one sample (`Change.apply`), and for a batch
on any device (`augmentation.batched`).
"""

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import numpy as np

from opticflow.shapes import Sample


@runtime_checkable
class Change(Protocol):
    """A change of the frames whose random parameters have been drawn for one sample."""

    def apply(self, sample: Sample) -> Sample:
        """Return the changed sample; the result is deterministic."""
        ...


class Step(ABC):
    """Distribution of a change of the frames."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Change | None:
        """Draw one change; None if the sample stays unchanged."""

    @abstractmethod
    def scaled_down(self, share: float) -> "Step":
        """Return this distribution with its spread multiplied by `share`."""

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Draw a change and return the changed sample."""
        change = self.draw(rng)
        return sample if change is None else change.apply(sample)
