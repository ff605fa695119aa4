"""The pool: a cache that never decides what is drawn."""

import pickle
from functools import partial

import numpy as np
import pytest

from opticflow.data.augmentation import PRESETS
from opticflow.data.pool import SLACK, SamplePool
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.worlds import make_world
from opticflow.shapes import Sample


class Numbers:
    """A world whose pair number n is noise of the seed n; it counts what it makes."""

    def __init__(self):
        self.made = []

    def __getitem__(self, number):
        self.made.append(number)
        rng = np.random.default_rng(number)
        pictures = rng.integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
        flows = rng.normal(size=(2, 9, 7, 2)).astype(np.float32)
        masks = rng.random((2, 9, 7)) < 0.3
        instances = np.zeros((9, 7), dtype=int)
        return RenderedPair(*pictures, *flows, *masks, instances, instances, f"pair {number}")


def same(one: Sample, other: Sample) -> bool:
    fields = ("first", "second", "flow", "valid", "occluded")
    return one.name == other.name and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in fields)


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_a_draw_is_the_same_whatever_the_pool_holds(tmp_path, kept):
    folder = tmp_path / "pool" if kept == "folder" else None
    pool = SamplePool(Numbers, seed=3, capacity=20, uses=4, folder=folder)
    straight = [pool[draw] for draw in range(300)]
    plain = SamplePool(Numbers, seed=3, capacity=20, uses=4)
    for draw in (299, 150, 0):
        assert same(plain[draw], straight[draw])
        assert same(pool[draw], straight[draw])
    assert straight[0].flow.dtype == np.float32 and straight[0].valid.all()
    assert len({sample.name for sample in straight}) > 60


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_pairs_are_made_once_for_many_draws(tmp_path, kept):
    world = Numbers()
    pool = SamplePool(lambda: world, capacity=20, uses=4, folder=tmp_path / "pool" if kept == "folder" else None)
    for draw in range(400):
        pool[draw]
    assert len(world.made) == len(set(world.made)) <= (16 + 400 // 4) / 2 + 1


def test_every_second_sample_is_time_reversed():
    world = Numbers()
    for number, sample in SamplePool(lambda: world)._made(6).items():
        pair = world[3]
        assert same(sample, (pair if number == 6 else pair.reversed()).sample())
    assert list(SamplePool(lambda: world, both_directions=False)._made(6)) == [6]


def test_a_folder_serves_another_process_and_stays_small(tmp_path):
    SamplePool(Numbers, capacity=16, uses=2, folder=tmp_path)[0]
    world = Numbers()
    pool = SamplePool(lambda: world, capacity=16, uses=2, folder=tmp_path)
    pool[0]
    assert not world.made
    for draw in range(2000):
        pool[draw]
    assert len(list(tmp_path.iterdir())) < 16 + SLACK + 40
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".sample"]


def test_damaged_files_are_made_again(tmp_path):
    pool = SamplePool(Numbers, folder=tmp_path)
    whole = pool[0]
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert same(pool[0], whole)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    assert same(pool[0], whole)


def test_the_pool_of_a_world_travels_to_workers():
    pool = SamplePool(partial(make_world, "mixed", 0, (64, 96)), capacity=16)
    sample = pool[0]
    assert same(pickle.loads(pickle.dumps(pool))[0], sample)
    assert sample.name.startswith("mixed")
    crop = PRESETS["default-mix"].geometry.apply(sample, np.random.default_rng(0), (48, 64))
    assert crop.first.shape == (48, 64, 3)
