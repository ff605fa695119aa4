"""Flow as integers: the error is bounded, and unknown flow stays unknown."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import opticflow
from opticflow.errors import FormatError, InputError
from opticflow.io.kitti import decode as decode_kitti
from opticflow.io.kitti import encode as encode_kitti
from opticflow.store.format import Description, Entry, Head, digest, parse_error, to_flow, to_values
from opticflow.store.writer import SegmentWriter

ERRORS = st.sampled_from([Fraction(1, 2**power) for power in range(13)])


@st.composite
def flows(draw):
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    error = draw(ERRORS)
    most = float(32767 * 2 * error)
    values = st.floats(-most, most, width=32) | st.just(float("nan"))
    return error, draw(arrays.arrays(np.float32, (height, width, 2), elements=values))


@given(flows())
def test_the_error_is_bounded(case):
    error, flow = case
    values, known = to_values(flow, error)
    assert values.shape == (2 * flow.shape[0], flow.shape[1])
    np.testing.assert_array_equal(known, np.isfinite(flow).all(-1))
    back = to_flow(values, error)
    assert np.abs(back.astype(np.float64) - flow)[known].max(initial=0) <= float(error)
    assert not back[~known].any()


@settings(max_examples=25, deadline=None)
@given(case=flows())
def test_the_error_of_a_written_store_is_bounded(case, tmp_path_factory):
    error, flow = case
    path = tmp_path_factory.mktemp("any") / "a.flows"
    writer = SegmentWriter(path, error, {})
    writer.add(0, "a", 0.0, flow, flow[::-1].copy())
    writer.write()
    pair = opticflow.open_store(path)[0]
    for found, wanted in ((pair.forward, flow), (pair.backward, flow[::-1])):
        known = np.isfinite(wanted).all(-1)
        np.testing.assert_array_equal(np.isnan(found).any(-1), ~known)
        assert np.abs(found.astype(np.float64) - wanted)[known].max(initial=0) <= float(error) + 1e-6


def test_flow_of_kitti_is_kept_exactly():
    rng = np.random.default_rng(0)
    flow = (rng.integers(-(2**15), 2**15, (5, 7, 2)) / 64).astype(np.float32)
    kitti, _ = decode_kitti(encode_kitti(flow, np.ones((5, 7), bool)))
    np.testing.assert_array_equal(to_flow(to_values(kitti, Fraction(1, 128))[0], Fraction(1, 128)), kitti)


def test_flow_out_of_range_is_refused_with_its_place(tmp_path):
    flow = np.zeros((4, 6, 2), np.float32)
    flow[2, 3, 1] = -1500
    with pytest.raises(InputError, match=r"pair 7: the flow at x 3, y 2 is -1500.0 px, .* less than 1024 px"):
        SegmentWriter(tmp_path / "a.flows", Fraction(1, 64), {}).add(7, "a", 0.0, flow)
    np.testing.assert_array_equal(to_flow(to_values(flow, Fraction(1, 16))[0], Fraction(1, 16)), flow)


@pytest.mark.parametrize("error", ["1/64", 1 / 64, Fraction(1, 64), "0.015625"])
def test_errors_of_a_power_of_two(error):
    assert parse_error(error) == Fraction(1, 64)


@pytest.mark.parametrize("error", ["", "x", 0, -1, "1/0", 0.01, 3, "1/8192", float("nan"), float("inf"), 2])
def test_other_errors_are_refused(error):
    with pytest.raises(InputError, match="wanted a power of two from 1/4096 to 1 pixel"):
        parse_error(error)


def test_a_description_that_was_changed_is_damaged():
    head = Head(Fraction(1, 64), 4, 6, True, {"model": "DIS", "clip": "a\udcff"})
    description = Description(head, (Entry(3, "frame 3", 120, 16, ("00", "11", "22")),), (4,), (3,), {"device": "cpu"})
    text = description.to_text()
    assert Description.from_text(text) == description
    for place in range(0, len(text), 7):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises(FormatError, match=r"damaged description|is of the format"):
            Description.from_text(changed)


@pytest.mark.parametrize(
    "change",
    [{"width": "6"}, {"height": 0}, {"pairs": [[1.5, "a", 0, 0, "0", "0", "0"]]},
     {"pairs": [[0, 3, 0, 0, "0", "0", "0"]]},
     {"pairs": [[0, "../a", 0, 0, "0", "0", "0"]]}, {"pairs": [[0, "", 0, 0, "0", "0", "0"]]},
     {"pairs": [[0, "a", 0, 0, "0"]]}, {"pairs": [[-1, "a", 0, 0, "0", "0", "0"]]}, {"provenance": []}, {"pairs": 3},
     {"left_out": ["a"]}, {"computed": None}, {"error": "1/3"}, {"width": 10**9}],
)  # fmt: skip
def test_values_that_no_writer_gives_are_damage_too(change):
    """Someone who computes the digest anew can write anything."""
    head = Head(Fraction(1, 64), 4, 6, True, {})
    content = json.loads(Description(head, (Entry(3, "frame 3", 120, 16, ("00", "11", "22")),)).to_text()) | change
    del content["digest"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(FormatError, match="damaged description"):
        Description.from_text(json.dumps({**content, "digest": digest(canonical)}))
