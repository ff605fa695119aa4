"""Whole scenes: determinism, agreement of flow and picture, agreement of the two directions of time."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from opticflow.errors import InputError
from opticflow.scenes.things import Things
from opticflow.scenes.things_config import ThingsConfig

SMALL = ThingsConfig(
    width=160, height=90, frames=3, objects=(4, 6), statics=30, pictures=2, materials=2, texture_side=128,
    picture_pool=4, material_pool=4,
)  # fmt: skip


def warped(picture, flow):
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def test_the_same_seed_gives_the_same_bytes_and_another_index_another_scene():
    first, second = Things(SMALL, seed=7).item(3), Things(SMALL, seed=7).item(3)
    for one, two in zip(first.frames, second.frames, strict=True):
        for name in vars(one):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert not np.array_equal(first.frames[0].clean, Things(SMALL, seed=7).item(4).frames[0].clean)


def test_a_pair_rendered_alone_is_that_of_the_sequence():
    sequence = Things(SMALL, seed=7).item(3)
    for rendering in ("clean", "final"):
        alone, among = Things(SMALL, seed=7).renderer(3).pair(1, rendering), sequence.pair(1, rendering)
        for name in set(vars(alone)) - {"name"}:
            np.testing.assert_array_equal(getattr(alone, name), getattr(among, name), err_msg=name)


def test_fields_have_their_types_and_ranges():
    frame = Things(SMALL, seed=1).renderer(0).frame(0)
    assert frame.clean.dtype == frame.final.dtype == np.uint8
    assert frame.into_future.dtype == frame.into_past.dtype == frame.depth.dtype == np.float32
    assert np.isfinite(frame.into_future).all() and np.isfinite(frame.into_past).all() and (frame.depth > 0).all()
    assert frame.instances.min() >= 0 and frame.instances.max() <= 6
    assert frame.extrinsics.shape == (4, 4)
    np.testing.assert_allclose(frame.extrinsics[:3, :3] @ frame.extrinsics[:3, :3].T, np.eye(3), atol=1e-12)


def test_depth_camera_and_flow_of_the_static_world_agree():
    """Points of the static world, lifted by depth and camera, land where the flow says."""
    one, two = Things(SMALL, seed=3).item(1).frames[:2]
    y, x = np.mgrid[0:90, 0:160].astype(float)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(one.intrinsics).T
    points = np.concatenate([rays * one.depth[..., None], np.ones((90, 160, 1))], -1)
    there = points @ (two.extrinsics @ np.linalg.inv(one.extrinsics)).T
    image = there[..., :3] @ two.intrinsics.T
    flow = image[..., :2] / image[..., 2:] - np.stack([x, y], -1)
    still = (one.instances == 0) & (there[..., 2] > 1)
    assert still.mean() > 0.2
    np.testing.assert_allclose(one.into_future[still], flow[still], rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("index", range(2))
def test_the_second_frame_warped_by_the_flow_is_the_first(index):
    pair = Things(ThingsConfig(texture_side=256, picture_pool=3, material_pool=6), seed=11).clean(3 * index)
    seen = ~pair.first_occluded
    assert seen.mean() > 0.4

    def error(flow):
        return np.abs(warped(pair.second, flow).astype(float) - pair.first).mean(-1)

    returned = np.linalg.norm(pair.forward + warped(pair.backward, pair.forward), axis=-1)
    assert np.median(error(pair.forward)[seen]) < 1
    assert np.percentile(error(pair.forward)[seen & (returned < 1)], 99) < 12  # away from boundaries of motion
    assert error(pair.forward + np.float32([0.5, 0]))[seen].mean() > 1.4 * error(pair.forward)[seen].mean()
    assert np.median(returned[seen]) < 0.01
    assert (returned[seen] > 1).mean() < 0.05
    still_seen = warped(pair.second_occluded.astype(np.float32), pair.forward)
    assert (still_seen[seen] > 0.99).mean() < 0.01  # what both frames see is hidden in neither


@pytest.mark.parametrize("size", [(17, 23), (64, 16), (101, 33)])
def test_odd_sizes(size):
    frame = Things(SMALL, seed=0, size=size[::-1]).renderer(0).frame(0)
    assert frame.final.shape == (size[1], size[0], 3)
    assert frame.into_past.shape == (size[1], size[0], 2)


def test_no_objects_and_a_single_frame():
    sequence = Things(replace(SMALL, objects=(0, 0), frames=1), seed=0).item(0)
    assert len(sequence.frames) == 1
    assert sequence.frames[0].instances.max() == 0


def test_what_cannot_be_made_is_refused():
    for change in ({"width": 3}, {"frames": 0}, {"objects": (5, 2)}, {"texture_side": 100}):
        with pytest.raises(InputError):
            replace(SMALL, **change)
    sequence = Things(SMALL, seed=0).item(0)
    with pytest.raises(InputError, match="no pair begins"):
        sequence.pair(2)
    with pytest.raises(InputError, match="rendering"):
        sequence.pair(0, "dirty")


def test_pairs_do_not_depend_on_what_was_asked_for_before():
    alone = Things(SMALL, seed=5)[4]
    world = Things(SMALL, seed=5)
    several = [world[index] for index in (7, 3, 4)]
    np.testing.assert_array_equal(several[2].first, alone.first)
    np.testing.assert_array_equal(several[2].forward, alone.forward)
    assert not np.array_equal(several[1].first, alone.first)


def test_the_users_pictures_are_put_on_the_world(tmp_path):
    red = np.zeros((90, 150, 3), np.uint8)
    red[..., 2] = 255  # blue-green-red order
    cv2.imwrite(str(tmp_path / "red.png"), red)
    frame = Things(replace(SMALL, materials=0), seed=0, backgrounds=tmp_path).clean(0).first
    assert (frame[..., 0] > 100).mean() > 0.5 and (frame[..., 1:] > 200).mean() < 0.01
    with pytest.raises(InputError, match="solid"):
        Things(SMALL, seed=0, objects=tmp_path)
