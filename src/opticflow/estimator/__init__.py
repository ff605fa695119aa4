"""Apply a network to frames of any kind: device, precision, size, batches and clips."""

from opticflow.estimator.estimator import Estimator
from opticflow.estimator.loading import estimate, load, resolve
from opticflow.estimator.stream import PairFlow

__all__ = ["Estimator", "PairFlow", "estimate", "load", "resolve"]
