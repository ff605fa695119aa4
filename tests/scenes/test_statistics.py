"""Statistics of sets, against NumPy on the same pairs."""

import json

import numpy as np
import pytest

from opticflow.io import read_image
from opticflow.scenes.statistics import draw_report, measure_set, write_report


def test_figures_are_those_of_numpy(small_world):
    pairs = [small_world("chairs")[index] for index in range(6)]
    report = measure_set("chairs", pairs)
    lengths = np.hypot(*np.moveaxis(np.stack([pair.forward for pair in pairs]), -1, 0))
    assert report.pairs == 6
    assert report.displacement["mean"] == pytest.approx(lengths.mean(), rel=1e-5)
    assert report.displacement["largest"] == pytest.approx(lengths.max())
    assert report.displacement["below_1_px"] == pytest.approx((lengths < 1).mean(), abs=1e-4)
    for percent in (10, 50, 90, 99):
        assert report.displacement[f"p{percent}"] == pytest.approx(np.percentile(lengths, percent), abs=0.03)
    assert report.occluded == pytest.approx(np.mean([pair.first_occluded.mean() for pair in pairs]))
    objects = [len(np.unique(pair.first_instances[pair.first_instances > 0])) for pair in pairs]
    assert report.objects == pytest.approx(np.mean(objects))
    for histogram in report.histograms:
        assert histogram.shares.sum() == pytest.approx(1, abs=1e-6)


def test_object_sizes_are_the_longer_sides_of_boxes(small_world):
    pair = small_world("chairs")[0]
    sizes = []
    for label in np.unique(pair.first_instances[pair.first_instances > 0]):
        rows, columns = np.nonzero(pair.first_instances == label)
        sizes.append(max(np.ptp(rows), np.ptp(columns)) + 1)
    histogram = measure_set("chairs", [pair]).histograms[2]
    counts, _ = np.histogram(sizes, histogram.edges)
    np.testing.assert_allclose(histogram.shares, counts / len(sizes))


def test_report_is_written_as_picture_and_json(small_world, tmp_path):
    write_report(small_world("mixed"), tmp_path, 3)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["pairs"] == 3
    assert report["published"] is None
    picture = read_image(tmp_path / "report.png")
    assert picture.shape[0] > 3 * 250
    assert (picture < 128).mean() > 0.002
    marked = draw_report(measure_set("chairs", [small_world("chairs")[0]]))
    assert ((marked[..., 0] > 150) & (marked[..., 2] < 80)).sum() > 300  # the published figures, in red


def test_published_lengths_are_those_of_frames_of_this_size(small_world):
    pair = small_world("chairs")[0]
    height, width = pair.forward.shape[:2]
    unit = min(height / 384, width / 512)
    assert unit < 1
    small = measure_set("chairs", [pair])
    assert small.published is not None and small.published["p90"] == pytest.approx(26.6 * unit)
    assert "below_1_px" not in small.published
    assert small.histograms[0].marks["FlyingChairs p90"] == small.published["p90"]
    edges, shares = small.histograms[2].edges, small.histograms[2].published
    assert shares is not None and shares[edges[:-1] >= 640 * unit * 2**0.5].sum() == 0
    assert shares[edges[:-1] >= 300 * unit].sum() == pytest.approx(0.3, abs=0.1)  # 0.31 are longer
