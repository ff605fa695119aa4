"""An open shutter."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opticflow.data.augmentation import MotionBlur
from opticflow.shapes import Sample

RNG = np.random.default_rng(0)
PICTURE = cv2.GaussianBlur(RNG.integers(0, 256, (96, 128, 3)).astype(np.uint8), (0, 0), 2)


def moving(u, v, valid=True):
    """The whole picture moves; what comes in is a mirror image."""
    shift = np.array([[1, 0, u], [0, 1, v]], np.float32)
    second = cv2.warpAffine(PICTURE, shift, PICTURE.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    flow = np.broadcast_to(np.array([u, v], np.float32), (*PICTURE.shape[:2], 2)).copy()
    known = np.full(PICTURE.shape[:2], valid)
    return Sample(PICTURE, second, flow, known, ~known, "moving")


def blurred(sample, shutter=0.5, **options):
    return MotionBlur(1, (shutter, shutter), **options).apply(sample, np.random.default_rng(1))


@pytest.mark.parametrize("u, v", [(24, 0), (0, 24)])
def test_a_pan_is_a_box_along_the_motion(u, v):
    """With the middle where it was: a streak of 12 pixels is a box of 13."""
    sample = moving(u, v)
    got = blurred(sample)
    size = (13, 1) if u else (1, 13)
    for ours, sharp in ((got.first, sample.first), (got.second, sample.second)):
        wanted = cv2.blur(sharp, size, borderType=cv2.BORDER_REPLICATE)
        inner = np.s_[30:-30, 30:-30]
        assert np.abs(ours[inner].astype(float) - wanted[inner]).mean() < 1.5
        assert np.abs(sharp[inner].astype(float) - wanted[inner]).mean() > 5
    np.testing.assert_array_equal(got.flow, sample.flow)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.1, 0.6))
def test_blurred_frames_still_fit_their_flow(u, v, shutter):
    """The streaks of both frames are the same, so that the second frame read along the flow gives the first."""
    got = blurred(moving(u, v), shutter)
    shift = np.array([[1, 0, u], [0, 1, v]], np.float32)
    back = cv2.warpAffine(got.second, shift, PICTURE.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inner = np.s_[36:-36, 36:-36]
    assert np.abs(back[inner].astype(float) - got.first[inner]).mean() < 2


def test_what_stands_still_or_is_not_known_stays_sharp():
    for sample in (moving(0, 0), moving(24, 0, valid=False)):
        got = blurred(sample)
        np.testing.assert_array_equal(got.first, sample.first)
        np.testing.assert_array_equal(got.second, sample.second)


def test_streaks_have_a_longest():
    short, cut = blurred(moving(24, 0), 0.25), blurred(moving(24, 0), longest=6)
    np.testing.assert_array_equal(short.first, cut.first)
    assert (blurred(moving(24, 0)).first != cut.first).any()


def test_probability_and_narrowing():
    sample = moving(24, 0)
    assert MotionBlur(0).apply(sample, np.random.default_rng(1)) is sample
    assert MotionBlur(0.5, (0.2, 0.6)).scaled_down(0.5) == MotionBlur(0.5, (0.1, 0.3))
    np.testing.assert_array_equal(blurred(sample).first, blurred(sample).first)
