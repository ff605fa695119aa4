"""A change of a sample's pictures in two halves: what chance decides is drawn, then it is applied.

The first half costs next to nothing and is shared by both ways to apply it: to one sample (`Change.apply`), and to a
batch on any device (`augmentation.batched`).
"""

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import numpy as np

from opticflow.shapes import Sample


@runtime_checkable
class Change(Protocol):
    """A change of the pictures that was drawn for one sample."""

    def apply(self, sample: Sample) -> Sample:
        """The sample with the change; no more is left to chance."""
        ...


class Step(ABC):
    """Distribution of a change of the pictures."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Change | None:
        """One change; none if the sample stays as it is."""

    @abstractmethod
    def scaled_down(self, share: float) -> "Step":
        """The same with a share of its spread."""

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with a change that is drawn for it."""
        change = self.draw(rng)
        return sample if change is None else change.apply(sample)
