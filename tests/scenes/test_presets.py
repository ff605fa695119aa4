"""Worlds that are presets of `mixed` and `things`: each shows what it is there for."""

from dataclasses import replace

import numpy as np
import pytest

from opticflow.scenes.effects import apply_effects
from opticflow.scenes.layers import Layer, render, settled
from opticflow.scenes.mixed_config import STILL, EffectsConfig
from opticflow.scenes.proof import prove
from opticflow.scenes.rendered import RenderedPair


def lengths(flow: np.ndarray) -> np.ndarray:
    """Of the flow vectors of a frame 192 px wide, in pixels of one that is 512 px wide."""
    return np.hypot(flow[..., 0], flow[..., 1]) * 512 / 192


def leaving(pair: RenderedPair) -> float:
    """Share of the pixels whose target is outside the second frame."""
    height, width = pair.forward.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    u, v = x + pair.forward[..., 0], y + pair.forward[..., 1]
    return float(np.mean((u < 0) | (v < 0) | (u > width - 1) | (v > height - 1)))


def test_drive_moves_the_whole_scene_far_and_out_of_the_frame(small_world):
    world, others = small_world("drive"), small_world("mixed")
    pairs = [world[index] for index in range(16)]
    # what stands far away need not move, so the upper decile is compared with what the scenes are drawn for
    far = np.array([np.percentile(lengths(pair.forward), 90) for pair in pairs])
    assert np.mean((far > 4) & (far < 280)) > 0.9
    assert np.mean(far > 30) > 0.3 and np.mean(far < 30) > 0.3
    ordinary = np.mean([leaving(others[index]) for index in range(16)])
    assert np.mean([leaving(pair) for pair in pairs]) > max(0.07, 1.5 * ordinary)


def test_what_rests_before_a_still_camera_has_no_flow_at_all(small_world):
    """The effects change the pictures and not the truth, whether the background is flat or a rigid scene."""
    world, motionless = small_world("still"), 0
    for index in range(12):
        pair = world[index]
        for flow in (pair.forward, pair.backward):
            size = np.abs(flow).max(-1)
            assert not ((size > 0) & (size < 1e-6)).any()  # no rounding
        assert (pair.forward[pair.first_instances == 0] == 0).all()
        resting = (pair.forward == 0).all(-1)
        assert resting.mean() > 0.2
        motionless += resting.all()
        if resting.all():
            assert not pair.first_occluded.any() and not pair.second_occluded.any()
    assert 1 <= motionless <= 8


def test_a_layer_that_rests_is_hidden_only_by_others():
    """At a fractional position, where matrices and their inverses round."""
    texture = np.full((60, 70, 4), 255, np.uint8)
    place = np.array([[0.37, 0.0, -0.123], [0.0, 0.37, -0.456], [0.0, 0.0, 1.0]])
    square = np.full((8, 8, 4), 255, np.uint8)
    here, there = (np.array([[1.0, 0, x], [0, 1.0, 5.0], [0, 0, 1.0]]) for x in (2.0, 12.0))
    pair = render([settled(Layer(texture, place, place.copy(), endless=True)), Layer(square, here, there)], 20, 24)
    assert (pair.forward[pair.first_instances == 0] == 0).all()
    hidden = (pair.first_instances == 0) & (pair.second_instances == 1)
    np.testing.assert_array_equal(pair.first_occluded, hidden)


def test_swift_things_are_small_and_fast_before_a_slow_background(small_world):
    world, moved, sizes, scene = small_world("swift", size=(384, 512)), [], [], []
    for index in range(6):
        pair = world.clean(index)
        length = np.hypot(pair.forward[..., 0], pair.forward[..., 1])
        scene.append(np.median(length))
        for number in np.unique(pair.first_instances)[-20:]:  # the last ones are before all others
            rows, columns = np.nonzero(pair.first_instances == number)
            sizes.append(max(np.ptp(rows), np.ptp(columns)) + 1)
            moved.append(np.median(length[rows, columns]))
    moved, sizes = np.array(moved), np.array(sizes)
    assert max(scene) < 12
    assert np.median(sizes) < 45 and sizes.max() < 130
    assert np.mean(moved > 10) > 0.6 and np.mean(moved > sizes) > 0.4 and moved.max() > 80


def grey(level: int, shape: tuple[int, int] = (96, 128)) -> RenderedPair:
    """Two frames of one colour."""
    frame, flow, nowhere = (
        np.full((*shape, 3), level, np.uint8),
        np.zeros((*shape, 2), np.float32),
        np.zeros(shape, bool),
    )
    instances = np.zeros(shape, np.int32)
    return RenderedPair(frame, frame, flow, flow, nowhere, nowhere, instances, instances)


NOTHING = EffectsConfig(
    clean_share=0, motion_blur_share=0, defocus_share=0, fog_share=0, shadow_share=0, highlight_share=0,
    exposure=0, grading=(1, 1), noise_share=0, compression_share=0,
)  # fmt: skip


@pytest.mark.parametrize("level", [40, 128])
def test_noise_is_new_in_each_frame(level):
    """Its variances add up in the difference of the frames, as those of independent numbers do."""
    effects = replace(NOTHING, noise_share=1, noise=(6, 6))
    for seed in range(4):
        pair = apply_effects(np.random.default_rng(seed), grey(level), effects)
        first, second = (frame.astype(float) - frame.mean((0, 1)) for frame in (pair.first, pair.second))
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
        np.testing.assert_allclose(np.var(first - second), np.var(first) + np.var(second), rtol=0.05)
        assert first.std() > 2


def test_compression_differs_between_the_frames_of_a_still_camera():
    assert STILL.effects.compression_change > 0
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    pair = replace(grey(0), first=picture, second=picture)
    effects = replace(NOTHING, compression_share=1, compression=(40, 60))
    for change, different in ((0, 0), (20, 6)):
        made = [
            apply_effects(np.random.default_rng(seed), pair, replace(effects, compression_change=change))
            for seed in range(8)
        ]
        unlike = sum(not np.array_equal(one.first, one.second) for one in made)
        assert unlike >= different if change else unlike == 0


def cameras(small_world, count: int) -> list[tuple[float, float, float, float, float]]:
    """Of journeys: speed, height, angle between way and view, farthest static point, and whether all lies about it."""
    found, world = [], small_world("drive-3d", size=(96, 128))
    for scene in range(count):
        place = world.renderer(scene).world
        here, there = (place.camera.position(time) for time in (2, 3))
        step, view = (there - here)[:2], place.camera.pose(2).rotation[2, :2]
        angle = np.arccos(step @ view / np.linalg.norm(step) / np.linalg.norm(view))
        around = (place.static.points.min(0) < here).all() and (here < place.static.points.max(0)).all()
        reach = np.linalg.norm(place.static.points - here, axis=1).max()
        found.append((float(np.linalg.norm(there - here)), float(here[2]), float(angle), float(reach), bool(around)))
    return found


def test_drive_3d_goes_where_it_looks_on_roads_and_in_rooms(small_world):
    speed, height, angle, reach, around = np.array(cameras(small_world, 30)).T
    rooms = reach < 40  # the backdrop of a road is farther
    assert 0.15 < rooms.mean() < 0.55
    assert 0.8 < np.median(speed[~rooms]) < 1.8 and 0.15 < np.median(speed[rooms]) < 0.5
    assert ((height[~rooms] > 1.2) & (height[~rooms] < 2.1)).all()
    assert np.median(angle) < 0.2 and angle.max() < 0.8
    assert around.all()


def test_nothing_is_seen_through_the_walls_of_a_room(small_world):
    """Wherever the camera looks in a room it sees a surface, and that is near."""
    world, rooms = small_world("drive-3d", size=(96, 128)), 0
    for scene in range(10):
        renderer = world.renderer(scene)
        points = renderer.world.static.points
        if np.ptp(points, axis=0).max() > 40:
            continue
        rooms += 1
        for time in (0, 3, 6):
            frame = renderer.frame(time)
            assert frame.depth.max() < np.linalg.norm(np.ptp(points, axis=0))
            assert np.isfinite(frame.into_future).all()
    assert rooms > 0


def test_near_things_are_many_and_some_are_very_fast(small_world):
    world, speeds = small_world("things-near", size=(96, 128)), []
    for scene in range(6):
        renderer = world.renderer(scene)
        things, lens = renderer.world.things, renderer.world.camera.lens
        assert 10 <= len(things) <= 30
        for thing in things:
            here, there = (renderer.world.camera.pose(time)(thing.path(time)[None])[0] for time in (2, 3))
            step = lens.focal * (there[:2] / there[2] - here[:2] / here[2]) * 960 / lens.width
            speeds.append(np.linalg.norm(step))
    assert 25 < np.median(speeds) < 80
    assert 120 < np.percentile(speeds, 95) < 300


@pytest.mark.parametrize("kind", ["things-near", "drive-3d"])
def test_photometric_proof_of_solid_worlds(small_world, kind):
    """As for `things`: off borders the second frame, fetched along the flow, is the first."""
    world = small_world(kind, size=(288, 384))
    proof = prove(world.clean(index) for index in range(0, 36, 4))
    assert proof.error[50] < 1 and proof.error[99] < 12
    assert proof.distinguished == 1
    assert proof.cycle[50] < 0.01
