"""Random distributions of single numbers."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Spread:
    """A uniform or normal distribution of one number, or of its logarithm."""

    mean: float
    spread: float
    """Half the width of a uniform distribution, or the standard deviation of a normal one."""
    kind: Literal["uniform", "normal"] = "uniform"
    exponential: bool = False
    """Whether `mean` and `spread` describe the logarithm of the result, as for factors."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one number."""
        # standardised; `spread` scales it
        deviation = rng.uniform(-1, 1) if self.kind == "uniform" else rng.standard_normal()
        number = self.mean + self.spread * deviation
        return math.exp(number) if self.exponential else number

    def scaled_down(self, share: float) -> "Spread":
        """Return this distribution with its spread multiplied by `share`."""
        return replace(self, spread=share * self.spread)


def between(low: float, high: float) -> Spread:
    """Return the uniform distribution from `low` to `high`."""
    return Spread((low + high) / 2, (high - low) / 2)


def about(mean: float, deviation: float) -> Spread:
    """Return the normal distribution with this mean and standard deviation."""
    return Spread(mean, deviation, "normal")


def factor(mean: float, spread: float, kind: Literal["uniform", "normal"] = "uniform") -> Spread:
    """Return the distribution of a factor; `mean` and `spread` are those of its logarithm."""
    return Spread(mean, spread, kind, exponential=True)


ALWAYS_0 = Spread(0.0, 0.0)
ALWAYS_1 = Spread(1.0, 0.0)
