"""The learning rate at a step, and the optimiser of a stage.

A rate is a function of the step, or of the used share of the budget, so that a resumed run needs no schedule state.
"""

from collections.abc import Iterable

import torch
from torch import nn

from opticflow.train.recipe import Stage

SPARE_STEPS = 100
"""RAFT's cycle is this many steps longer than its training (train.py), so that the rate never reaches its end."""
START_FACTOR, END_FACTOR = 1 / 25, 1 / 25e4
"""Factors of the largest rate at both ends of the cycle: the defaults of PyTorch's OneCycleLR, which RAFT uses."""


def learning_rate(stage: Stage, step: int) -> float:
    """Return the learning rate of an update.

    Args:
        stage: the stage, which has the schedule.
        step: the number of updates before this one.
    """
    if stage.schedule == "halving":
        return stage.learning_rate * 0.5 ** sum(step >= milestone for milestone in stage.halve_at)
    if stage.schedule == "plateau":
        return plateau_rate(stage, step / stage.steps)
    total = stage.steps + SPARE_STEPS
    # PyTorch's OneCycleLR ends its phases at these updates, counted from 0
    peak, last = stage.warm_up * total - 1, total - 1
    if step <= peak:
        return stage.learning_rate * _between(START_FACTOR, 1.0, step / peak)
    return stage.learning_rate * _between(1.0, END_FACTOR, (step - peak) / (last - peak))


def plateau_rate(stage: Stage, share: float, *, goes_on: bool = False) -> float:
    """Return the learning rate of an update in a schedule that rises linearly, stays constant and falls linearly to
    zero.

    Args:
        stage: the stage, which has the schedule.
        share: the share of the budget (steps or time) that is used.
        goes_on: whether to start at the constant rate, because an earlier piece of training has completed the rise.
    """
    rising = 1.0 if goes_on else _between(START_FACTOR, 1.0, share / stage.warm_up)
    # the minimum of three lines (rising, constant, falling); never below zero
    return stage.learning_rate * max(0.0, min(1.0, rising, (1 - share) / stage.decay))


def _between(first: float, second: float, share: float) -> float:
    return first + share * (second - first)


def make_optimiser(stage: Stage, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of the trained parameters."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [{"params": trained, "weight_decay": stage.weight_decay}]
    if not stage.decay_biases:
        weights, others = _split(trained)
        groups = [{"params": weights, "weight_decay": stage.weight_decay}, {"params": others, "weight_decay": 0.0}]
    kind = torch.optim.Adam if stage.optimiser == "adam" else torch.optim.AdamW
    groups = [group for group in groups if group["params"]]
    # fused: one pass over the memory of all parameters instead of a dozen
    return kind(groups, lr=stage.learning_rate, betas=stage.betas, eps=stage.epsilon, fused=True)


def _split(parameters: Iterable[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split parameters into those with two or more axes (weights) and those with fewer (biases and the parameters of
    norms)."""
    parameters = list(parameters)
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next update."""
    for group in optimiser.param_groups:
        group["lr"] = rate
