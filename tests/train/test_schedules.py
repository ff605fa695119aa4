"""Rates against PyTorch's own schedulers."""

import pytest
import torch
from torch import nn

from opticflow.train.schedules import learning_rate, make_optimiser


def theirs(scheduler, optimiser, steps):
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("steps", [60, 1000])
def test_one_cycle_is_that_of_pytorch_as_raft_sets_it(stage, steps):
    stage = stage(steps=steps, learning_rate=4e-4)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-4, total_steps=steps + 100, pct_start=0.05, anneal_strategy="linear", cycle_momentum=False
    )
    expected = theirs(scheduler, optimiser, steps)
    assert [learning_rate(stage, step) for step in range(steps)] == pytest.approx(expected, rel=1e-9)


def test_halving_is_that_of_pytorch(stage):
    stage = stage(steps=10, learning_rate=1e-4, schedule="halving", halve_at=(3, 4, 7))
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 4, 7], gamma=0.5)
    assert [learning_rate(stage, step) for step in range(10)] == pytest.approx(theirs(scheduler, optimiser, 10))


def test_weight_decay_spares_biases_and_norms_where_asked(stage):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    both = make_optimiser(stage(weight_decay=4e-4, decay_biases=False), network).param_groups
    assert [group["weight_decay"] for group in both] == [4e-4, 0.0]
    assert [p.ndim for p in both[0]["params"]] == [4] and {p.ndim for p in both[1]["params"]} == {1}
    (one,) = make_optimiser(stage(weight_decay=1e-4), network).param_groups
    assert len(one["params"]) == 4


def test_what_is_frozen_is_not_given_to_the_optimiser(stage):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)).requires_grad_(False)
    network[1].requires_grad_(True)
    (group,) = make_optimiser(stage(), network).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in network[1].parameters()]
