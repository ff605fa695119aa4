"""Flow under transforms against closed forms, loops and the frames themselves."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.data.augmentation.affine import covers, rotation, scaling, transform, translation
from opticflow.data.augmentation.geometry import resized
from waves import moving, photometric_error, points

small = st.floats(-0.2, 0.2)


@st.composite
def matrices(draw, shift=8.0):
    """Affine maps that keep most of a frame of 120 x 160 in view, about its middle."""
    turned = rotation(draw(small)) @ scaling(1 + draw(small), 1 + draw(small))
    middle = translation(80 + draw(st.floats(-shift, shift)), 60 + draw(st.floats(-shift, shift)))
    return middle @ turned @ translation(-60, -45)


motions = st.builds(
    lambda angle, zoom, x, y: (
        translation(80 + x, 60 + y) @ rotation(angle) @ scaling(zoom, zoom) @ translation(-80, -60)
    ),
    st.floats(-0.1, 0.1),
    st.floats(0.9, 1.1),
    st.floats(-6, 6),
    st.floats(-6, 6),
)


@settings(max_examples=15)
@given(motions, matrices(), matrices())
def test_affine_flow_stays_exact_under_any_pair_of_transforms(motion, first, second):
    size = (90, 120)
    got = transform(moving(motion), first, second, size)
    x, y = points(np.eye(3), size)
    end_x, end_y = points(np.linalg.inv(second) @ motion @ first, size)
    expected = np.stack([end_x - x, end_y - y], -1)
    old_x, old_y = points(first, size)
    inside = (old_x > 0) & (old_y > 0) & (old_x < 159) & (old_y < 119)
    assert got.valid[inside].all()
    assert np.abs(got.flow - expected)[inside].max() < 1e-3
    beyond = (old_x < -0.5) | (old_y < -0.5) | (old_x >= 159.5) | (old_y >= 119.5)
    assert not got.valid[beyond].any()
    assert (got.flow[~got.valid] == 0).all()


@settings(max_examples=10)
@given(motions, matrices(shift=2), matrices(shift=2))
def test_frames_and_flow_still_agree(motion, first, second):
    sample = transform(moving(motion), first, second, (90, 120))
    assert photometric_error(sample) < 4
    assert photometric_error(sample.replace(flow=sample.flow + np.float32(2))) > 12


def test_a_crop_and_a_mirror_are_slices():
    sample = moving(translation(3, -2))
    noise = np.random.default_rng(0).normal(size=sample.flow.shape).astype(np.float32)
    sample = sample.replace(flow=noise, valid=noise[..., 0] > -1)
    crop = transform(sample, resized((1, 1), (7, 11)), resized((1, 1), (7, 11)), (50, 60))
    box = np.s_[7:57, 11:71]
    assert np.array_equal(crop.first, sample.first[box])
    assert np.array_equal(crop.second, sample.second[box])
    assert np.array_equal(crop.valid, sample.valid[box])
    assert np.allclose(crop.flow[crop.valid], noise[box][crop.valid], atol=1e-5)
    mirror = translation(159, 0) @ scaling(-1, 1)
    mirrored = transform(sample, mirror, mirror, (120, 160))
    assert np.array_equal(mirrored.first, sample.first[:, ::-1])
    assert np.array_equal(mirrored.valid, sample.valid[:, ::-1])
    turned = np.where(mirrored.valid[..., None], noise[:, ::-1] * [-1, 1], 0)
    assert np.allclose(mirrored.flow, turned, atol=1e-5)


@pytest.mark.parametrize("scale", [(1.5, 1.5), (0.8, 1.25)])
def test_scaling_is_that_of_a_resized_picture(scale):
    sample = moving(scaling(1.05, 0.95))
    size = (round(120 * scale[0]), round(160 * scale[1]))
    place = resized(scale, (0, 0))
    got = transform(sample, place, place, size)
    assert np.abs(got.first.astype(int) - cv2.resize(sample.first, size[::-1]).astype(int)).max() <= 1
    flow = cv2.resize(sample.flow, size[::-1]) * [scale[1], scale[0]]
    inner = np.s_[3:-3, 3:-3]
    assert np.allclose(got.flow[inner], flow[inner], atol=1e-3)


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_a_vector_is_never_a_mix_of_two_motions(share):
    rng = np.random.default_rng(1)
    sample = moving(np.eye(3))
    flow = np.where((np.arange(160) // 20 % 2)[None, :, None], [9.0, -4.0], [-7.0, 5.0]).astype(np.float32)
    flow = np.broadcast_to(flow, (120, 160, 2)).copy()
    valid = rng.random((120, 160)) < share
    flow[~valid] = 1000  # must not be touched
    place = translation(20.3, 11.7) @ rotation(0.2) @ scaling(0.7, 0.8)
    got = transform(sample.replace(flow=flow, valid=valid), place, place, (90, 120))
    turn = np.linalg.inv(place)[:2, :2]
    kinds = [turn @ [9, -4], turn @ [-7, 5]]
    away = np.min([np.abs(got.flow - kind).max(-1) for kind in kinds], 0)
    assert away[got.valid].max() < 1e-4
    assert 0.3 * share < got.valid.mean() <= 1
    old_x, old_y = points(place, (90, 120))
    near_x, near_y = np.floor(old_x + 0.5).astype(int), np.floor(old_y + 0.5).astype(int)
    within = (near_x >= 0) & (near_y >= 0) & (near_x < 160) & (near_y < 120)
    expected = within & valid[near_y.clip(0, 119), near_x.clip(0, 159)]
    assert np.array_equal(got.valid, expected)


def test_what_leaves_the_new_frame_is_occluded_where_occlusion_is_known():
    sample = moving(translation(10, 0))
    place = translation(30, 30)
    assert not transform(sample, place, place, (40, 50)).occluded.any()
    known = sample.occluded.copy()
    known[35, 35] = True
    got = transform(sample.replace(occluded=known), place, place, (40, 50))
    expected = np.zeros((40, 50), dtype=bool)
    expected[:, 40:] = expected[5, 5] = True
    assert np.array_equal(got.occluded, expected)


def test_covers_knows_when_a_crop_leaves_the_frame():
    assert covers(translation(5, 5), (20, 20), (15, 15))
    assert not covers(translation(6, 5), (20, 20), (15, 15))
    assert not covers(rotation(0.1) @ translation(5, 5), (20, 20), (15, 15))
