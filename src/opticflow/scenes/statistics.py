"""Statistics of a synthetic data set (displacements, occlusion, object sizes), as JSON and as a picture."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import Float

from opticflow.io import write_image
from opticflow.io.atomic import write_bytes
from opticflow.scenes.chairs import length_unit
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.worlds import World
from opticflow.shapes import Frame

MOST_PAIRS = 200
PERCENTILES = (10, 50, 90, 99)

PUBLISHED: dict[str, dict[str, float]] = {
    "chairs": {"mean": 10.5, "p10": 0.6, "p50": 4.7, "p90": 26.6, "p99": 70.7, "below_1_px": 0.13},
}
"""Displacement statistics of published data sets, in pixels for frames of 512x384. They are measured on nine samples of
FlyingChairs; the largest displacement of these is 112 px."""

_DISPLACEMENT_BINS = np.concatenate([[0.0], 2.0 ** np.arange(-5, 9.01, 0.5)])
_OCCLUSION_BINS = np.linspace(0, 1, 21)
_SIZE_BINS = 2.0 ** np.arange(2, 9.51, 0.5)


@dataclass(frozen=True)
class Histogram:
    """A histogram: the share of the samples in each bin."""

    title: str
    edges: Float[np.ndarray, "edges"]
    shares: Float[np.ndarray, "bins"]
    marks: dict[str, float]
    """Names and values that are drawn as vertical lines."""
    published: Float[np.ndarray, "bins"] | None = None
    """Shares in the published data set, drawn as an outline; None if there are none."""


@dataclass(frozen=True)
class SetStatistics:
    """Statistics of the pairs of one world."""

    kind: str
    pairs: int
    displacement: dict[str, float]
    """Displacements in pixels: `mean`, percentiles `p10` to `p99` and `largest`; `below_1_px` is a share of the
    pixels."""
    occluded: float
    """Share of the pixels that are occluded."""
    objects: float
    """Mean number of objects visible in the first frame of a pair."""
    histograms: tuple[Histogram, Histogram, Histogram]
    published: dict[str, float] | None = None
    """Displacements in the published data set, scaled to the frame size of this set; None if there is no such set."""

    def as_json(self) -> dict:
        """Return all statistics as a dictionary that can be written as JSON."""
        return {
            "kind": self.kind,
            "pairs": self.pairs,
            "displacement": self.displacement,
            "published": self.published,
            "occluded": self.occluded,
            "objects": self.objects,
            "histograms": {
                histogram.title: {"edges": histogram.edges.tolist(), "shares": histogram.shares.tolist()}
                for histogram in self.histograms
            },
        }


def write_report(
    world: World, root: Path, count: int, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> SetStatistics:
    """Measure up to `MOST_PAIRS` pairs, evenly spaced among the first `count`, and write `report.json` and
    `report.png`."""
    numbers = np.unique(np.linspace(0, count - 1, min(count, MOST_PAIRS)).astype(int))

    def pairs() -> Iterable[RenderedPair]:
        for done, number in enumerate(numbers):
            yield world[int(number)]
            progress(done + 1, len(numbers))

    report = measure_set(world.kind, pairs())
    write_bytes(root / "report.json", json.dumps(report.as_json(), indent=2).encode())
    write_image(root / "report.png", draw_report(report))
    return report


def measure_set(kind: str, pairs: Iterable[RenderedPair]) -> SetStatistics:
    """Compute the statistics of the pairs, one pair at a time.

    Percentiles are computed from a histogram with bins of 0.01 px, up to 655 px.

    Raises:
        ValueError: there are no pairs.
    """
    fine = np.zeros(65536, np.int64)
    total, largest, occluded, sizes = 0.0, 0.0, [], []
    counts = []
    unit = 1.0
    for pair in pairs:
        unit = length_unit((pair.forward.shape[0], pair.forward.shape[1]))
        length = np.hypot(pair.forward[..., 0], pair.forward[..., 1])  # H x W, pixels
        total, largest = total + float(length.mean()), max(largest, float(length.max()))
        fine += np.bincount(np.minimum(length * 100, 65535).astype(np.int64).ravel(), minlength=65536)
        occluded.append(float(pair.first_occluded.mean()))
        seen = _extents(pair.first_instances)
        sizes += seen
        counts.append(len(seen))
    if not counts:
        raise ValueError("no pairs to report on")
    cumulated = np.cumsum(fine) / fine.sum()  # cumulative distribution in steps of 0.01 px
    percentiles = {f"p{p}": float(np.searchsorted(cumulated, p / 100) / 100) for p in PERCENTILES}
    displacement = {
        "mean": total / len(counts),
        **percentiles,
        "largest": largest,
        "below_1_px": float(cumulated[99]),
    }
    values = np.arange(65536) / 100
    published = _published(kind, unit)
    marks = {f"FlyingChairs {key}": value for key, value in (published or {}).items() if key[0] == "p"}
    lengths, _ = np.histogram(values, _DISPLACEMENT_BINS, weights=fine)
    return SetStatistics(
        kind=kind,
        pairs=len(counts),
        displacement=displacement,
        occluded=float(np.mean(occluded)),
        objects=float(np.mean(counts)),
        histograms=(
            Histogram("displacement (px)", _DISPLACEMENT_BINS, lengths / fine.sum(), marks),
            Histogram("occluded share of a frame", _OCCLUSION_BINS, _shares(occluded, _OCCLUSION_BINS), {}),
            Histogram(
                "size of what is seen of an object (px)",
                _SIZE_BINS,
                _shares(sizes, _SIZE_BINS),
                {},
                _published_sizes(kind, unit),
            ),
        ),
        published=published,
    )


def _published(kind: str, unit: float) -> dict[str, float] | None:
    """Return the published displacements, scaled by `unit` to this frame size; None if nothing is published.

    If `unit` is not 1, the share `below_1_px` is left out.
    """
    lengths = {key: value * unit for key, value in PUBLISHED.get(kind, {}).items() if key != "below_1_px"}
    return PUBLISHED.get(kind) if unit == 1 else lengths or None


def _published_sizes(kind: str, unit: float) -> np.ndarray | None:
    """Return the published distribution of object sizes: N(200, 200), clipped to 50 to 640 px; None if not published.

    These are sizes of whole objects; their visible parts are smaller.
    """
    if kind != "chairs":
        return None
    edges = _SIZE_BINS / unit
    cumulated = [NormalDist(200, 200).cdf(edge) for edge in edges]
    # clipping moves the tails of the normal distribution to the two limits
    cumulated = np.where(edges < 50, 0.0, np.where(edges > 640, 1.0, cumulated))
    return np.diff(cumulated)


def _extents(instances: np.ndarray) -> list[float]:
    """Return the longer side, in pixels, of the bounding box of each visible object; number 0 is the background."""
    rows, columns = np.nonzero(instances)
    labels = instances[rows, columns]
    if len(labels) == 0:
        return []
    size = int(labels.max()) + 1
    low, high = np.full((2, size), 10**9), np.full((2, size), -1)  # 2 axes x labels, pixels
    for axis, place in enumerate((rows, columns)):
        np.minimum.at(low[axis], labels, place)
        np.maximum.at(high[axis], labels, place)
    longer = (high - low).max(axis=0) + 1
    return [float(longer[label]) for label in range(1, size) if high[0, label] >= 0]


def _shares(values: list[float], edges: np.ndarray) -> np.ndarray:
    counts, _ = np.histogram(values, edges)
    return counts / max(len(values), 1)


# The picture ---------------------------------------------------------------------------------------------------

_PANEL = (300, 560)
_INK, _BAR, _MARK = (40, 40, 40), (178, 132, 74), (40, 40, 200)


def draw_report(report: SetStatistics) -> Frame:
    """Draw the three histograms below each other, with the published values as lines."""
    panels = [_panel(histogram) for histogram in report.histograms]
    head = np.full((46, _PANEL[1], 3), 255, np.uint8)
    lengths = {key: value for key, value in report.displacement.items() if key != "below_1_px"}
    figures = ", ".join(f"{key} {value:.3g}" for key, value in lengths.items())
    figures += f" px; {100 * report.displacement['below_1_px']:.1f} % of the pixels below 1 px"
    _text(
        head,
        f"{report.kind}: {report.pairs} pair{'s' * (report.pairs != 1)}, {100 * report.occluded:.1f} % occluded",
        (10, 18),
        0.5,
    )
    _text(head, figures, (10, 38), 0.4)
    return cv2.cvtColor(np.vstack([head, *panels]), cv2.COLOR_BGR2RGB)


def _panel(histogram: Histogram) -> np.ndarray:
    height, width = _PANEL
    panel = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = 46, width - 14, 34, height - 34
    bins = len(histogram.shares)
    tallest = max(float(histogram.shares.max()), 1e-9)

    def column(value: float) -> int:
        place = np.interp(value, histogram.edges, np.arange(bins + 1))
        return int(left + place / bins * (right - left))

    for n, share in enumerate(histogram.shares):
        x0, x1 = left + n * (right - left) // bins, left + (n + 1) * (right - left) // bins - 2
        cv2.rectangle(panel, (x0, bottom - int(share / tallest * (bottom - top))), (x1, bottom), _BAR, -1)
    if histogram.published is not None:
        tops = [bottom - int(share / tallest * (bottom - top)) for share in histogram.published]
        corners = [(left + (n + k) * (right - left) // bins, max(y, top)) for n, y in enumerate(tops) for k in (0, 1)]
        cv2.polylines(panel, [np.array(corners, np.int32)], False, _MARK, 1, cv2.LINE_AA)
    for n in range(0, bins + 1, max(1, bins // 8)):
        _text(panel, f"{histogram.edges[n]:.3g}", (left + n * (right - left) // bins - 8, bottom + 16), 0.36)
    for n, (name, value) in enumerate(histogram.marks.items()):
        cv2.line(panel, (column(value), top), (column(value), bottom), _MARK, 1, cv2.LINE_AA)
        _text(panel, name.split()[-1], (column(value) + 2, top + 10 + 11 * n), 0.34, _MARK)
    cv2.line(panel, (left, bottom), (right, bottom), _INK, 1)
    _text(panel, f"{100 * tallest:.0f} %", (4, top + 6), 0.38)
    note = "   (red: measured on FlyingChairs)" if histogram.marks else ""
    note = "   (red: whole objects, as published)" if histogram.published is not None else note
    _text(panel, histogram.title + note, (left, 20), 0.45)
    return panel


def _text(panel: np.ndarray, text: str, place: tuple[int, int], scale: float, colour=_INK) -> None:
    cv2.putText(panel, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
