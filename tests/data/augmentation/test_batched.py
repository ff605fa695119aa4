"""Augmentation of a batch against that of single samples, with the same drawn numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.data.augmentation import PRESETS, SENSOR_NOISE, MotionBlur, Noise
from opticflow.data.augmentation.affine import rotation, scaling, translation
from opticflow.data.augmentation.batched import STEPS, RawSamples, vary
from opticflow.data.augmentation.colour import Grain
from opticflow.data.augmentation.geometry import Crop
from opticflow.data.augmentation.presets import Augmentation
from opticflow.data.augmentation.spread import Spread
from opticflow.shapes import Sample
from waves import moving, photometric_error

SIZE, CROP = (160, 200), (96, 128)
FIELDS = ("first", "second", "flow", "valid")


def about_the_middle(turn, zoom, x=0.0, y=0.0):
    return translation(100 + x, 80 + y) @ rotation(turn) @ scaling(zoom, zoom) @ translation(-100, -80)


def two_motions() -> Sample:
    """Known in parts, and a block that moves by itself; noise on top, so that nothing is smooth by chance."""
    rng = np.random.default_rng(1)
    sample = moving(about_the_middle(0.04, 1.05, 6, -4), SIZE)
    flow = sample.flow.copy()
    flow[40:110, 50:120] = (-21.4, 13.3)
    first, second = (
        np.clip(frame + rng.normal(0, 20, frame.shape), 0, 255).astype(np.uint8)
        for frame in (sample.first, sample.second)
    )
    return sample.replace(first=first, second=second, flow=flow, valid=rng.random(SIZE) < 0.98)


SAMPLES = [moving(about_the_middle(0.05, 1, 4, 3), SIZE), two_motions(), moving(about_the_middle(-0.1, 0.9), SIZE)]


def raw(samples: list[Sample]) -> RawSamples:
    return RawSamples(*(torch.from_numpy(np.stack([getattr(sample, name) for sample in samples])) for name in FIELDS))


def sample(batch, number: int) -> Sample:
    """One of a batch, as the CPU's augmentation yields it."""
    first, second = (np.rint(255 * part[number].permute(1, 2, 0).numpy()).astype(np.uint8) for part in batch[:2])
    valid = batch[3][number].numpy()
    return Sample(first, second, batch[2][number].permute(1, 2, 0).numpy(), valid, ~valid)


def drawn(augmentation, count, seed=0):
    return [augmentation.draw(np.random.default_rng([seed, 0, n]), SIZE, CROP, after=20_000) for n in range(count)]


def without_noise(variation):
    return replace(variation, changes=tuple(one for one in variation.changes if not isinstance(one, Grain)))


def compare(batch, number: int, expected: Sample, grey: float = 1.5) -> None:
    got = sample(batch, number)
    for ours, theirs in ((got.first, expected.first), (got.second, expected.second)):
        assert np.abs(ours.astype(float) - theirs).mean() < grey
    both = got.valid & expected.valid
    differs = got.valid != expected.valid
    differs[both] = np.abs(got.flow - expected.flow)[both].max(-1) > 1e-3
    assert differs.mean() < 3e-4  # halfway between two old pixels rounding decides which is the nearest
    assert (got.flow[~got.valid] == 0).all()


@pytest.mark.parametrize("name", PRESETS)
def test_a_batch_is_what_its_samples_are(name):
    many = 4 * SAMPLES
    variations = [without_noise(one) for one in drawn(PRESETS[name], len(many))]
    batch = vary(raw(many), variations)
    assert batch[0].shape == batch[1].shape == (12, 3, *CROP) and batch[2].shape == (12, 2, *CROP)
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in batch[:2])
    assert all(0 <= part.min() and part.max() <= 1 for part in batch[:2])
    for number, variation in enumerate(variations):
        compare(batch, number, variation.apply(many[number]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", PRESETS)
def test_on_a_gpu(name):
    variations = [without_noise(one) for one in drawn(PRESETS[name], 12)]
    there = RawSamples(*(part.cuda() for part in raw(4 * SAMPLES).parts))
    batch = [part.cpu() for part in vary(there, variations)]
    for number, variation in enumerate(variations):
        compare(batch, number, variation.apply(SAMPLES[number % 3]))


def test_samples_of_different_augmentations_do_not_touch_each_other():
    names = ["default-far-blurred", "flownet", "none", "raft-chairs", "flownet2", "raft-kitti", "default-far-blurred"]
    variations = [drawn(PRESETS[name], number + 1)[number] for number, name in enumerate(names)]
    many = [SAMPLES[number % 3] for number in range(len(names))]
    together = vary(raw(many), variations)
    for number, variation in enumerate(variations):
        alone = vary(raw([many[number]]), [variation])
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[number], theirs[0])


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_flow_fits_the_frames(seed):
    """A smooth picture, moved by a known affine map: the second frame, read along the flow, gives the first."""
    geometry = [replace(PRESETS[name], colours=(), eraser=None) for name in ("default-far", "flownet2", "raft-things")]
    variations = [drawn(one, 1, seed)[0] for one in geometry]
    batch = vary(raw([SAMPLES[0]] * 3), variations)
    for number in range(3):
        got = sample(batch, number)
        assert got.valid.all()
        assert photometric_error(got) < 4
        assert photometric_error(got.replace(flow=got.flow + np.float32(3))) > 8


def test_flow_in_16_bits_is_as_exact_as_its_steps():
    flow = torch.rand(3, *SIZE, 2) * 40 - 20
    flow[..., 10:20, 30:90, :] = 1000.3
    exact = replace(raw(SAMPLES), flow=flow)
    steps = replace(exact, flow=(flow * STEPS).round().to(torch.int16))
    variations = drawn(replace(PRESETS["none"], geometry=Crop()), 3)
    (*_, wanted, _), (*_, got, _) = vary(exact, variations), vary(steps, variations)
    assert 1 / 80 < (got - wanted).abs().max() <= 1 / 64 + 1e-4


@pytest.mark.parametrize("shutter", [0.2, 1.0])
def test_streaks_are_those_of_single_samples(shutter):
    blurred = Augmentation("a test", Crop(), (MotionBlur(1, (shutter, shutter), longest=18),))
    variations = drawn(blurred, 3)
    batch, sharp = vary(raw(SAMPLES), variations), vary(raw(SAMPLES), drawn(PRESETS["none"], 3))
    for number, variation in enumerate(variations):
        compare(batch, number, variation.apply(SAMPLES[number]), grey=0.7)
    assert 255 * (batch[0][1] - sharp[0][1]).abs().mean() > 5


def test_noise_has_its_deviation_and_is_independent():
    grey = SAMPLES[0].replace(**dict.fromkeys(("first", "second"), np.full((*SIZE, 3), 128, np.uint8)))
    variations = drawn(Augmentation("a test", Crop(), (Noise(Spread(0.04, 0)),)), 2)
    first, second, *_ = vary(raw([grey] * 2), variations)
    grains = [255 * part[number] - 128 for part in (first, second) for number in (0, 1)]
    for number, one in enumerate(grains):
        assert one.std().item() == pytest.approx(10.2, rel=0.02)
        for other in grains[:number]:
            assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 0.03
    again, *_ = vary(raw([grey]), variations[1:])
    assert torch.equal(again[0], first[1])  # wherever in a batch


def test_a_change_without_a_batched_form_is_refused():
    class Other:
        def apply(self, sample):
            return sample

    variation = replace(drawn(PRESETS["none"], 1)[0], changes=(Other(),))
    with pytest.raises(TypeError, match="no batched form of Other"):
        vary(raw(SAMPLES[:1]), [variation])


def test_sensor_noise_goes_with_any_preset():
    noisy = replace(PRESETS["default-mix"], colours=(*PRESETS["default-mix"].colours, SENSOR_NOISE))
    deviations = [one.changes[-1].deviation for one in drawn(noisy, 300)]
    assert 0 <= min(deviations) < 0.1 and 5.0 < max(deviations) <= 0.02 * 255
