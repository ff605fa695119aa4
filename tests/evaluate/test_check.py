"""Errors without truth, on motion that is known."""

import numpy as np
import pytest

from opticflow.errors import InputError
from opticflow.evaluate.check import FlowPair, check
from pictures import moving

HEIGHT, WIDTH = 60, 80


def constant(u: float, v: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 2), (u, v), dtype=np.float32)


@pytest.fixture
def frames():
    return moving(HEIGHT, WIDTH, 4, dx=3, dy=2)


def test_true_flow_leaves_no_error(frames):
    found = check([FlowPair(frames[0], frames[1], constant(3, 2), constant(-3, -2))])
    assert found.photometric == pytest.approx(0, abs=1e-3)
    assert found.photometric_without_motion > 5
    assert found.compared == pytest.approx((HEIGHT - 2) * (WIDTH - 3) / (HEIGHT * WIDTH))
    assert found.forward_backward == pytest.approx(0, abs=1e-5)
    assert found.occluded == pytest.approx(1 - found.compared)
    assert found.mean_length == pytest.approx(np.hypot(3, 2))
    assert found.steadiness is None
    assert found.verdict.name == "correct"
    assert found.lines()[-1].startswith("verdict: correct (next best")


def test_still_flow_has_the_error_of_the_frames(frames):
    found = check([FlowPair(frames[0], frames[1], constant(0, 0))])
    expected = np.abs(frames[0].astype(float) - frames[1]).mean()
    assert found.photometric == pytest.approx(expected, rel=1e-5)
    assert found.photometric == pytest.approx(found.photometric_without_motion)
    assert (found.forward_backward, found.occluded) == (None, None)


def test_forward_backward_error_is_what_remains(frames):
    found = check([FlowPair(frames[0], frames[1], constant(3, 2), constant(-3, -1.5))])
    assert found.forward_backward == pytest.approx(0.5, abs=1e-5)
    found = check([FlowPair(frames[0], frames[1], constant(3, 2), constant(30, 0))])
    assert found.occluded == 1.0
    assert np.isnan(found.photometric)


def test_steadiness_is_the_change_of_flow(frames):
    flows = [constant(3, 2), constant(3, 2), constant(4, 2)]
    found = check([FlowPair(a, b, f) for a, b, f in zip(frames, frames[1:], flows, strict=False)])
    assert found.pairs == 3
    assert found.steadiness == pytest.approx(0.5, rel=0.02)  # 0 and 1 px, over nearly as many pixels


def test_unknown_flow_is_left_out(frames):
    flow = constant(3, 2)
    flow[:30] = np.nan
    found = check([FlowPair(frames[0], frames[1], flow)])
    assert found.known == 0.5
    assert found.photometric == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        (lambda f: [], "there is no pair"),
        (lambda f: [FlowPair(f[0], f[1][1:], constant(0, 0))], "the frames are 80x60 and 80x59; wanted one size"),
        (lambda f: [FlowPair(f[0], f[1], constant(np.nan, 0))], "known nowhere"),
    ],
)
def test_bad_input_is_named(shots, message, frames):
    with pytest.raises(InputError, match=message):
        check(shots(frames))


def test_another_size_is_a_fault_and_nothing_is_sure(frames):
    turned = np.full((WIDTH, HEIGHT, 2), (3, 2), dtype=np.float32)
    small = np.full((HEIGHT // 2, WIDTH // 2, 2), (-2, -3), dtype=np.float32)
    for flow, words in (
        (turned, "the flow is 60x80, the frames are 80x60: height and width are exchanged"),
        (small, "the flow is 40x30, the frames are 80x60; wanted one size"),
    ):
        found = check([FlowPair(frames[0], frames[1], flow)])
        assert found.fault.startswith(words) and words in found.lines()[-1]
        assert not found.verdict.sure


def test_zero_flow_and_unrelated_frames_are_put_into_words(frames):
    assert "verdict: zero flow: it says" in check([FlowPair(frames[0], frames[1], constant(0, 0))]).lines()[-1]
    assert not check([FlowPair(frames[0], frames[0], constant(0, 0))]).fault
    noise = np.random.default_rng(0).integers(0, 255, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert "does not explain the frames" in check([FlowPair(noise[0], noise[1], constant(3, 2))]).lines()[-1]
