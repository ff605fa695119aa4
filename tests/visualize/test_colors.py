"""The Middlebury colours, against the published wheel."""

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.errors import InputError
from opticflow.visualize import color_wheel, flow_to_image, magnitude_to_image


def published_color(u: float, v: float, longest: float) -> list[int]:
    """The colour of one vector by the formulas of the Middlebury `colorcode.cpp`, in double precision."""
    wheel: list[tuple[int, int, int]] = []
    wheel += [(255, 255 * i // 15, 0) for i in range(15)]
    wheel += [(255 - 255 * i // 6, 255, 0) for i in range(6)]
    wheel += [(0, 255, 255 * i // 4) for i in range(4)]
    wheel += [(0, 255 - 255 * i // 11, 255) for i in range(11)]
    wheel += [(255 * i // 13, 0, 255) for i in range(13)]
    wheel += [(255, 0, 255 - 255 * i // 6) for i in range(6)]
    radius = math.hypot(u, v) / (longest + 1e-5)
    position = (math.atan2(-v, -u) / math.pi + 1) / 2 * (len(wheel) - 1)
    below = int(position)
    share = position - below
    above = (below + 1) % len(wheel)
    hue = [(1 - share) * a + share * b for a, b in zip(wheel[below], wheel[above], strict=True)]
    return [math.floor(255 - radius * (255 - channel)) for channel in hue]


def test_the_wheel_has_55_hues():
    wheel = color_wheel()
    assert wheel.shape == (55, 3)
    assert len(np.unique(wheel, axis=0)) == 55
    assert (wheel.max(1) == 255).all() and (wheel.min(1) == 0).all()


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_random_flow_has_the_published_colors(scale):
    flow = np.random.default_rng(0).normal(scale=scale, size=(40, 50, 2)).astype(np.float32)
    longest = float(np.hypot(flow[..., 0], flow[..., 1]).max())
    wanted = [[published_color(*map(float, vector), longest) for vector in row] for row in flow]
    assert np.abs(flow_to_image(flow).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_random_flow_looks_as_by_flow_vis(scale):
    flow_vis = pytest.importorskip("flow_vis")
    flow = np.random.default_rng(1).normal(scale=scale, size=(400, 500, 2)).astype(np.float32)
    assert np.abs(flow_to_image(flow).astype(int) - flow_vis.flow_to_color(flow)).max() <= 1


@pytest.mark.parametrize(
    ("vector", "color"),
    [((1, 0), (255, 0, 0)), ((-1, 0), (0, 209, 255)), ((0, 0), (255, 255, 255)), ((-99, 0), (0, 209, 255))],
)
def test_directions(vector, color):
    picture = flow_to_image(np.array([[vector]], np.float32), max_flow=1.0)
    np.testing.assert_allclose(picture[0, 0].astype(int), color, atol=1)


@given(arrays.arrays(np.float32, (2, 3, 2), elements=st.floats(width=32)))
@settings(deadline=None)
def test_any_flow_can_be_drawn(flow):
    known = np.isfinite(flow).all(2)
    for draw in (flow_to_image, magnitude_to_image):
        for max_flow in (None, 3.0):
            picture = draw(flow, max_flow=max_flow)
            assert not picture[~known].any()
            assert picture[known].any(1).all()


def test_beyond_the_scale_is_full_saturation():
    angles = np.linspace(0, 2 * np.pi, 50)
    flow = np.stack([np.cos(angles), np.sin(angles)], -1)[None].astype(np.float32)
    np.testing.assert_allclose(
        flow_to_image(flow * 700, max_flow=7.0).astype(int), flow_to_image(flow * 7, max_flow=7.0), atol=1
    )


def test_the_mask_is_drawn_black():
    flow, valid = np.ones((2, 2, 2), np.float32), np.array([[True, False], [True, True]])
    picture = flow_to_image(flow, valid=valid)
    assert not picture[0, 1].any() and picture[valid].any(1).all()


def test_masked_flow_does_not_set_the_scale():
    flow, valid = np.full((1, 2, 2), 3, np.float32), np.array([[True, False]])
    flow[0, 1] = 1e6
    np.testing.assert_array_equal(flow_to_image(flow, valid=valid)[0, 0], flow_to_image(flow[:, :1])[0, 0])


@pytest.mark.parametrize("max_flow", [0, -1, math.nan, math.inf])
def test_the_scale_must_be_positive(max_flow):
    with pytest.raises(InputError, match="positive"):
        flow_to_image(np.zeros((2, 2, 2), np.float32), max_flow=float(max_flow))


def test_magnitude_grows_brighter():
    flow = np.zeros((1, 50, 2), np.float32)
    flow[0, :, 1] = np.linspace(0, 20, 50)
    light = magnitude_to_image(flow, max_flow=10.0).astype(float)[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light[:25]) > 0).all()
    assert np.ptp(light[25:]) == 0
