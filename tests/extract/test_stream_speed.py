"""Ways to estimate a clip, against a method whose error follows from where it starts and how often it iterates."""

import numpy as np
import pytest

from opticflow.estimator import Estimator
from opticflow.extract.stream_speed import measure_streams
from opticflow.models.network import FlowNetwork
from pictures import moving


class Halving(FlowNetwork):
    """Halves what it is from the truth, (4, 0), at each iteration."""

    def __init__(self, iterations: int = 4):
        super().__init__()
        self.iterations = iterations

    def match(self, first, second, *, init_flow=None, iterations=None):
        flow = 0 * first["frames"][:, :2] if init_flow is None else init_flow.clone()
        flow[:, 0] += (4 - flow[:, 0]) * (1 - 0.5 ** (iterations or self.iterations))
        return flow


def test_each_way_has_its_speed_and_its_error():
    frames = moving(64, 96, 4, dx=4, dy=0)
    truth = np.zeros((64, 96, 2), np.float32)
    truth[..., 0] = 4
    estimator = Estimator(Halving())
    rows = {(r.reuse, r.warm_start, r.iterations): r for r in measure_streams(estimator, frames, [truth] * 3, rounds=1)}
    assert len(rows) == 6 and estimator.settings.iterations == 4
    cold, warm, half = rows[True, False, 4], rows[True, True, 4], rows[True, False, 2]
    assert cold.end_point_error == rows[False, False, 4].end_point_error == pytest.approx(4 / 16)
    assert half.end_point_error == pytest.approx(4 / 4)
    assert warm.end_point_error < 0.6 * cold.end_point_error
    single = rows[False, False, 4]
    assert single.ratio == 1 and single.seconds_per_pair > 0
    assert warm.ratio == pytest.approx(single.seconds_per_pair / warm.seconds_per_pair, rel=0.05)


def test_a_method_without_iterations_has_four_ways():
    rows = measure_streams(Estimator(Halving(1)), moving(32, 48, 3), [np.zeros((32, 48, 2), np.float32)] * 2, rounds=1)
    assert len(rows) == 4
