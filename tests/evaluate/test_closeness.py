"""Differences that are known by hand."""

import numpy as np
import pytest

from opticflow.evaluate.closeness import Difference, measure_closeness
from opticflow.shapes import Sample


def test_differences_and_errors_are_those_put_in():
    truth = np.zeros((10, 20, 2), np.float32)
    valid = np.ones((10, 20), bool)
    valid[:, :10] = False
    frame = np.zeros((10, 20, 3), np.uint8)
    sample = Sample(frame, frame, truth, valid, ~valid)
    wanted = truth + np.float32([0, 2])
    flow = wanted.copy()
    flow[:, 15:] += np.float32([0, 1])
    region = np.zeros((10, 20), bool)
    region[:, 15:] = True
    found = measure_closeness(lambda *_: flow, lambda *_: wanted, [sample, sample], region=region)
    assert found.pairs == 2
    assert found.difference == Difference(0.25, 1) and found.inside == Difference(1, 1)
    assert found.outside == Difference(0, 0)
    assert (found.end_point_error, found.reference_error) == (2.5, 2)
    assert found.ratio == pytest.approx(1.25)


def test_the_99th_percentile_is_of_all_pixels_of_all_pairs():
    truth, frame = np.zeros((10, 10, 2), np.float32), np.zeros((10, 10, 3), np.uint8)
    sample = Sample(frame, frame, truth, np.ones((10, 10), bool), np.zeros((10, 10), bool))
    far = [truth + np.float32([3, 4]), truth + np.float32([0, 1])]
    given = iter(far)
    found = measure_closeness(lambda *_: next(given), lambda *_: truth + np.float32([1, 0]), [sample, sample])
    lengths = np.repeat([np.hypot(2, 4), np.hypot(1, 1)], 100)
    assert found.difference.percentile_99 == pytest.approx(np.percentile(lengths, 99), abs=1e-5)
    assert found.inside is None
