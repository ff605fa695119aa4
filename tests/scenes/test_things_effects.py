"""The final pass: each effect alone does what its law says, and none moves the picture."""

from dataclasses import replace

import numpy as np
import pytest

from opticflow.scenes.things_effects import CameraEffects, finish

NONE = CameraEffects(0.0, 0.0, 5.0, 0.0, np.array([200.0, 210.0, 220.0]), 1.0, 0.0, 1)
DEPTH = np.full((40, 60), 10.0, np.float32)
STILL = np.zeros((40, 60, 2), np.float32)


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (40, 60, 3)).astype(np.float32)


def step():
    picture = np.zeros((40, 60, 3), np.float32)
    picture[:, 30:] = 200
    return picture


def test_without_effects_the_final_pass_is_the_clean_one(picture):
    np.testing.assert_allclose(finish(picture, DEPTH, STILL, NONE, 0), picture, atol=0.75)


def test_fog_follows_the_exponential_law(picture):
    fogged = finish(picture, DEPTH, STILL, replace(NONE, fog=0.05), 0)
    left = np.exp(-0.5)
    np.testing.assert_allclose(fogged, NONE.fog_colour + left * (picture - NONE.fog_colour), atol=0.75)


def test_gamma_bends_the_grey_levels(picture):
    bent = finish(picture, DEPTH, STILL, replace(NONE, gamma=1.25), 0)
    np.testing.assert_allclose(bent, 255 * (picture / 255) ** 1.25, atol=0.85)


def test_noise_has_its_strength_and_depends_on_the_frame_alone(picture):
    grey = np.full_like(picture, 128)
    noisy = replace(NONE, noise=4.0)
    first, again, later = (finish(grey, DEPTH, STILL, noisy, time) for time in (0, 0, 1))
    assert 3.5 < first.astype(float).std() < 4.5
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)


def test_motion_blur_is_symmetric_and_as_long_as_the_exposure():
    velocity = STILL + np.array([20.0, 0.0], np.float32)
    ramp = finish(step(), DEPTH, velocity, replace(NONE, shutter=0.5), 0)[20, :, 0].astype(float)
    assert (ramp[:24] == 0).all() and (ramp[36:] == 200).all()
    assert abs(ramp[25:35].mean() - 100) < 12  # the middle of the ramp stays where the edge was
    assert (np.diff(ramp) > -25).all()


def test_what_is_in_focus_stays_sharp_and_the_rest_is_spread():
    lens = replace(NONE, defocus=4.0, focus=10.0)
    np.testing.assert_array_equal(finish(step(), DEPTH, STILL, lens, 0), step())
    spread = finish(step(), DEPTH * 4, STILL, lens, 0)[20, :, 0].astype(float)
    assert (spread[:25] == 0).all() and (spread[35:] == 200).all() and 20 < spread[29] < 180


def test_a_sharp_edge_stays_sharp_before_a_blurred_ground():
    depth = DEPTH.copy()
    depth[:, :30] = 80.0
    depth[:, 30:] = 10.0
    lens = replace(NONE, defocus=4.0, focus=10.0)
    edge = finish(step(), depth, STILL, lens, 0)[20, :, 0]
    assert edge[30] > 180 and (edge[31:] == 200).all()  # the ground reaches over it by less than a pixel
