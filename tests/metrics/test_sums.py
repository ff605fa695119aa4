"""Sums and averages on cases that can be worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opticflow.errors import InputError
from opticflow.metrics import METRICS, PROTOCOLS, REGIONS, Totals, end_point_error, fl_outliers, measure
from opticflow.shapes import Sample


def sample(truth: np.ndarray, *, valid=None, occluded=None, name: str = "s") -> Sample:
    height, width = truth.shape[:2]
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    valid = np.ones((height, width), dtype=bool) if valid is None else valid
    occluded = np.zeros((height, width), dtype=bool) if occluded is None else occluded
    return Sample(frame, frame, truth.astype(np.float32), valid, occluded, name)


def off_by(error: float, height: int, width: int, valid_columns: int):
    """An estimate wrong by `error` pixels against a truth of (20, 0) known in the first columns."""
    truth = np.full((height, width, 2), (20, 0), dtype=np.float32)
    valid = np.zeros((height, width), dtype=bool)
    valid[:, :valid_columns] = True
    return measure(truth + np.float32([0, error]), sample(truth, valid=valid))


def test_pixel_and_image_averages_differ_as_worked_out():
    # 100 valid pixels with an error of 1 px and 300 with an error of 5 px
    totals = Totals.of(off_by(1, 10, 30, 10)) + Totals.of(off_by(5, 10, 60, 30))
    assert totals.mean("EPE", average="pixels") == pytest.approx((100 * 1 + 300 * 5) / 400)  # 4.0
    assert totals.mean("EPE", average="images") == pytest.approx((1 + 5) / 2)  # 3.0
    sintel = {column.name: column.of(totals) for column in PROTOCOLS["Sintel"].columns}
    kitti = {column.name: column.of(totals) for column in PROTOCOLS["KITTI"].columns}
    assert sintel["EPE"] == pytest.approx(4.0)
    assert kitti["EPE"] == pytest.approx(3.0)
    assert kitti["Fl-all"] == pytest.approx(75.0)  # pooled: 300 of 400 pixels
    assert totals.mean("Fl", average="images") == pytest.approx(50.0)


def test_invalid_pixels_do_not_count_even_if_they_are_nan():
    truth = np.zeros((4, 4, 2), dtype=np.float32)
    truth[0, 0] = np.nan
    flow = np.ones_like(truth)
    flow[0, 1] = np.nan
    valid = np.ones((4, 4), dtype=bool)
    valid[0, :2] = False
    sums = measure(flow, sample(truth, valid=valid))
    assert sums.count() == 14
    assert sums.mean("EPE") == pytest.approx(math.sqrt(2))


def test_regions_split_the_pixels_and_the_errors():
    random = np.random.default_rng(1)
    truth = (random.normal(size=(60, 80, 2)) * 25).astype(np.float32)
    flow = truth + random.normal(size=truth.shape).astype(np.float32) * 4
    occluded = random.random((60, 80)) < 0.3
    sums = measure(flow, sample(truth, occluded=occluded))
    for split in (("matched", "unmatched"), ("s0-10", "s10-40", "s40+"), ("d0-10", "d10-60", "d60-140", "d140+")):
        assert sum(sums.count(region) for region in split) == 60 * 80
        for metric in METRICS:
            assert sum(sums.sum(metric, region) for region in split) == pytest.approx(sums.sum(metric))
    error = end_point_error(flow, truth)
    length = np.hypot(truth[..., 0], truth[..., 1])
    assert sums.mean("EPE", "s10-40") == pytest.approx(error[(length >= 10) & (length < 40)].mean(), rel=1e-7)
    assert sums.mean("EPE", "unmatched") == pytest.approx(error[occluded].mean(), rel=1e-7)
    assert sums.mean("Fl") == pytest.approx(100 * fl_outliers(error, truth).mean())
    assert sums.mean("WAUC", "matched") < 100


def test_an_empty_region_is_not_a_number():
    sums = off_by(1, 4, 4, 4)
    assert math.isnan(sums.mean("EPE", "s40+"))
    assert math.isnan(Totals.of(sums).mean("EPE", "s40+", "images"))
    assert math.isnan(Totals.zero().mean("EPE"))


@given(st.permutations(range(6)), st.integers(0, 6))
def test_totals_add_up_exactly_in_any_order_and_grouping(order, cut):
    random = np.random.default_rng(0)
    images = [measure(e, sample(np.zeros_like(e))) for e in random.normal(size=(6, 5, 6, 2)).astype(np.float32)]
    one_by_one = sum((Totals.of(image) for image in images), Totals.zero())
    left = sum((Totals.of(images[i]) for i in order[:cut]), Totals.zero())
    right = sum((Totals.of(images[i]) for i in order[cut:]), Totals.zero())
    merged = left + right
    for metric in METRICS:
        for region in REGIONS:
            for average in ("pixels", "images"):
                a, b = merged.mean(metric, region, average), one_by_one.mean(metric, region, average)
                assert a == b or (math.isnan(a) and math.isnan(b))


def test_a_huge_error_does_not_overflow():
    truth = np.zeros((8, 8, 2), dtype=np.float32)
    sums = measure(np.full_like(truth, 1e30), sample(truth))
    assert (sums + sums).mean("EPE") == pytest.approx(math.sqrt(2) * 1e30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: (np.zeros((4, 6, 2), np.float32), s), "the estimate has 6x4 pixels, the truth 5x4"),
        (lambda s: (s.flow, s.replace(valid=np.zeros((4, 5), bool))), "no valid pixel"),
        (lambda s: (s.flow * np.float32(np.nan), s), "NaN or infinite at 20 valid pixels"),
    ],
)
def test_bad_input_is_named(change, message):
    flow, broken = change(sample(np.zeros((4, 5, 2), dtype=np.float32), name="alley_1/frame_0001"))
    with pytest.raises(InputError, match=rf"alley_1/frame_0001: .*{message}"):
        measure(flow, broken)
