"""Which data a recipe finds, and what it draws from it."""

from itertools import islice

import numpy as np
import pytest
import torch

from opticflow.data.batches import RawBatch, to_device
from opticflow.errors import DatasetError, InputError
from opticflow.io import write_image
from opticflow.train.recipe import Part, Recipe, Start
from opticflow.train.sources import Locations, RecipeSources
from train_toys import flying_chairs, small_stage, toy_sample


@pytest.fixture
def chairs(write_files):
    """Three pairs in the layout of FlyingChairs, the last one for validation."""
    return write_files(flying_chairs("FlyingChairs_release/", (72, 80)))


def of_chairs(**changes):
    return small_stage(
        data=(Part("chairs", split="training"),), validation=(Part("chairs", split="validation"),), **changes
    )


def test_a_folder_that_was_given_is_searched(chairs):
    recipe = Recipe("r", "", (of_chairs(),))
    for folders in (
        Locations.parse([str(chairs)]),
        Locations.parse([f"chairs={chairs / 'FlyingChairs_release'}"]),
    ):
        sources = RecipeSources(recipe, folders)
        assert sources.described()[0].startswith("chairs (training): 2 pairs of FlyingChairs")
        batch = next(sources.batches(recipe.stages[0], 0, rank=0, world=1))
        assert batch.first.shape == (2, 3, 64, 64) and all("chairs" in name for name in batch.names)
        (held_out,) = sources.validation(recipe.stages[0])
        assert np.array_equal(held_out.first, toy_sample(2, (72, 80)).first)


def test_a_world_stands_in_for_what_was_not_given():
    recipe = Recipe("r", "", (small_stage(data=(Part("things-clean"),)),))
    assert RecipeSources(recipe, Locations()).described() == ["things-clean: made by the world things"]


def test_parts_of_one_world_see_different_samples():
    parts = (Part("things-clean"), Part("chairs"), Part("things-final"))
    stage = small_stage(data=parts, batch=6, crop=(16, 16))
    sources = RecipeSources(Recipe("r", "", (stage,)), Locations())
    seeds = []
    sources._samples = lambda part, stage, seed: seeds.append(seed) or [toy_sample(seed)]  # type: ignore[method-assign]
    next(sources.batches(stage, 0, rank=0, world=1))
    assert seeds == [0, 0, 1]


def test_photographs_are_for_training_and_are_noted(tmp_path):
    for name in ("some", "others"):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / f"{name}.png", np.full((90, 120, 3), 200, np.uint8))
    stage = small_stage(data=(Part("chairs"),), validation=(Part("chairs"),))
    recipe = Recipe("r", "", (stage,))
    plain, some, others = (
        RecipeSources(recipe, Locations(), photographs=folder)
        for folder in (None, tmp_path / "some", tmp_path / "others")
    )
    assert plain.settings() == {"data": "chairs: made by the world chairs"}
    assert some.settings()["data"].startswith("chairs: made by the world chairs; photographs among the pictures")
    assert len({str(sources.settings()) for sources in (plain, some, others)}) == 3

    def first_picture(world):
        return world._pictures[0]

    (trained,) = (some._samples(part, stage, 0).make_world() for part in stage.data)  # type: ignore[union-attr]
    (measured,) = {place[0].source.world for place in some.validation(stage).places}  # type: ignore[attr-defined]
    assert np.ptp(first_picture(trained)[..., :3]) == 0 and np.ptp(first_picture(measured)[..., :3]) > 50
    with pytest.raises(DatasetError, match="to take photographs from"):
        RecipeSources(recipe, Locations(), photographs=tmp_path / "none")


def test_what_cannot_be_had_is_named():
    with pytest.raises(DatasetError, match="kitti-2015 was not given; add --data kitti-2015=FOLDER"):
        RecipeSources(Recipe("r", "", (small_stage(data=(Part("kitti-2015"),)),)), Locations())
    with pytest.raises(DatasetError, match="no world 'chair'; did you mean chairs"):
        RecipeSources(Recipe("r", "", (small_stage(data=(Part("chair"),)),)), Locations())
    with pytest.raises(InputError, match=r"no augmentation 'flow-net' \(.*\); known are none, "):
        RecipeSources(Recipe("r", "", (small_stage(data=(Part("chairs", "flow-net"),)),)), Locations())


def test_folders_are_checked(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        Locations.parse([str(tmp_path / "missing")])
    with pytest.raises(InputError, match="no data set 'chair'"):
        Locations.parse([f"chair={tmp_path}"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["pairs={0}"], "--data gives pairs, which nothing takes: the data here are chairs$"),
        (["kitti-2015={0}", "chairs={0}"], "--data gives kitti-2015, which nothing takes"),
        (["chairs={0}", "drive=world"], "--data gives drive, which nothing takes"),
        (["{0}", "{1}"], "nothing is taken from --data .*empty: the data here are chairs"),
        (["{0}", "{0}/FlyingChairs_release"], "nothing is taken from --data .*FlyingChairs_release"),
        (["chairs={0}", "{0}"], "nothing is taken from --data"),
        (["chairs={0}", "chairs=world"], "--data gives chairs twice"),
    ],
)
def test_what_is_given_and_not_used_is_refused(chairs, tmp_path, values, message):
    (tmp_path / "empty").mkdir()
    values = [value.format(chairs, tmp_path / "empty") for value in values]
    with pytest.raises(InputError, match=message):
        RecipeSources(Recipe("r", "", (of_chairs(),)), Locations.parse(values))


def test_a_named_set_that_only_measures_is_used_or_refused(chairs, tmp_path):
    stage = small_stage(data=(Part("mixed"),), validation=(Part("chairs", split="validation"),))
    sources = RecipeSources(Recipe("r", "", (stage,)), Locations.parse([f"chairs={chairs}"]))
    assert "chairs (validation): 1 pairs of FlyingChairs validation" in sources.described()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError):
        RecipeSources(Recipe("r", "", (stage,)), Locations.parse([f"chairs={tmp_path / 'empty'}"]))


def test_photographs_that_no_world_shows_are_refused(chairs, tmp_path):
    (tmp_path / "photographs").mkdir()
    write_image(tmp_path / "photographs" / "one.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="photographs are for worlds; leave them out"):
        RecipeSources(
            Recipe("r", "", (of_chairs(),)), Locations.parse([str(chairs)]), photographs=tmp_path / "photographs"
        )


def test_batches_go_on_from_any_position_and_differ_between_stages(chairs):
    stages = (of_chairs(), of_chairs(name="next", start=(Start("only"),)))
    sources = RecipeSources(Recipe("r", "", stages), Locations.parse([str(chairs)]))
    whole = [batch.first for batch in islice(sources.batches(stages[0], 0, rank=0, world=1), 4)]
    rest = [batch.first for batch in islice(sources.batches(stages[0], 4, rank=0, world=1), 2)]
    assert all(np.array_equal(a, b) for a, b in zip(whole[2:], rest, strict=True))
    other = [batch.first for batch in islice(sources.batches(stages[1], 0, rank=0, world=1), 4)]
    assert not all(np.array_equal(a, b) for a, b in zip(whole, other, strict=True))


def test_processes_share_a_batch(chairs):
    stage = of_chairs(batch=4)
    sources = RecipeSources(Recipe("r", "", (stage,)), Locations.parse([str(chairs)]))
    whole = next(sources.batches(stage, 8, rank=0, world=1))
    halves = [next(sources.batches(stage, 8, rank=rank, world=2)) for rank in range(2)]
    seen = {half.first[i].numpy().tobytes() for half in halves for i in range(2)}
    assert seen == {frame.numpy().tobytes() for frame in whole.first}


def test_what_a_folder_should_hold_and_does_not_is_not_quietly_replaced(chairs):
    recipe = Recipe("r", "", (small_stage(data=(Part("chairs-sdhom"),)),))
    with pytest.raises(DatasetError, match="or chairs-sdhom=world to have it made"):
        RecipeSources(recipe, Locations.parse([str(chairs)]))
    made = RecipeSources(recipe, Locations.parse(["chairs-sdhom=world"]))
    assert made.described() == ["chairs-sdhom: made by the world chairs-sdhom"]


def test_an_error_that_cannot_be_measured_stops_nothing(chairs):
    stage = small_stage(data=(Part("chairs", split="training"),), validation=(Part("sintel-clean"),))
    sources = RecipeSources(Recipe("r", "", (stage,)), Locations.parse([str(chairs)]))
    assert sources.described()[0].startswith("sintel-clean: not measured") and not sources.validation(stage)


def test_what_is_measured_on_is_made_once_for_all_stages_with_the_same():
    held_out = {"data": (Part("chairs"),), "validation": (Part("chairs"),), "validation_samples": 2}
    fewer = {**held_out, "validation_samples": 1}
    stages = (small_stage(**held_out), small_stage(name="next", **held_out), small_stage(name="last", **fewer))
    sources = RecipeSources(Recipe("r", "", stages), Locations())
    sets = [sources.validation(stage) for stage in stages]
    assert sets[0] is sets[1] and [len(one) for one in sets] == [2, 2, 1]
    assert sets[0][1] is sets[1][1]


def test_batches_for_a_gpu_are_the_same_before_they_are_there(chairs):
    recipe = Recipe("r", "", (of_chairs(),))
    plain, raw = (
        next(
            RecipeSources(recipe, Locations.parse([str(chairs)]), gpu=gpu).batches(recipe.stages[0], 2, rank=0, world=1)
        )
        for gpu in (False, True)
    )
    assert isinstance(raw, RawBatch) and raw.first.dtype == torch.uint8
    batch = to_device(raw, "cpu")
    assert batch.names == plain.names
    assert torch.equal(batch.first, plain.first) and torch.equal(batch.flow, plain.flow)


def test_batches_begin_at_a_whole_one_where_an_earlier_piece_had_smaller_ones(chairs):
    recipe = Recipe("r", "", (of_chairs(batch=4),))
    sources = RecipeSources(recipe, Locations.parse([str(chairs)]))
    names = [next(sources.batches(recipe.stages[0], start, rank=0, world=1)).names for start in (4, 6)]
    assert names[0] == names[1]
