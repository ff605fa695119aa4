"""Layers against closed forms: the flow of a known motion, and what it hides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from opticflow.scenes.layers import Deformation, Layer, render
from opticflow.scenes.motion import similarity

HEIGHT, WIDTH = 48, 64


def _picture(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    texture = np.random.default_rng(seed).integers(0, 256, (rows, columns, 4)).astype(np.uint8)
    texture[..., 3] = 255
    return texture


def _square(side: int, grey: int = 200) -> np.ndarray:
    """Opaque, with two clear texels around it."""
    texture = np.zeros((side + 4, side + 4, 4), np.uint8)
    texture[2:-2, 2:-2] = grey, grey, grey, 255
    return texture


def _at(x: float, y: float) -> np.ndarray:
    """A square's first opaque texel at (x, y)."""
    return np.array([[1.0, 0, x - 2], [0, 1.0, y - 2], [0, 0, 1.0]])


@given(angle=st.floats(-0.5, 0.5), scale=st.floats(0.7, 1.4), shift=st.tuples(st.floats(-20, 20), st.floats(-20, 20)))
def test_flow_of_a_similarity_is_its_closed_form(angle, scale, shift):
    motion = similarity((30.0, 20.0), angle, scale, shift)
    pair = render([Layer(_picture(HEIGHT, WIDTH), np.eye(3), motion, endless=True)], HEIGHT, WIDTH)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for flow, matrix in ((pair.forward, motion), (pair.backward, np.linalg.inv(motion))):
        u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - x
        v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - y
        np.testing.assert_allclose(flow, np.stack([u, v], -1), atol=1e-4)


def test_homography_is_divided_by_its_depth():
    motion = np.array([[1.02, 0.01, 3.0], [0.0, 0.97, -2.0], [0.0008, -0.0005, 1.0]])
    pair = render([Layer(_picture(HEIGHT, WIDTH), np.eye(3), motion, endless=True)], HEIGHT, WIDTH)
    x, y, depth = motion @ (50, 10, 1)
    np.testing.assert_allclose(pair.forward[10, 50], [x / depth - 50, y / depth - 10], atol=1e-5)


def test_whole_pixel_shift_moves_the_picture_without_change():
    shift = np.array([[1.0, 0, 5], [0, 1.0, -3], [0, 0, 1.0]])
    pair = render([Layer(_picture(HEIGHT, WIDTH), np.eye(3), shift, endless=True)], HEIGHT, WIDTH)
    np.testing.assert_array_equal(pair.first[3:, :-5], pair.second[:-3, 5:])
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[3:, :-5] = False
    np.testing.assert_array_equal(pair.first_occluded, outside)


def test_half_pixel_shift_averages_neighbours():
    texture = _picture(HEIGHT, WIDTH)
    shift = np.array([[1.0, 0, -0.5], [0, 1.0, 0], [0, 0, 1.0]])
    pair = render([Layer(texture, np.eye(3), shift, endless=True)], HEIGHT, WIDTH)
    mean = (texture[:, :-1, :3].astype(float) + texture[:, 1:, :3]) / 2
    np.testing.assert_array_equal(pair.second[:, :-1], np.floor(mean + 0.5))


def test_square_hides_what_it_comes_to_lie_on():
    background = Layer(_picture(HEIGHT, WIDTH), np.eye(3), np.eye(3), endless=True)
    square = Layer(_square(10), _at(8, 20), _at(30, 20))
    pair = render([background, square], HEIGHT, WIDTH)
    shown, hidden = np.zeros((2, HEIGHT, WIDTH), bool)
    shown[20:30, 8:18] = True
    hidden[20:30, 30:40] = True
    np.testing.assert_array_equal(pair.first_instances, shown)
    np.testing.assert_array_equal(pair.first_occluded, hidden)
    np.testing.assert_array_equal(pair.second_occluded, shown)
    np.testing.assert_allclose(pair.forward[shown], np.tile([22.0, 0.0], (100, 1)))
    assert not pair.forward[~shown].any()


def test_occlusion_is_decided_at_the_exact_position():
    """A point beside a border is seen although one of the four pixels around its target shows the other layer."""
    background = Layer(_picture(HEIGHT, WIDTH), np.eye(3), similarity((0, 0), 0, 1, (0.25, 0)), endless=True)
    square = Layer(_square(10), _at(30, 20), _at(30, 20))
    pair = render([background, square], HEIGHT, WIDTH)
    # alpha rises from 0 at column 29 to 1 at column 30: the background at 29.25 is three quarters visible
    assert not pair.first_occluded[25, 29]
    closer = Layer(background.texture, np.eye(3), similarity((0, 0), 0, 1, (0.75, 0)), endless=True)
    assert render([closer, square], HEIGHT, WIDTH).first_occluded[25, 29]


def test_veil_that_hides_less_than_half_has_no_flow():
    background = Layer(_picture(HEIGHT, WIDTH), np.eye(3), np.eye(3), endless=True)
    for opacity, instance in ((0.4, 0), (0.6, 1)):
        veil = Layer(_square(10), _at(8, 20), _at(30, 20), opacity=opacity)
        assert render([background, veil], HEIGHT, WIDTH).first_instances[25, 12] == instance


def test_deformation_is_undone_exactly():
    rng = np.random.default_rng(3)
    lattice = (rng.random((9, 9, 2), dtype=np.float32) - 0.5) * 4
    motion, step = similarity((30, 20), 0.1, 1.05, (2, 1)), WIDTH / 8
    layer = Layer(_picture(HEIGHT, WIDTH), np.eye(3), motion, Deformation(lattice, step), endless=True)
    pair = render([layer], HEIGHT, WIDTH)

    def carried(points: np.ndarray) -> np.ndarray:
        """Where the second frame shows points of the texture, by SciPy's interpolation."""
        place = [points[..., 1] / step, points[..., 0] / step]
        bent = points + np.stack(
            [map_coordinates(lattice[..., k], place, order=1, mode="nearest", prefilter=False) for k in range(2)], -1
        )
        return bent @ motion[:2, :2].T + motion[:2, 2]

    pixels = np.stack(np.mgrid[0:HEIGHT, 0:WIDTH][::-1], -1).astype(np.float64)
    np.testing.assert_allclose(pixels + pair.forward, carried(pixels), atol=1e-4)
    np.testing.assert_allclose(carried(pixels + pair.backward), pixels, atol=1e-3)
    assert np.abs(pair.forward).max() > 2
