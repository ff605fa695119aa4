"""Chairs: upright, whole and varied."""

import numpy as np
import pytest

from opticflow.scenes.chair_models import FAMILIES, chair_sprite
from opticflow.scenes.sprites import render_sprite


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
