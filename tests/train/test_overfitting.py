"""A network, its loss and its optimiser together can learn: a fixed batch is learnt by heart."""

import numpy as np
import pytest

from opticflow.estimator import Estimator
from opticflow.losses import CAFFE_WEIGHTS
from opticflow.metrics import end_point_error
from opticflow.train.loop import train
from opticflow.train.recipe import Recipe
from opticflow.weights import load_network
from train_toys import ToySources, small_stage, toy_sample

FLOWNET = {
    "loss": "multiscale",
    "loss_options": {"weights": CAFFE_WEIGHTS},
    "iterations": None,
    "options": {},
    "clip": None,
    "optimiser": "adam",
    "learning_rate": 2e-4,
    "steps": 200,
}
RECURRENT = {"iterations": 4, "options": {"iterations": 4}, "learning_rate": 1e-3, "steps": 300}


def errors(tmp_path, precision, **numbers):
    """Mean end-point errors on the batch, in pixels: of zero flow, and after the training."""
    stage = small_stage(warm_up=0.1, **numbers)
    train(
        Recipe("overfit", "", (stage,)),
        tmp_path / "run",
        ToySources(different=stage.batch),
        device="cpu",
        precision=precision,
        log_every=50,
    )
    estimator = Estimator(load_network(tmp_path / "run"), device="cpu", precision=precision)
    samples = [toy_sample(number) for number in range(stage.batch)]
    after = [end_point_error(estimator(s.first, s.second), s.flow).mean() for s in samples]
    return np.mean([np.hypot(*s.flow[0, 0]) for s in samples]), np.mean(after)


def test_raft_small_learns_most_of_a_pair_in_a_few_steps(tmp_path):
    before, after = errors(tmp_path, "fp32", batch=1, **{**RECURRENT, "steps": 100})
    assert after < before / 4


def test_a_mixture_of_laplacians_is_learnt_too(tmp_path):
    numbers = {**RECURRENT, "steps": 100, "loss": "mixture-of-laplacians"}
    numbers["options"] = {**numbers["options"], "mixture": True}
    before, after = errors(tmp_path, "fp32", batch=1, **numbers)
    assert after < before / 4


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", ["FlowNetS", "FlowNetC", "RAFT", "RAFT-small"])
def test_every_network_learns_a_batch_by_heart(tmp_path, model, precision):
    numbers = FLOWNET if model.startswith("FlowNet") else RECURRENT
    _, after = errors(tmp_path, precision, model=model, batch=2, **numbers)
    assert after < 0.2
