"""Every world: what it shows is what its flow says, and the same for everyone who asks."""

import numpy as np
import pytest

from opticflow.errors import DatasetError, InputError
from opticflow.io import write_image
from opticflow.scenes.mixed_config import MIXED_WORLDS
from opticflow.scenes.proof import prove
from opticflow.scenes.source import PairSource
from opticflow.scenes.worlds import WORLDS, make_world

FIELDS = ("first", "second", "forward", "backward", "first_occluded", "second_occluded", "first_instances")
KINDS = ("chairs", "chairs-sdhom", *MIXED_WORLDS)
SOLID = ("things-near", "drive-3d")


def _same(one, other) -> bool:
    return all(np.array_equal(getattr(one, field), getattr(other, field)) for field in FIELDS)


@pytest.mark.parametrize("kind", KINDS)
def test_photometric_proof(small_world, kind):
    world = small_world(kind, size=(288, 384))
    for direction in (lambda pair: pair, lambda pair: pair.reversed()):
        proof = prove(direction(world.clean(index)) for index in range(6))
        assert proof.error[50] < 1
        assert proof.error[99] < 12
        assert proof.disturbed[90] > 2 * proof.error[90]
        assert proof.distinguished == 1
        assert proof.cycle[99] < 0.01
        assert proof.rim_share < 0.2


def test_proof_fails_for_wrong_flow(small_world):
    from dataclasses import replace

    pair = small_world("chairs", size=(288, 384)).clean(0)
    wrong = prove([replace(pair, forward=pair.forward + np.float32(1.5))])
    assert wrong.error[99] > 12
    assert wrong.cycle[50] > 1


@pytest.mark.parametrize("kind", KINDS)
def test_occluded_points_are_hidden_by_another_instance(small_world, kind):
    """In the frame and off borders, the second frame shows another layer exactly where the point is hidden."""
    world = small_world(kind, size=(288, 384))
    agreed = []
    for index in range(5):
        pair = world.clean(index)
        y, x = np.mgrid[0:288, 0:384]
        u, v = np.rint(x + pair.forward[..., 0]).astype(int), np.rint(y + pair.forward[..., 1]).astype(int)
        inside = (u >= 1) & (v >= 1) & (u < 383) & (v < 287)
        block = [pair.second_instances[v[inside] + i, u[inside] + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        flat = np.ptp(block, axis=0) == 0
        other = block[4] != pair.first_instances[inside]
        agreed.append((other == pair.first_occluded[inside])[flat])
    assert np.concatenate(agreed).mean() > 0.9999


@pytest.mark.parametrize("kind", (*KINDS, *SOLID))
def test_pair_depends_on_seed_and_index_alone(small_world, kind):
    early, late = small_world(kind), small_world(kind)
    for index in (7, 3):
        late[index]
    assert _same(early[3], late[3])
    assert not np.array_equal(early[3].first, early[4].first)
    assert not np.array_equal(early[3].first, small_world(kind, seed=1)[3].first)


def test_workers_share_without_changing_anything(small_world):
    whole = PairSource(small_world("chairs"), 2, 9)
    parts = [PairSource(small_world("chairs"), 2, 9).split(worker, 3) for worker in range(3)]
    assert sorted(index for part in parts for index in part.indices()) == list(range(2, 9))
    assert _same(whole[4], parts[1][1])
    assert len(list(parts[2])) == 2
    again = parts[0].split(1, 2)
    assert list(again.indices()) == [5]
    with pytest.raises(IndexError):
        whole[7]


def test_effects_change_the_frames_only(small_world):
    world = small_world("mixed")
    changed = 0
    for index in range(8):
        final, clean = world[index], world.clean(index)
        np.testing.assert_array_equal(final.second_instances.shape, clean.second_instances.shape)
        changed += not np.array_equal(final.first, clean.first)
        assert final.first.dtype == np.uint8
    assert changed > 3


def test_displacements_of_the_worlds_differ_as_they_should(small_world):
    means = {}
    for kind in KINDS:
        world = small_world(kind)
        lengths = [np.hypot(*np.moveaxis(world[index].forward, -1, 0)) for index in range(12)]
        means[kind] = np.mean(lengths)
        assert np.isfinite(lengths).all()
        if kind == "chairs-sdhom":
            assert np.mean(np.array(lengths) < 1) > 0.7
    assert means["chairs-sdhom"] < 1.5 < means["chairs"] and means["mixed"] < means["fast"]


def test_users_pictures_and_objects_are_used(tmp_path):
    (tmp_path / "pictures").mkdir()
    write_image(tmp_path / "pictures" / "red.png", np.full((50, 60, 3), (250, 10, 10), np.uint8))
    import cv2

    cutout = np.zeros((80, 80, 4), np.uint8)
    cutout[20:60, 20:60] = 0, 250, 0, 255
    (tmp_path / "objects").mkdir()
    cv2.imwrite(str(tmp_path / "objects" / "green.png"), cutout)
    world = make_world("chairs", 0, (96, 128), backgrounds=tmp_path / "pictures", objects=tmp_path / "objects")
    colours = np.concatenate([world[index].first.reshape(-1, 3) for index in range(4)]).astype(int)
    red, green = colours[:, 0] > 2 * colours[:, 1], colours[:, 1] > 2 * colours[:, 0]
    assert red.mean() > 0.3
    assert green.mean() > 0.01
    assert (red | green).mean() > 0.95
    with pytest.raises(DatasetError, match="no transparency"):
        make_world("chairs", 0, (96, 128), objects=tmp_path / "pictures")[0]
    with pytest.raises(DatasetError, match="no folder"):
        make_world("chairs", 0, backgrounds=tmp_path / "absent")


@pytest.mark.parametrize(
    ("kind", "seed", "size", "message"),
    [("stools", 0, None, "no world 'stools'"), ("chairs", -1, None, "seed is -1"), ("mixed", 0, (9, 99), "99x9")],
)
def test_impossible_worlds_are_refused(kind, seed, size, message):
    with pytest.raises(InputError, match=message):
        make_world(kind, seed, size)


def test_table_makes_every_world_at_its_own_size():
    for kind in WORLDS:
        world = make_world(kind, 3)
        assert (world.kind, world.seed) == (kind, 3)
        assert min(world.size) >= 64
