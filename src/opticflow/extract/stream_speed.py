"""Measure what a stream gains over single pairs: by reused features and by warm starts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from opticflow.estimator import Estimator
from opticflow.metrics.maps import end_point_error
from opticflow.shapes import FlowArray, Frame


@dataclass(frozen=True)
class StreamSpeed:
    """The speed and the error of one way to estimate a clip."""

    reuse: bool
    """Whether each frame is encoded once."""
    warm_start: bool
    """Whether each estimate starts from the flow before (warm start)."""
    iterations: int | None
    """Number of RAFT's iterations."""
    seconds_per_pair: float
    end_point_error: float
    """Mean end-point error over all pixels of all pairs, in pixels."""
    ratio: float
    """Speed-up over pair by pair, that is without feature reuse, with cold starts and all iterations."""


def measure_streams(
    estimator: Estimator, frames: Sequence[Frame], truths: Sequence[FlowArray], *, rounds: int = 2
) -> list[StreamSpeed]:
    """Measure all four combinations of feature reuse and warm starts.

    For RAFT, also measure half the iterations with feature reuse, from cold and from warm starts.

    A first pair warms up.

    Args:
        estimator: the method.
        frames: the frames of the clip.
        truths: the true flow from each frame to the next.
        rounds: number of measurements of each combination; the shortest time counts. All are measured in each round.
    """
    full = estimator.settings.iterations
    ways = [(reuse, warm, full) for reuse, warm in product((False, True), repeat=2)]
    if full is not None and full > 1:
        ways += [(True, warm, full // 2) for warm in (False, True)]
    times, errors = [float("inf")] * len(ways), [0.0] * len(ways)
    # the first pair includes work that is done once
    list(estimator.stream(frames[:2]))
    for _ in range(rounds):
        for i, (reuse, warm, iterations) in enumerate(ways):
            begun = time.perf_counter()
            flows = list(estimator.with_iterations(iterations).stream(frames, reuse=reuse, warm_start=warm))
            # the least time, because other work of the machine can only add to it
            times[i] = min(times[i], (time.perf_counter() - begun) / len(flows))
            pairs = zip(flows, truths, strict=True)
            errors[i] = float(np.mean([end_point_error(flow, truth).mean() for flow, truth in pairs]))
    return [
        StreamSpeed(*way, round(seconds, 5), round(error, 5), round(times[0] / seconds, 3))
        for way, seconds, error in zip(ways, times, errors, strict=True)
    ]
