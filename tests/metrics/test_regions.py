"""Displacement, occlusion and boundary classes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import distance_transform_edt

from opticflow.metrics import REGIONS, motion_boundaries
from opticflow.metrics.regions import CELLS, boundary_distance, cells


def step(width: int = 300, at: int = 100) -> np.ndarray:
    """Still on the left, moving on the right."""
    flow = np.zeros((40, width, 2), dtype=np.float32)
    flow[:, at:, 0] = 5
    return flow


def test_a_step_in_motion_is_a_boundary():
    found = motion_boundaries(step(), np.ones((40, 300), dtype=bool))
    expected = np.zeros((40, 300), dtype=bool)
    expected[:, 99] = True  # the pixel left of the step
    assert (found == expected).all()


def test_smooth_motion_has_no_boundary():
    x = np.arange(100, dtype=np.float32)
    zoom = np.stack(np.broadcast_arrays(0.02 * x, np.float32(0)), -1)[None].repeat(50, 0).astype(np.float32)
    valid = np.ones((50, 100), dtype=bool)
    assert not motion_boundaries(zoom, valid).any()
    assert np.isinf(boundary_distance(zoom, valid)).all()


def test_the_edge_of_known_truth_is_no_boundary():
    valid = np.ones((40, 300), dtype=bool)
    valid[:, 100:] = False
    assert not motion_boundaries(step(), valid).any()


def test_distances_are_exact():
    flow, valid = step(), np.ones((40, 300), dtype=bool)
    flow[10, 250] = (0, 60)
    expected = distance_transform_edt(~motion_boundaries(flow, valid))
    assert_allclose(boundary_distance(flow, valid), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "region"), [(0, "s0-10"), (9.99, "s0-10"), (10, "s10-40"), (39.9, "s10-40"), (40, "s40+")]
)
def test_displacement_classes(length, region):
    truth = np.full((2, 2, 2), (0, length), dtype=np.float32)
    mask = np.ones((2, 2), dtype=bool)
    labels = np.unravel_index(cells(truth, mask, ~mask), CELLS)
    assert (labels[0] == REGIONS[region][0]).all()
    assert (labels[1] == REGIONS["matched"][1]).all()
    assert (labels[2] == REGIONS["d140+"][2]).all()


def test_distance_classes_of_a_step():
    mask = np.ones((40, 300), dtype=bool)
    distance = np.unravel_index(cells(step(), mask, mask), CELLS)[2]
    columns = np.abs(np.arange(300) - 99)
    assert (distance == np.digitize(columns, (10, 60, 140))).all()
