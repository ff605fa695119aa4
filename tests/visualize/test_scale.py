"""The common scale, against NumPy's percentile."""

import numpy as np
import pytest

from opticflow.errors import InputError
from opticflow.visualize import MagnitudeHistogram, robust_max_flow


def clip(count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.lognormal(sigma=2, size=(40, 30, 2)) * (i + 1)).astype(np.float32) for i in range(count)]


@pytest.mark.parametrize("percentile", [1.0, 50.0, 95.0, 99.0, 99.93])  # 99.9 of 6000 falls between two
def test_percentiles_of_a_clip(percentile):
    lengths = np.concatenate([np.hypot(*flow.reshape(-1, 2).T) for flow in clip()])
    wanted = np.percentile(lengths, percentile, method="inverted_cdf")
    assert wanted * 0.999 <= robust_max_flow(clip(), percentile) <= wanted * 1.011


def test_the_longest_vector():
    lengths = np.concatenate([np.hypot(*flow.reshape(-1, 2).T) for flow in clip()])
    assert robust_max_flow(iter(clip()), 100.0) == pytest.approx(lengths.max(), rel=1e-6)


def test_unknown_flow_does_not_count():
    flow = np.full((4, 4, 2), np.nan, np.float32)
    flow[0, 0] = [3, 4]
    assert robust_max_flow([flow]) == 5


def test_where_nothing_moves_the_scale_is_one():
    assert robust_max_flow([np.zeros((4, 4, 2), np.float32)]) == 1
    assert robust_max_flow([np.full((4, 4, 2), np.nan, np.float32)]) == 1
    assert robust_max_flow([]) == 1


def test_little_that_moves_over_much_that_stands_decides():
    flow = np.zeros((100, 100, 2), np.float32)
    flow[0, 0, 0] = 8
    assert robust_max_flow([flow]) == 8


def test_wild_vectors_do_not_decide():
    flow = np.full((100, 100, 2), 3, np.float32)
    flow[0, 0] = 1e30
    assert robust_max_flow([flow]) == pytest.approx(np.hypot(3, 3), rel=0.011)


def test_lengths_beyond_the_bins():
    flow = np.array([[[1e-30, 0], [1e30, 0], [3e38, 3e38]]], np.float32)
    histogram = MagnitudeHistogram()
    histogram.add(flow)
    assert histogram.percentile(1.0) == pytest.approx(2**-10)
    assert histogram.percentile(100.0) == histogram.longest == np.finfo(np.float32).max


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan")])
def test_percentiles_that_are_none(percentile):
    with pytest.raises(InputError, match="percentile"):
        robust_max_flow(clip(), float(percentile))
