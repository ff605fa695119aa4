"""Photographs beside procedural pictures: how many, which, and that nothing else changes."""

import cv2
import numpy as np
import pytest

from opticflow.errors import DatasetError
from opticflow.io import write_image
from opticflow.scenes.textures import PHOTOGRAPH_SHARE, TexturePool, folder_digest, load_photograph
from opticflow.scenes.things import Things
from opticflow.scenes.things_config import ThingsConfig
from opticflow.scenes.worlds import make_world

MAGENTA = (250, 0, 250)


@pytest.fixture
def photographs(tmp_path):
    """A folder of twenty pictures in a colour that no world has."""
    for number in range(20):
        write_image(tmp_path / f"{number:02d}.png", np.full((300, 400, 3), MAGENTA, np.uint8))
    return tmp_path


def is_magenta(frame):
    return (frame[..., 0] > 60) & (frame[..., 1] < 20) & (frame[..., 2] > 60)


def test_an_eighth_of_the_pictures_are_photographs(photographs):
    assert 0.10 <= PHOTOGRAPH_SHARE <= 0.15
    plain = TexturePool(lambda rng, number: f"{number} {rng.random()}", 80, [0, 1])
    pool = plain.with_photographs(photographs, lambda path: path.name)
    entries = [pool[number] for number in range(len(pool))]
    own = [entry for entry in entries if entry.endswith(".png")]
    assert len(own) == len(set(own)) == 10, "none twice as long as there are others"
    assert all(entry in own or entry == plain[number] for number, entry in enumerate(entries))
    rng = np.random.default_rng(0)
    assert 0.10 <= np.mean([pool.draw(rng) in own for _ in range(4000)]) <= 0.15

    other = TexturePool(lambda rng, number: "", 80, [1, 1]).with_photographs(photographs, lambda path: path.name)
    assert {other[number] for number in range(80)} != {"", *own}, "another seed takes others"
    few = TexturePool(lambda rng, number: "", 3, [0]).with_photographs(photographs, lambda path: path.name)
    assert sum(few[number] != "" for number in range(3)) == 1
    many = TexturePool(lambda rng, number: "", 400, [0]).with_photographs(photographs, lambda path: path.name)
    assert sum(many[number] != "" for number in range(400)) == 50


@pytest.mark.parametrize("kind", ["chairs", "mixed", "fast"])
def test_worlds_show_them_and_stay_as_they_were_without(small_world, photographs, kind):
    plain = small_world(kind)
    before = [plain[index].first for index in range(8)]
    world = plain.with_photographs(photographs)
    seen = [is_magenta(world.clean(index).first).mean() > 0.02 for index in range(8)]
    assert 0 < sum(seen) < 8
    assert all(np.array_equal(plain[index].first, before[index]) for index in range(8))


def test_what_moves_does_not_depend_on_them(small_world, photographs):
    plain = small_world("chairs")
    world = plain.with_photographs(photographs)
    same = []
    for index in range(8):
        one, other = plain[index], world[index]
        assert np.array_equal(one.first_instances, other.first_instances)
        np.testing.assert_allclose(one.forward, other.forward, atol=1e-3)
        same.append(np.array_equal(one.first, other.first))
    assert 0 < sum(same) < 8


def test_things_are_covered_with_them(photographs):
    config = ThingsConfig(
        width=160, height=96, statics=20, materials=0, picture_pool=1, texture_side=64, lighting=False
    )
    world = Things(config, seed=0)
    plain = world[0].first
    covered = world.with_photographs(photographs).clean(0).first
    assert ((covered[..., 0] > covered[..., 1] + 40) & (covered[..., 2] > covered[..., 1] + 40)).mean() > 0.9
    assert np.array_equal(world[0].first, plain)


def test_worlds_are_made_with_them_by_name(photographs, tmp_path):
    world = make_world("chairs", 0, (96, 128), photographs=photographs)
    assert is_magenta(world._pictures[0][..., :3]).all()  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match=r"no folder .* to take photographs from"):
        make_world("chairs", 0, photographs=tmp_path / "absent")


def test_small_photographs_go_on_mirrored_and_large_ones_keep_their_detail(tmp_path):
    rng = np.random.default_rng(0)
    small = cv2.GaussianBlur(rng.integers(0, 256, (80, 100, 3)).astype(np.uint8), (0, 0), 3)
    write_image(tmp_path / "small.png", small)
    frame = load_photograph(tmp_path / "small.png", 200, 256)
    assert frame.shape == (200, 256, 3)
    np.testing.assert_array_equal(frame[:, 150:220], frame[:, 148:78:-1])  # 150 columns, then back again
    np.testing.assert_array_equal(frame[120:180], frame[118:58:-1])
    write_image(tmp_path / "large.png", cv2.resize(small, (1000, 800)))
    assert load_photograph(tmp_path / "large.png", 200, 256).shape == (410, 512, 3)


def test_another_folder_has_another_digest(photographs):
    before = folder_digest(photographs, "photographs")
    assert before.startswith("20 pictures, ") and folder_digest(photographs, "photographs") == before
    (photographs / "19.png").rename(photographs / "20.png")
    assert folder_digest(photographs, "photographs") != before
