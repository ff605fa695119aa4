"""Colours against Pillow and closed forms."""

import colorsys
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from opticflow.data.augmentation.affine import translation
from opticflow.data.augmentation.colour import ColourJitter, Eraser, Noise, Tone, Toning, toned
from opticflow.data.augmentation.spread import Spread, between, factor
from waves import moving

SAMPLE = moving(translation(3, 1))


def fixed(*numbers):
    """A random generator whose uniform numbers are known, and that leaves the order as it is."""
    rng = Mock(spec=np.random.Generator)
    rng.uniform.side_effect = numbers
    rng.permutation.return_value = np.arange(4)
    return rng


@pytest.mark.parametrize(
    ("numbers", "enhance", "amount"),
    [
        ((0.7, 1, 1, 0), ImageEnhance.Brightness, 0.7),
        ((1.4, 1, 1, 0), ImageEnhance.Brightness, 1.4),
        ((1, 0.6, 1, 0), ImageEnhance.Contrast, 0.6),
        ((1, 1.4, 1, 0), ImageEnhance.Contrast, 1.4),
        ((1, 1, 0.6, 0), ImageEnhance.Color, 0.6),
        ((1, 1, 1.4, 0), ImageEnhance.Color, 1.4),
    ],
)
def test_jitter_is_that_of_pillow(numbers, enhance, amount):
    got = ColourJitter(0.4, 0.4, 0.4, 0.1).draw_one(fixed(*numbers)).apply(SAMPLE.first)
    expected = np.asarray(enhance(Image.fromarray(SAMPLE.first)).enhance(amount))
    assert np.abs(got.astype(int) - expected).max() <= 2
    assert np.abs(got.astype(int) - SAMPLE.first).mean() > 5


def test_hue_turns_by_the_share_of_the_circle():
    picture = np.full((1, 1, 3), (200, 100, 50), np.uint8)
    got = ColourJitter(0, 0, 0, 0.5).draw_one(fixed(1, 1, 1, 0.25)).apply(picture)
    hue, saturation, value = colorsys.rgb_to_hsv(*(picture[0, 0] / 255))
    expected = np.array(colorsys.hsv_to_rgb(hue + 0.25, saturation, value)) * 255
    assert np.abs(got[0, 0] - expected).max() < 4


def test_jitter_changes_both_frames_alike_unless_asymmetric():
    same = SAMPLE.replace(second=SAMPLE.first)
    for seed in range(5):
        got = ColourJitter(0.4, 0.4, 0.4, 0.1).apply(same, np.random.default_rng(seed))
        assert np.array_equal(got.first, got.second)
    got = ColourJitter(0.4, 0.4, 0.4, 0.1, asymmetric=1).apply(same, np.random.default_rng(0))
    assert not np.array_equal(got.first, got.second)


def test_tone_is_its_formula():
    got = toned(SAMPLE.first, np.array([1, 1, 1, 1.3, 0.1, 0.8]))
    expected = np.clip(((SAMPLE.first / 255) ** 1.3 + 0.1 - 0.5) * 0.8 + 0.5, 0, 1) * 255
    assert np.abs(got - expected).max() <= 0.51


def test_colour_factors_keep_the_brightness_of_a_pixel():
    picture = np.clip(SAMPLE.first, 40, 120)
    got = toned(picture, np.array([0.8, 1.0, 1.2, 1, 0, 1])).astype(float)
    scaled = picture * [0.8, 1.0, 1.2]
    expected = scaled * (picture.sum(-1) / scaled.sum(-1))[..., None]
    assert np.abs(got - expected).max() < 1.6


def test_the_second_frame_gets_its_own_tone_on_top():
    same = SAMPLE.replace(second=SAMPLE.first)
    twice = Toning(Tone(gamma=Spread(2, 0)), Tone(gamma=Spread(0.5, 0))).apply(same, np.random.default_rng(0))
    assert np.array_equal(twice.second, same.first)
    assert np.abs(twice.first - 255 * (same.first / 255) ** 2).max() <= 0.51


def test_noise_has_its_deviation_and_is_independent():
    grey = np.full_like(SAMPLE.first, 128)
    got = Noise(Spread(0.04, 0)).apply(SAMPLE.replace(first=grey, second=grey), np.random.default_rng(0))
    first, second = got.first - 128.0, got.second - 128.0
    assert first.std() == pytest.approx(10.2, rel=0.03)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


def test_boxes_of_the_mean_colour_lie_in_the_second_frame_only():
    got = Eraser(probability=1, sides=(20, 30)).apply(SAMPLE, np.random.default_rng(3))
    changed = (got.second != SAMPLE.second).any(-1)
    assert np.array_equal(got.first, SAMPLE.first)
    assert 10 < changed.sum() <= 2 * 30 * 30
    assert np.abs(got.second[changed] - SAMPLE.second.mean((0, 1))).max() <= 1
    assert Eraser(probability=0).apply(SAMPLE, np.random.default_rng(3)) is SAMPLE


def test_spreads_draw_what_they_say():
    rng = np.random.default_rng(0)
    uniform = [between(0.7, 1.5).draw(rng) for _ in range(500)]
    assert 0.7 <= min(uniform) < 0.72 and 1.48 < max(uniform) <= 1.5
    grown = np.log([factor(0.2, 0.4).draw(rng) for _ in range(500)])
    assert -0.2 <= grown.min() < -0.18 and 0.58 < grown.max() <= 0.6
    normal = [Spread(1, 0.02, "normal").draw(rng) for _ in range(500)]
    assert np.std(normal) == pytest.approx(0.02, rel=0.1)
