"""Networks made of others: what is taken over, what must not change."""

import pytest
import torch

from opticflow.errors import InputError, TrainingError
from opticflow.train import curriculum
from opticflow.train.loop import train
from opticflow.train.recipe import Recipe, Start
from opticflow.train.run_folder import Run
from opticflow.weights import read_checkpoint
from train_toys import ToySources, small_curriculum, small_stage


def weights(folder, stage):
    (path,) = (folder / "stages" / stage).glob("step-*/weights.safetensors")
    return read_checkpoint(path).tensors


def test_the_curriculum_runs_through_and_leaves_earlier_networks_as_they_were(tmp_path):
    train(small_curriculum(2), tmp_path / "run", ToySources(), device="cpu", precision="fp32")
    of_c, stack, fused = (weights(tmp_path / "run", stage) for stage in ("C-things", "CSS-things", "fusion-things"))
    for name, tensor in of_c.items():
        assert torch.equal(tensor, stack["stack.estimators.0." + name.removeprefix("estimator.")])
    tuned, fine = weights(tmp_path / "run", "CSS-ft-sd"), weights(tmp_path / "run", "SD")
    assert not torch.equal(
        tuned["stack.estimators.0.stem.conv_redir.0.weight"], of_c["estimator.stem.conv_redir.0.weight"]
    )
    for name, tensor in tuned.items():
        assert torch.equal(tensor, fused[name])
    for name, tensor in fine.items():
        assert torch.equal(tensor, fused["small_displacement." + name.removeprefix("estimator.")])
    before = weights(tmp_path / "run", "fusion-chairs")
    assert any(not torch.equal(before[name], fused[name]) for name in fused if name.startswith("fusion."))


def test_a_curriculum_goes_on_in_the_stage_where_it_was_stopped(tmp_path):
    class Stopped(Exception):
        pass

    def stop(progress):
        if (progress.stage, progress.step) == ("CS-chairs", 1):
            raise Stopped

    options = {"device": "cpu", "precision": "fp32", "log_every": 1}
    with pytest.raises(Stopped):
        train(small_curriculum(2), tmp_path / "run", ToySources(), report=stop, **options)
    seen = []
    whole = small_curriculum(2)
    train(whole, tmp_path / "run", ToySources(), resume=True, report=lambda p: seen.append(p.stage), **options)
    assert list(dict.fromkeys(seen)) == [stage.name for stage in whole.stages[2:]]


def run_of(folder, *stages):
    return Run(folder, Recipe("r", "", stages), 0)


def test_a_change_of_what_is_frozen_is_found(tmp_path):
    stage = small_stage(frozen=("feature_encoder.",))
    network = curriculum.begin(stage, run_of(tmp_path, stage))
    before = curriculum.fingerprint(network, stage)
    assert not any(p.requires_grad for p in network.feature_encoder.parameters())
    assert all(p.requires_grad for p in network.update_block.parameters())
    curriculum.must_be_unchanged(network, stage, before)
    with torch.no_grad():
        next(network.update_block.parameters()).add_(1)
    curriculum.must_be_unchanged(network, stage, before)
    with torch.no_grad():
        next(network.feature_encoder.parameters()).view(-1)[0].add_(1e-7)
    with pytest.raises(TrainingError, match="have changed"):
        curriculum.must_be_unchanged(network, stage, before)


def test_frozen_batch_norms_keep_their_statistics(tmp_path):
    stage = small_stage(model="RAFT", freeze_batch_norm=True)
    network = curriculum.begin(stage, run_of(tmp_path, stage))
    curriculum.training_mode(network, stage)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms) and network.training
    assert all(parameter.requires_grad for norm in norms for parameter in norm.parameters())  # as RAFT has it


def test_what_does_not_fit_is_refused(tmp_path):
    first = small_stage(name="first")
    network = curriculum.begin(first, run_of(tmp_path, first))
    optimiser = torch.optim.Adam(network.parameters())
    from opticflow.train.run_folder import State

    run_of(tmp_path, first).place(first).save(network, optimiser, State(step=4))
    for start, message in [
        (Start("first", "update_block."), "does not fit at"),
        (Start("first", "fusion."), "nothing of that name"),
    ]:
        second = small_stage(name="second", start=(start,))
        with pytest.raises(InputError, match=message):
            curriculum.begin(second, run_of(tmp_path, first, second))
    with pytest.raises(InputError, match="freezes 'decoder'"):
        stage = small_stage(frozen=("decoder",))
        curriculum.begin(stage, run_of(tmp_path, stage))
    with pytest.raises(InputError, match="DIS has no weights to train"):
        stage = small_stage(model="DIS", options={})
        curriculum.begin(stage, run_of(tmp_path, stage))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "multiscale"}, "for scales; this network gives iterations: take the loss sequence"),
        ({"loss": "mixture-of-laplacians"}, "for mixtures; this network gives iterations"),
        ({"options": {"mixture": True}}, "gives mixtures: take the loss mixture-of-laplacians"),
        ({"model": "FlowNet2-s", "options": {}}, "gives scales: take the loss multiscale"),
        ({"crop": (64, 100)}, "the crop of only is 100x64; RAFT-small wants multiples of 8"),
        ({"crop": (8, 64)}, "at least 16"),
    ],
)
def test_a_loss_and_a_crop_fit_the_network(tmp_path, changes, message):
    stage = small_stage(**changes)
    with pytest.raises(InputError, match=message):
        curriculum.begin(stage, run_of(tmp_path, stage))
