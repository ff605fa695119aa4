"""Visibility and motion against closed forms and against ray casting."""

import numpy as np
import pytest

from opticflow.scenes.things import Things
from opticflow.scenes.things_config import ThingsConfig
from opticflow.scenes.things_motion import about_axis
from opticflow.scenes.things_rasteriser import EMPTY, SAMPLES, Lens, depth_of, look, motion

LENS = Lens(97, 61, 80.0)
CENTRES = slice(SAMPLES // 2, None, SAMPLES)


def plane(depth, half=1000.0):
    """A square that faces the camera."""
    points = np.array([[-half, -half, depth], [-half, half, depth], [half, half, depth], [half, -half, depth]])
    return points, np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)


def pixels():
    y, x = np.mgrid[0 : LENS.height, 0 : LENS.width].astype(float)
    return x, y


def flow_between(here, there, triangles):
    return motion(look(here, triangles, LENS), look(there, triangles, LENS), triangles)


def test_sideways_motion_of_a_plane_is_focal_times_distance_over_depth():
    points, triangles = plane(4.0)
    moved = flow_between(points, points + np.array([0.3, -0.1, 0.0]), triangles)
    np.testing.assert_allclose(moved.flow[..., 0], 80 * 0.3 / 4, atol=1e-4)
    np.testing.assert_allclose(moved.flow[..., 1], -80 * 0.1 / 4, atol=1e-4)
    x, y = pixels()
    leaves = (x + 6 > LENS.width - 1) | (y - 2 < 0)
    np.testing.assert_array_equal(moved.occluded, leaves)


def test_motion_in_depth_is_an_expansion_about_the_principal_point():
    points, triangles = plane(4.0)
    moved = flow_between(points, points - np.array([0.0, 0.0, 0.5]), triangles)
    x, y = pixels()
    np.testing.assert_allclose(moved.flow[..., 0], (x - 48) * (4 / 3.5 - 1), atol=1e-4)
    np.testing.assert_allclose(moved.flow[..., 1], (y - 30) * (4 / 3.5 - 1), atol=1e-4)


def test_rotation_of_the_camera_is_a_homography_whatever_the_depth():
    rng = np.random.default_rng(0)
    points, triangles = plane(4.0)
    points = points @ about_axis(np.array([1.0, 0.4, 0.0]), 0.5).T
    turn = about_axis(rng.normal(size=3), 0.06)
    moved = flow_between(points, points @ turn.T, triangles)
    matrix = np.array([[80.0, 0, 48], [0, 80, 30], [0, 0, 1]])
    x, y = pixels()
    target = np.stack([x, y, np.ones_like(x)], -1) @ (matrix @ turn @ np.linalg.inv(matrix)).T
    expected = target[..., :2] / target[..., 2:] - np.stack([x, y], -1)
    assert np.isfinite(depth_of(look(points, triangles, LENS))).all()
    np.testing.assert_allclose(moved.flow, expected, atol=1e-3)


def test_a_plane_through_the_camera_is_seen_without_clipping():
    points = np.array([[-500.0, 1.5, -500.0], [500.0, 1.5, -500.0], [500.0, 1.5, 500.0], [-500.0, 1.5, 500.0]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    triangles = triangles if not np.isinf(depth_of(look(points, triangles, LENS))).all() else triangles[:, ::-1].copy()
    depth = depth_of(look(points, triangles, LENS))
    _, y = pixels()
    below = y > 30
    expected = np.where(
        below & (1.5 * 80 / np.maximum(y - 30, 1e-9) < 500), 1.5 * 80 / np.maximum(y - 30, 1e-9), np.inf
    )
    np.testing.assert_allclose(depth, expected, rtol=1e-5)


def test_the_back_of_a_triangle_is_not_seen():
    points, triangles = plane(4.0)
    assert (look(points, triangles[:, ::-1].copy(), LENS).seen == EMPTY).all()


def cast(points, triangles, x, y):
    """The nearest front-facing triangle on the ray through (x, y), and its depth (Möller and Trumbore, 1997)."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    edge1, edge2 = b - a, c - a
    nearest, found = np.inf, EMPTY
    ray = np.array([(x - LENS.centre[0]) / LENS.focal, (y - LENS.centre[1]) / LENS.focal, 1.0])
    p = np.cross(ray, edge2)
    determinant = (edge1 * p).sum(1)
    with np.errstate(all="ignore"):
        u = (-a * p).sum(1) / determinant
        q = np.cross(-a, edge1)
        v = (q * ray).sum(1) / determinant
        t = (edge2 * q).sum(1) / determinant
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0.05) & (determinant > 0)
    if hit.any():
        found = int(np.flatnonzero(hit)[t[hit].argmin()])
        nearest = float(t[found])
    return found, nearest


@pytest.mark.parametrize("seed", [1, 2])
def test_visibility_and_occlusion_agree_with_ray_casting(seed):
    config = ThingsConfig(
        width=LENS.width, height=LENS.height, objects=(5, 5), statics=25, pictures=1, materials=1, texture_side=16
    )
    world = Things(config, seed=seed).renderer(0).world
    lens = world.camera.lens
    here, there = world.points(0), world.points(1)
    triangles = world.surface.triangles
    seen, seen_there = look(here, triangles, lens), look(there, triangles, lens)
    moved = motion(seen, seen_there, triangles)
    rng = np.random.default_rng(0)
    same_depth, same_answer, total = 0, 0, 300
    for x, y in zip(rng.integers(0, lens.width, total), rng.integers(0, lens.height, total), strict=True):
        scale = LENS.focal / lens.focal
        ray_x, ray_y = (x - lens.centre[0]) * scale + LENS.centre[0], (y - lens.centre[1]) * scale + LENS.centre[1]
        found, depth = cast(here, triangles, ray_x, ray_y)
        same_depth += np.isclose(depth, depth_of(seen)[y, x], rtol=1e-4)
        if found == EMPTY:
            continue
        target_x, target_y = x + moved.flow[y, x, 0], y + moved.flow[y, x, 1]
        outside = not (0 <= target_x <= lens.width - 1 and 0 <= target_y <= lens.height - 1)
        _, nearest = cast(
            there, triangles, (target_x - lens.centre[0]) * scale + LENS.centre[0],
            (target_y - lens.centre[1]) * scale + LENS.centre[1],
        )  # fmt: skip
        ray = np.array([(ray_x - LENS.centre[0]) / LENS.focal, (ray_y - LENS.centre[1]) / LENS.focal, 1.0])
        corners = here[triangles[found]]
        weights = np.linalg.solve(corners.T, ray * depth)
        own = weights @ there[triangles[found]]
        hidden = outside or own[2] < 0.05 or nearest < own[2] * (1 - 2e-3)
        same_answer += hidden == moved.occluded[y, x]
    assert same_depth == total
    assert same_answer >= 0.99 * total
