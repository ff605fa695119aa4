"""Procedural pictures: deterministic, varied, band-limited."""

import numpy as np
import pytest

from opticflow.scenes import materials, noise, pictures


@pytest.mark.parametrize("make", [pictures.picture, materials.surface, materials.plain])
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
        grey = pictures.picture(np.random.default_rng(seed), 128, 128).mean(axis=-1)
        power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
        high.append(power[frequency > 0.4].sum() / power.sum())
        contrast.append(grey.std())
    assert np.mean(high) < 0.01
    assert np.median(contrast) > 15


def test_fractal_is_standardised_and_rougher_with_persistence():
    smooth, rough = (noise.fractal(np.random.default_rng(0), 128, 160, coarsest=32, persistence=p) for p in (0.3, 0.95))
    for field in (smooth, rough):
        assert field.shape == (128, 160)
        assert abs(field.mean()) < 1e-3
        assert abs(field.std() - 1) < 1e-3
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()
