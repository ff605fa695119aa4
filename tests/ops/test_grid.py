"""Bilinear sampling, against SciPy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from opticflow.ops.grid import pixel_grid, sample


@pytest.mark.parametrize(("outside", "mode"), [("zeros", "constant"), ("border", "nearest")])
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 1000))
def test_sample_equals_scipy(outside, mode, height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height, width))
    x, y = rng.uniform(-3, width + 2, (4, 5)), rng.uniform(-3, height + 2, (4, 5))
    if outside == "zeros":  # SciPy's constant mode padded by zeros blends with them as grid_sample does
        expected = map_coordinates(np.pad(image, 5), (y + 5, x + 5), order=1, mode=mode)
    else:
        expected = map_coordinates(image, (y, x), order=1, mode=mode)
    coordinates = torch.from_numpy(np.stack((x, y), -1))[None]
    actual = sample(torch.from_numpy(image)[None, None], coordinates, outside=outside)
    np.testing.assert_allclose(actual[0, 0].numpy(), expected, atol=1e-12)


def test_pixel_grid_is_x_then_y():
    grid = pixel_grid(2, 3, like=torch.zeros(1))
    assert grid[:, 1, 2].tolist() == [2, 1]
