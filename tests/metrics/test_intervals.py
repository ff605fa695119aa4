"""Bootstrap intervals against scipy's and against the normal approximation."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from opticflow.metrics import bootstrap_interval


def test_interval_of_image_means_agrees_with_scipy():
    random = np.random.default_rng(3)
    means = random.gamma(2.0, 1.5, size=60)
    counts = random.integers(100, 1000, size=60)
    low, high = bootstrap_interval(means * counts, counts, average="images", resamples=4000)
    expected = bootstrap((means,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=0.03)


def test_interval_of_pooled_pixels_agrees_with_scipy():
    random = np.random.default_rng(4)
    counts = random.integers(100, 1000, size=80)
    sums = random.gamma(2.0, 1.5, size=80) * counts

    def ratio(s, c, axis=-1):
        return s.sum(axis) / c.sum(axis)

    expected = bootstrap(
        (sums, counts), ratio, paired=True, method="percentile", n_resamples=4000, rng=1
    ).confidence_interval
    found = bootstrap_interval(sums, counts, average="pixels", resamples=4000)
    assert found == pytest.approx((expected.low, expected.high), rel=0.03)


def test_images_without_pixels_are_left_out():
    sums, counts = np.array([1.0, 2.0, 0.0]), np.array([1, 1, 0])
    low, high = bootstrap_interval(sums, counts, average="images")
    assert 1.0 <= low <= high <= 2.0


def test_one_image_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap_interval(np.ones(1), np.ones(1, dtype=int), average="pixels"))
