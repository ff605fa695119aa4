"""The published numbers, copied once more from their sources, and the networks that the stages build."""

import pytest
import torch

from opticflow.errors import InputError
from opticflow.losses import LOSSES
from opticflow.models import LearnedNetwork, build
from opticflow.train.recipes import RECIPES, find_recipe
from opticflow.train.sources import LAYOUTS


def column(name, field):
    return [getattr(stage, field) for stage in RECIPES[name].stages]


def test_raft_has_the_numbers_of_its_scripts():
    assert column("RAFT", "steps") == [100_000, 100_000, 100_000, 50_000]
    assert column("RAFT", "batch") == [10, 6, 6, 6]
    assert column("RAFT", "learning_rate") == [4e-4, 1.25e-4, 1.25e-4, 1e-4]
    assert column("RAFT", "crop") == [(368, 496), (400, 720), (368, 768), (288, 960)]
    assert column("RAFT", "weight_decay") == [1e-4, 1e-4, 1e-5, 1e-5]
    assert [options["gamma"] for options in column("RAFT", "loss_options")] == [0.8, 0.8, 0.85, 0.85]
    assert column("RAFT", "freeze_batch_norm") == [False, True, True, True]
    assert column("RAFT-mixed-precision", "steps") == [120_000, 120_000, 120_000, 50_000]
    assert column("RAFT-mixed-precision", "batch") == [8, 5, 5, 5]
    assert column("RAFT-mixed-precision", "learning_rate") == [2.5e-4, 1e-4, 1e-4, 1e-4]
    assert sum(part.share for part in RECIPES["RAFT"].stages[2].data) == pytest.approx(293_737, abs=2)


@pytest.mark.parametrize(
    ("name", "stage", "rates"),
    [
        ("S_short", 0, {0: 1e-4, 300_000: 5e-5, 400_000: 2.5e-5, 599_999: 1.25e-5}),
        ("S_long", 0, {399_999: 1e-4, 400_000: 5e-5, 1_199_999: 6.25e-6}),
        ("S_fine", 1, {0: 1e-5, 200_000: 5e-6, 499_999: 1.25e-6}),
    ],
)
def test_flownet_rates_are_halved_where_the_solvers_do(name, stage, rates):
    from opticflow.train.schedules import learning_rate

    stage = RECIPES[name].stages[stage]
    assert {step: learning_rate(stage, step) for step in rates} == pytest.approx(rates)
    assert stage.steps == max(rates) + 1 or stage.steps == 600_000
    assert (stage.optimiser, stage.weight_decay, stage.decay_biases) == ("adam", 4e-4, False)


@pytest.mark.parametrize("stage", [s for r in RECIPES.values() for s in r.stages], ids=lambda stage: stage.name)
def test_every_stage_can_be_built(stage):
    with torch.device("meta"):
        network = build(stage.model, **stage.options)
    assert isinstance(network, LearnedNetwork)
    assert all(side % network.stride == 0 for side in stage.crop)
    names = [name for name, _ in network.named_parameters()]
    assert all(any(name.startswith(prefix) for name in names) for prefix in stage.frozen)
    assert any(not name.startswith(stage.frozen) for name in names)
    assert stage.loss in LOSSES and stage.source


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_taken_over_fits(name):
    recipe = RECIPES[name]
    with torch.device("meta"):
        shapes = {
            stage.name: {key: value.shape for key, value in build(stage.model, **stage.options).state_dict().items()}
            for stage in recipe.stages
        }
    for stage in recipe.stages:
        for start in stage.start:
            taken = {k: v for k, v in shapes[start.stage].items() if k.startswith(start.theirs)}
            assert taken
            for key, shape in taken.items():
                assert shapes[stage.name][start.ours + key.removeprefix(start.theirs)] == shape


def test_an_unknown_recipe_lists_the_near_ones():
    with pytest.raises(InputError, match="did you mean S_short"):
        find_recipe("S_shrt")


def test_data_are_drawn_from_the_splits_for_training():
    from opticflow.data import DATASETS

    for recipe in RECIPES.values():
        for part in {part for stage in recipe.stages for part in stage.data}:
            splits = DATASETS[LAYOUTS.get(part.dataset, part.dataset)].splits
            assert (part.fold or part.split or splits[0]).lower().startswith("train"), part
            assert (part.split or splits[0]) in splits
        for part in {part for stage in recipe.stages for part in stage.validation}:
            splits = DATASETS[LAYOUTS.get(part.dataset, part.dataset)].splits
            assert (part.split or splits[0]) in splits, part
