"""Error maps against closed forms and against other implementations."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from opticflow.metrics import angular_error, end_point_error, fl_outliers, nearest_truth, outliers, weighted_inliers


def constant(u: float, v: float) -> np.ndarray:
    return np.full((4, 5, 2), (u, v), dtype=np.float32)


flows = arrays(np.float32, (3, 4, 2), elements=st.floats(-200, 200, width=32))


def test_end_point_error_is_a_length():
    assert_allclose(end_point_error(constant(3, -2), constant(0, 2)), 5.0)


@given(flows, flows)
def test_end_point_error_agrees_with_opencv(flow, truth):
    expected = cv2.magnitude(*[np.ascontiguousarray((flow - truth)[..., i], dtype=np.float64) for i in (0, 1)])
    assert_allclose(end_point_error(flow, truth), expected, rtol=1e-5, atol=1e-4)


def test_the_nearest_of_several_truths_is_taken_in_each_pixel():
    choices = np.stack([constant(0, 0), constant(10, 0), constant(0, 10)])
    flow = constant(1, 1)
    flow[0, 0] = (9, 2)
    flow[1, 2] = (-3, 30)
    nearest = nearest_truth(flow, choices)
    assert nearest[0, 0].tolist() == [10, 0]
    assert nearest[1, 2].tolist() == [0, 10]
    error = np.stack([end_point_error(flow, truth) for truth in choices]).min(0)
    assert (end_point_error(flow, nearest) == error).all()


@pytest.mark.parametrize(
    ("flow", "truth", "degrees"),
    [((1, 0), (0, 0), 45.0), ((1, 0), (-1, 0), 90.0), ((0, 2), (0, 2), 0.0), ((1, 0), (0, 1), 60.0)],
)
def test_angular_error_of_known_angles(flow, truth, degrees):
    assert_allclose(angular_error(constant(*flow), constant(*truth)), degrees, atol=1e-12)


@given(flows, flows)
def test_angular_error_agrees_with_the_arc_cosine(flow, truth):
    a = np.concatenate((flow.astype(float), np.ones((3, 4, 1))), -1)
    b = np.concatenate((truth.astype(float), np.ones((3, 4, 1))), -1)
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    assert_allclose(angular_error(flow, truth), np.degrees(np.arccos(np.clip(cosine, -1, 1))), atol=1e-3)


def test_angular_error_keeps_small_angles():
    expected = np.degrees(np.arctan(np.float64(np.float32(1e-6))))
    assert_allclose(angular_error(constant(1e-6, 0), constant(0, 0)), expected, rtol=1e-9)


def test_outliers_are_beyond_the_threshold_not_at_it():
    error = np.array([[0.99, 1.0, 1.01]])
    assert outliers(error, 1.0).tolist() == [[False, False, True]]


def test_fl_needs_three_pixels_and_five_percent():
    truth = np.zeros((1, 4, 2), dtype=np.float32)
    truth[0, :, 0] = (10, 10, 100, 100)
    error = np.array([[3.0, 3.1, 4.9, 5.1]])
    assert fl_outliers(error, truth).tolist() == [[False, True, False, True]]


@given(arrays(np.float64, (5, 7), elements=st.floats(0, 8) | st.sampled_from([i / 20 for i in range(121)])))
def test_weighted_inliers_average_to_wauc_by_its_definition(error):
    numerator = denominator = 0.0
    for i in range(1, 101):
        weight = 1 - (i - 1) / 100
        numerator += weight * (error <= i / 20).mean()
        denominator += weight
    assert_allclose(weighted_inliers(error).mean(), numerator / denominator, rtol=1e-12, atol=1e-15)


def test_weighted_inliers_approach_the_integral():
    error = np.linspace(0, 6, 200)[None]
    assert_allclose(weighted_inliers(error), np.clip(1 - error / 5, 0, None) ** 2, atol=0.02)
