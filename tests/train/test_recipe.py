"""What a recipe may be, and how it is fitted to a budget."""

import json

import pytest

from opticflow.errors import InputError
from opticflow.train.recipe import Part, Recipe, Start


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name a folder"),
        ({"data": ()}, "has no data"),
        ({"steps": 0}, "steps of only is 0"),
        ({"batch": 0}, "batch of only is 0"),
        ({"batch": 10**30}, "batch of only is 1000+...0+; wanted 1 to 65,536"),
        ({"steps": 10**400}, "steps of only is 1000"),
        ({"validation_samples": 10**9}, "validation_samples of only"),
        ({"crop": (64, 99_999)}, "crop"),
        ({"learning_rate": float("inf")}, "the learning rate of only is inf"),
        ({"learning_rate": float("nan")}, "the learning rate of only is nan"),
        ({"crop": (4, 64)}, "crop"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"clip": 0.0}, "clips"),
        ({"optimiser": "sgd"}, "known: adam, adamw"),
        ({"schedule": "cosine"}, "known are one-cycle, plateau, halving"),
        ({"warm_up": 1.0}, "warm-up"),
        ({"halve_at": (5, 3)}, "rising"),
        ({"iterations": 0}, "iterations"),
        ({"loss": "L7"}, "known are multiscale, sequence, mixture-of-laplacians"),
    ],
)
def test_a_stage_refuses_numbers_that_cannot_be(stage, changes, message):
    with pytest.raises(InputError, match=message):
        stage(**changes)


def test_a_part_has_a_share():
    with pytest.raises(InputError, match="share of chairs"):
        Part("chairs", share=0.0)


def test_stages_have_their_own_names_and_start_from_earlier_ones(stage):
    with pytest.raises(InputError, match="two stages called only"):
        Recipe("r", "", (stage(), stage()))
    with pytest.raises(InputError, match="does not come before"):
        Recipe("r", "", (stage(start=(Start("later"),)), stage(name="later")))
    with pytest.raises(InputError, match="no stages"):
        Recipe("r", "", ())


def test_a_budget_is_shared_in_proportion_and_shrinks_the_schedule(stage):
    halving = stage(name="long", steps=800, schedule="halving", halve_at=(400, 600, 700), validate_every=100)
    recipe = Recipe("r", "", (stage(steps=200), halving)).changed(steps=100, batch=6, crop=(72, 80), rate=3)
    assert [one.learning_rate for one in recipe.stages] == [3 * stage().learning_rate] * 2
    assert [one.steps for one in recipe.stages] == [20, 80]
    assert [one.augmentation_pace for one in recipe.stages] == [10, 10]
    assert recipe.stages[1].halve_at == (40, 60, 70) and recipe.stages[1].validate_every == 80
    assert {(one.batch, one.crop) for one in recipe.stages} == {(6, (72, 80))}
    assert recipe.steps == 100
    with pytest.raises(InputError, match="one step for each"):
        recipe.changed(steps=1)


def test_the_network_can_be_replaced_where_there_is_one(stage):
    recipe = Recipe("r", "", (stage(),))
    assert recipe.changed(model="RAFT").stages[0].model == "RAFT"
    with pytest.raises(InputError, match="cannot replace them"):
        Recipe("r", "", (stage(), stage(name="next", model="RAFT"))).changed(model="FlowNetS")


def test_stages_can_be_left_out_where_none_needs_them(stage):
    recipe = Recipe("r", "", (stage(), stage(name="next", start=(Start("only"),))))
    assert [one.name for one in recipe.only(["only"]).stages] == ["only"]
    with pytest.raises(InputError, match="does not come before"):
        recipe.only(["next"])
    with pytest.raises(InputError, match="known are only, next"):
        recipe.only(["nxt"])


def test_a_recipe_is_written_with_all_its_numbers(stage):
    kept = json.loads(json.dumps(Recipe("r", "", (stage(loss_options={"gamma": 0.85}),)).to_json()))
    assert kept["stages"][0]["loss_options"] == {"gamma": 0.85} and kept["stages"][0]["crop"] == [64, 64]
