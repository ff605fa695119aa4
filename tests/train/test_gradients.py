"""The guarded update against an optimiser that never saw the bad gradient."""

import copy

import pytest
import torch
from torch import nn

from opticflow.train.devices import launch
from opticflow.train.gradients import update
from opticflow.train.schedules import make_optimiser
from train_toys import small_stage

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def states(network, optimiser):
    kept = optimiser.state_dict()["state"].values()
    return [*network.state_dict().values(), *(value for state in kept for value in state.values())]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_told(device, kind, bad):
    fabric, _ = launch(device, "fp32")
    stage = small_stage(optimiser=kind, weight_decay=0.1, decay_biases=False)
    torch.manual_seed(0)
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)).to(fabric.device)
    network, optimiser = fabric.setup(bare, make_optimiser(stage, bare), move_to_device=False)
    twin = copy.deepcopy(bare)
    plain = make_optimiser(stage, twin)
    left_out, norms = [], []
    for step in range(5):
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(step)).to(fabric.device)
        before = [value.clone() for value in states(network, optimiser)]
        optimiser.zero_grad()
        loss = network(images).square().mean()
        fabric.backward(loss * bad if step in (1, 3) else loss)
        norm, skipped = update(fabric, network, optimiser, clip=0.1)
        left_out.append(skipped.item())
        norms.append(norm.isfinite().item())
        if skipped:
            assert all(map(torch.equal, before, states(network, optimiser)))
            continue
        plain.zero_grad()
        twin(images).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
        plain.step()
        assert not torch.equal(before[0], bare[0].weight)
    assert left_out == [0, 1, 0, 1, 0] and norms == [True, False, True, False, True]
    for ours, wanted in zip(states(network, optimiser), states(twin, plain), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-6)
