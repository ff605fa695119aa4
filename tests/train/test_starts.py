"""Iterations that start from a coarse estimate."""

import lightning.fabric
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import opticflow.train.loop
from opticflow.errors import InputError
from opticflow.models import LearnedNetwork
from opticflow.train.loop import train
from opticflow.train.starts import coarse_start, starts_coarse
from train_toys import ToySources, small_stage


@given(share=st.floats(0, 1), first=st.integers(0, 10**6))
def test_coarse_starts_are_spread_evenly(share, first):
    stage = small_stage(coarse_starts=share)
    number = sum(starts_coarse(stage, step) for step in range(first, first + 200))
    assert number == pytest.approx(200 * share, abs=4)  # random ones: 7 for one deviation


@pytest.mark.parametrize(("share", "expected"), [(0, False), (1, True)])
def test_none_and_all(share, expected):
    stage = small_stage(coarse_starts=share)
    assert all(starts_coarse(stage, step) is expected for step in range(1000))


def test_a_share_beyond_one_is_refused():
    with pytest.raises(InputError, match=r"the share of coarse starts of only is 1\.5; wanted 0 to 1"):
        small_stage(coarse_starts=1.5)


class FirstTwoColours(LearnedNetwork):
    """Its flow is what the first frame shows, and tells on which frames it was asked."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.sizes, self.training_modes = [], []

    def match(self, first, second, *, init_flow=None, iterations=None):
        self.sizes.append(tuple(first["frames"].shape[-2:]))
        self.training_modes.append(self.training)
        return self.weight * first["frames"][:, :2]

    def predictions(self, first, second, *, init_flow=None):
        return [self(first, second)]


def test_the_estimate_at_half_the_size_is_enlarged():
    network, fabric = FirstTwoColours().train(), lightning.fabric.Fabric(accelerator="cpu", devices=1)
    coarse = torch.rand(2, 3, 4, 6)
    frames = F.interpolate(F.interpolate(coarse, (32, 48), mode="bilinear"), scale_factor=2, mode="nearest")
    flow = coarse_start(network, small_stage(), frames, frames, fabric)
    assert network.sizes == [(32, 48)] and network.training_modes == [False] and network.training
    assert not flow.requires_grad and flow.shape == (2, 2, 64, 96)
    # back at half the size it is what the network saw, but for twice the length
    small = F.interpolate(frames, (32, 48), mode="area")[:, :2]
    torch.testing.assert_close(F.interpolate(flow, (32, 48), mode="area"), 2 * small, atol=0.05, rtol=0)


def test_sides_are_filled_up_to_multiples_of_the_stride():
    network, fabric = FirstTwoColours(), lightning.fabric.Fabric(accelerator="cpu", devices=1)
    network.stride, network.min_size = 8, 16
    frames = torch.full((1, 3, 24, 72), 0.5)
    flow = coarse_start(network, small_stage(), frames, frames, fabric)
    assert network.sizes == [(16, 40)]
    torch.testing.assert_close(flow, torch.ones(1, 2, 24, 72))


def test_the_loop_hands_the_start_to_the_iterations(tmp_path, recipe, monkeypatch):
    """Started from the true flow, a network without experience is nearer to it than from zero."""
    samples, losses = ToySources(different=4), []
    stage = recipe(steps=4, iterations=1).stages[0]
    truths = (batch.flow for batch in samples.batches(stage, 0))
    for share in (0, 1):
        monkeypatch.setattr(opticflow.train.loop, "coarse_start", lambda *_: next(truths))
        seen = []
        train(
            recipe(steps=4, iterations=1, coarse_starts=share),
            tmp_path / str(share),
            samples,
            precision="fp32",
            device="cpu",
            log_every=1,
            report=lambda progress, seen=seen: seen.append(progress.loss),
        )
        losses.append(sum(seen))
    assert losses[1] < 0.5 * losses[0]
