"""Meshes are closed, face outward and carry unit normals."""

import numpy as np
import pytest

from opticflow.scenes.things_geometry import box, normalised
from opticflow.scenes.things_shapes import THINGS, column


def volume(mesh):
    a, b, c = (mesh.points[mesh.triangles[:, corner]] for corner in range(3))
    return (a * np.cross(b, c)).sum() / 6


def open_edges(mesh):
    """Edges that are not met by an edge in the opposite direction; by place, since rims are stored twice."""
    _, place = np.unique(np.round(mesh.points, 6), axis=0, return_inverse=True)
    corners = place.ravel()[mesh.triangles]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    forward, backward = np.unique(edges, axis=0), np.unique(edges[:, ::-1], axis=0)
    return set(map(tuple, forward)) ^ set(map(tuple, backward))


def test_the_volume_of_a_box():
    assert np.isclose(volume(box(2.0, 3.0, 0.5)), 3.0)


@pytest.mark.parametrize("family", THINGS)
def test_every_family_is_closed_and_faces_outward(family):
    for seed in range(3):
        mesh = normalised(THINGS[family](np.random.default_rng(seed)))
        assert volume(mesh) > 0
        assert not open_edges(mesh)
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-6)
        assert np.linalg.norm(mesh.points, axis=1).max() <= 1 + 1e-9
        a, b, c = (mesh.points[mesh.triangles[:, corner]] for corner in range(3))
        faces = np.cross(b - a, c - a)
        agree = (faces * mesh.normals[mesh.triangles].mean(1)).sum(1) >= -1e-3 * np.linalg.norm(faces, axis=1)
        assert agree.mean() > 0.98


def test_parts_and_patches_are_numbered_without_gaps():
    mesh = THINGS["chair"](np.random.default_rng(0))
    assert set(np.unique(mesh.parts)) == set(range(mesh.parts.max() + 1))
    assert set(np.unique(mesh.patches)) == set(range(mesh.patches.max() + 1))


def test_a_column_is_open_only_at_its_foot():
    mesh = column(np.random.default_rng(3), 0.5, 3.0)
    feet = np.isclose(mesh.points[:, 2], 0.0)
    assert feet.sum() == 25
    assert len(open_edges(mesh)) == 2 * 24
