"""Procedural pictures: deterministic, varied, band-limited."""

import numpy as np
import pytest

from opticflow.scenes import textures
from opticflow.scenes.chair_models import FAMILIES, chair_sprite
from opticflow.scenes.sprites import render_sprite


@pytest.mark.parametrize("make", [textures.picture, textures.surface, textures.plain])
def test_pictures_depend_on_the_generator_alone(make):
    one, again, other = (make(np.random.default_rng(seed), 90, 130) for seed in (1, 1, 2))
    assert one.shape == (90, 130, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_pictures_are_band_limited_and_rich():
    """The spectrum's highest octave holds little power; and most pictures have contrast."""
    high, contrast = [], []
    for seed in range(12):
        grey = textures.picture(np.random.default_rng(seed), 128, 128).mean(axis=-1)
        power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
        high.append(power[frequency > 0.4].sum() / power.sum())
        contrast.append(grey.std())
    assert np.mean(high) < 0.01
    assert np.median(contrast) > 15


def test_fractal_is_standardised_and_rougher_with_persistence():
    smooth, rough = (
        textures.fractal(np.random.default_rng(0), 128, 160, coarsest=32, persistence=p) for p in (0.3, 0.95)
    )
    for field in (smooth, rough):
        assert field.shape == (128, 160)
        assert abs(field.mean()) < 1e-3
        assert abs(field.std() - 1) < 1e-3
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_chairs_that_stand_on_legs(family):
    """Upright, seen from the front: something is clear below the seat, between the legs, and nothing is cut off."""
    rng = np.random.default_rng(5)
    parts = FAMILIES[family](rng)
    light = np.array([[0.3, 0.8, 0.6]])
    sprite = render_sprite(parts, 160, azimuth=0.4, elevation=0.2, distance=4, light=light)
    alpha = sprite[..., 3]
    assert max(alpha.shape) in (159, 160, 161)
    assert not alpha[:2].any()
    assert not alpha[:, :2].any()
    assert not alpha[-1].any()
    assert 0.05 < (alpha > 127).mean() < 0.95
    lowest = alpha[np.nonzero(alpha.any(axis=1))[0][-1] - 6]
    assert (lowest > 127).mean() < 0.7
    assert (sprite[..., :3].astype(int) <= alpha[..., None].astype(int) + 1).all()


def test_sprites_vary():
    shares = {(chair_sprite(np.random.default_rng(seed), 64)[..., 3] > 127).mean().round(3) for seed in range(8)}
    assert len(shares) > 6
