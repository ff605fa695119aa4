"""Every preset: deterministic, of the crop's size, and with flow that its frames bear out."""

import numpy as np
import pytest

from opticflow.data.augmentation import PRESETS
from opticflow.data.augmentation.affine import rotation, translation
from waves import moving, photometric_error

SAMPLE = moving(translation(90, 65) @ rotation(0.05) @ translation(-86, -62), (160, 200))


@pytest.mark.parametrize("name", PRESETS)
def test_geometry_keeps_flow_and_frames_together(name):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        got = PRESETS[name].geometry.apply(SAMPLE, rng, (96, 128))
        assert got.first.shape == got.second.shape == (96, 128, 3)
        assert got.valid.all()
        assert photometric_error(got) < 4


@pytest.mark.parametrize("name", PRESETS)
def test_the_generator_decides_everything(name):
    def apply(seed):
        return PRESETS[name].apply(SAMPLE, np.random.default_rng(seed), (96, 128))

    before = SAMPLE.second.copy()
    one, again, other = apply(1), apply(1), apply(2)
    for field in ("first", "second", "flow", "valid"):
        assert np.array_equal(getattr(one, field), getattr(again, field))
    assert not np.array_equal(one.first, other.first)
    assert np.array_equal(SAMPLE.second, before)
    assert one.name == "waves"


@pytest.mark.parametrize("name", PRESETS)
def test_frames_smaller_than_the_crop_are_enlarged(name):
    got = PRESETS[name].apply(moving(translation(2, 1), (60, 90)), np.random.default_rng(0), (96, 128))
    assert got.first.shape == (96, 128, 3)
    assert got.valid.all()


def test_the_relative_transform_adds_motion():
    still = moving(np.eye(3), (160, 200))
    lengths = {}
    for name in ("flownet", "flownet2", "raft-chairs"):
        got = [PRESETS[name].apply(still, np.random.default_rng(seed), (96, 128)) for seed in range(8)]
        lengths[name] = np.mean([np.hypot(*np.moveaxis(sample.flow, -1, 0)).mean() for sample in got])
    assert lengths["raft-chairs"] < 1e-4
    assert lengths["flownet"] > 2
    assert lengths["flownet2"] > 2


def test_rafts_scales_lie_in_their_bounds():
    still = moving(np.eye(3), (400, 400))
    flow = np.zeros_like(still.flow)
    flow[..., 0] = 1.0  # its length shows the scale along x
    scales = []
    for seed in range(60):
        got = PRESETS["raft-kitti"].geometry.apply(still.replace(flow=flow), np.random.default_rng(seed), (64, 64))
        scales.append(float(got.flow[0, 0, 0]))
    changed = [scale for scale in scales if abs(scale - 1) > 1e-4]
    assert 0.6 < len(changed) / len(scales) < 0.95  # 0.8 wanted
    assert 2**-0.2 <= min(changed) < 0.92
    assert 1.2 < max(changed) <= 2**0.4


def test_mirroring_comes_as_often_as_said():
    flow = np.ones_like(SAMPLE.flow)
    signs = np.array(
        [
            np.sign(
                PRESETS["raft-chairs"]
                .geometry.apply(SAMPLE.replace(flow=flow), np.random.default_rng(s), (64, 64))
                .flow[0, 0]
            )
            for s in range(100)
        ]
    )
    left_right, up_down = (signs < 0).mean(0)
    assert 0.35 < left_right < 0.65
    assert 0.02 < up_down < 0.22


def test_flownet2_grows_stronger_by_its_schedule():
    augmentation = PRESETS["flownet2"]
    assert augmentation.strength(0) == 0.5
    assert augmentation.strength(50_000) == 0.75
    assert augmentation.strength(10**7) == pytest.approx(1)
    assert PRESETS["flownet"].strength(0) == 1
    early, late = augmentation.geometry.scaled_down(0.5), augmentation.geometry
    spreads = [np.std([g.both.draw(np.random.default_rng(s)) for s in range(200)], 0) for g in (early, late)]
    assert spreads[0] == pytest.approx(spreads[1] / 2)
