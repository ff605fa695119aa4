"""Tiles, against motion that is known exactly."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.errors import InputError
from opticflow.estimator import Estimator, estimator
from opticflow.estimator.tiles import OVERLAP, estimate_in_tiles, layout, seams, smallest_tile
from opticflow.models import build
from pictures import moving


def coordinates(height: int, width: int) -> np.ndarray:
    """A frame whose red is x and whose green is y."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([x, y, 0 * x], -1)


def truth(x, y):
    return np.stack([30 + 6 * np.sin(x / 40), -20 + 0.05 * y], -1).astype(np.float32)


def test_flow_is_put_together_without_seams():
    frame = coordinates(240, 250)
    given_pixels = []

    def exact(first, second, start):
        """Knows the motion, and sees by how much the second frame was moved beforehand."""
        given_pixels.append(first.shape[0] * first.shape[1])
        places, targets = (image[..., :2].astype(np.float32) for image in (first, second))
        moved = np.median((targets - places).reshape(-1, 2), axis=0)
        return truth(places[..., 0], places[..., 1]) - moved

    flow = estimate_in_tiles(exact, frame, frame, pixels=140 * 140, multiple=8)
    y, x = np.mgrid[:240, :250]
    np.testing.assert_allclose(flow, truth(x, y), atol=1e-4)
    assert len(given_pixels) > 4 and max(given_pixels) <= 140 * 140


def test_far_motion_is_seen_by_small_tiles():
    """A shift by more than a tile's own width is found by its small estimate."""
    import cv2

    wide = moving(300, 900, 1)[0]
    first, second = np.ascontiguousarray(wide[:, 150:750]), np.ascontiguousarray(wide[:, :600])
    shifts = []

    def correlate(first, second, start):
        gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (first, second)]
        window = cv2.createHanningWindow(gray[0].shape[::-1], cv2.CV_32F)
        shifts.append(cv2.phaseCorrelate(gray[0], gray[1], window)[0])
        return np.broadcast_to(np.float32(shifts[-1]), start.shape).copy()

    flow = estimate_in_tiles(correlate, first, second, pixels=120 * 120, multiple=8)
    assert abs(float(np.median(flow[..., 0])) - 150) < 2


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 3000), width=st.integers(1, 3000), multiple=st.sampled_from([1, 8, 64]), more=st.floats(1, 9)
)
def test_tiles_cover_the_frame_overlap_and_fit(height, width, multiple, more):
    pixels = int(more * smallest_tile(multiple))
    for parts, length in zip(layout(height, width, pixels, multiple), (height, width), strict=True):
        assert parts[0].start == 0 and parts[-1].stop == length
        assert all(a.stop - b.start >= min(OVERLAP, length) - 1 for a, b in pairwise(parts))
    rows, columns = layout(height, width, pixels, multiple)
    assert (rows[0].stop - rows[0].start) * (columns[0].stop - columns[0].start) <= pixels


def test_a_tile_that_is_too_small_is_refused():
    with pytest.raises(InputError, match="too small"):
        layout(1000, 1000, 50 * 50, 8)


def test_seams_are_where_tiles_overlap(monkeypatch):
    monkeypatch.setattr(estimator, "pixels_within", lambda *_, **__: 200 * 200)
    small = Estimator(build("DIS"), device="cpu", max_memory="1GB")
    tiles = small.tiles(150, 300)
    assert len(tiles) == 2 and all(rows == slice(0, 150) for rows, _ in tiles)
    (_, left), (_, right) = tiles
    blended = seams(tiles, 150, 300)
    assert blended[:, right.start : left.stop].all() and blended.sum() == 150 * (left.stop - right.start) > 0
    assert small.tiles(150, 250) == [(slice(0, 150), slice(0, 250))]
    assert not seams(small.tiles(150, 250), 150, 250).any()


@pytest.mark.parametrize("batch", [1, 2])
def test_an_estimator_with_little_memory_gives_the_same_flow(monkeypatch, batch):
    """A classical method sees the same in a tile as in the frame, apart from its borders."""
    clip = moving(300, 420, 3)
    wanted = list(Estimator(build("DIS")).stream(clip))
    monkeypatch.setattr(estimator, "pixels_within", lambda *_, **__: 200 * 200)
    flows = list(Estimator(build("DIS"), device="cpu", max_memory="1GB").stream(clip, batch=batch))
    for flow, whole in zip(flows, wanted, strict=True):
        assert np.median(np.abs(flow - whole)) < 0.05


def test_pairs_that_do_not_fit_together_are_estimated_one_by_one(monkeypatch):
    clip = moving(64, 96, 3)
    wanted = Estimator(build("DIS")).batch(clip[:2], clip[1:])
    monkeypatch.setattr(estimator, "pixels_within", lambda *_, **__: 64 * 96)
    monkeypatch.setattr(estimator, "estimate_in_tiles", None)
    np.testing.assert_array_equal(
        Estimator(build("DIS"), device="cpu", max_memory="1GB").batch(clip[:2], clip[1:]), wanted
    )
