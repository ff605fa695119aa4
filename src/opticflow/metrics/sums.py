"""Exact sums of errors, and the two ways to average them: over pixels and over images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64, Shaped

from opticflow.errors import InputError
from opticflow.metrics.maps import METRICS, end_point_error
from opticflow.metrics.regions import CELLS, REGIONS, cells
from opticflow.shapes import FlowArray, Sample

Average = Literal["pixels", "images"]

# Sums are integer multiples of this unit, so adding them is exact: neither the order of the images nor their division
# among processes changes a digit. Each sum is rounded once per image and cell, by at most 3e-8 px.
_GRAIN = 2.0**-24
_ORDER = {name: index for index, name in enumerate(METRICS)}


@dataclass(frozen=True)
class Sums:
    """Errors of one image, or of several pooled, summed for every metric and cell."""

    grains: Shaped[np.ndarray, "metrics displacement occlusion distance"]
    """Sum of each metric's map in units of 2^-24, as Python integers."""
    counts: Int64[np.ndarray, "displacement occlusion distance"]
    """Number of valid pixels in each cell."""

    @classmethod
    def zero(cls) -> "Sums":
        """Return the sums of no image."""
        # object arrays hold Python integers, which never overflow
        return cls(np.full((len(METRICS), *CELLS), 0, dtype=object), np.zeros(CELLS, dtype=np.int64))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.grains + other.grains, self.counts + other.counts)

    def count(self, region: str = "all") -> int:
        """Return the number of valid pixels in a region."""
        return int(self.counts[REGIONS[region]].sum())

    def sum(self, metric: str, region: str = "all") -> float:
        """Return the sum of a metric over a region, in its unit."""
        grains = self.grains[_ORDER[metric]][REGIONS[region]]
        return METRICS[metric].scale * _GRAIN * int(np.sum(grains))

    def mean(self, metric: str, region: str = "all") -> float:
        """Return the mean of a metric over the pixels of a region, in its unit; NaN where the region is empty."""
        count = self.count(region)
        return self.sum(metric, region) / count if count else float("nan")


@dataclass(frozen=True)
class Totals:
    """Errors of a set of images, in constant memory. Totals of parts of a set add up to those of the set."""

    pooled: Sums
    """Sums over all pixels of all images."""
    mean_grains: Shaped[np.ndarray, "metrics regions"]
    """Sum over images of each image's mean in units of 2^-24, as Python integers."""
    images: Int64[np.ndarray, " regions"]
    """Number of images with a valid pixel in each region."""

    @classmethod
    def zero(cls) -> "Totals":
        """Return the totals of no image."""
        return cls(
            Sums.zero(),
            np.full((len(METRICS), len(REGIONS)), 0, dtype=object),
            np.zeros(len(REGIONS), dtype=np.int64),
        )

    @classmethod
    def of(cls, image: Sums) -> "Totals":
        """Return the totals of one image."""
        images = np.array([image.count(region) > 0 for region in REGIONS], dtype=np.int64)
        means = np.full((len(METRICS), len(REGIONS)), 0, dtype=object)
        for row, metric in enumerate(METRICS):
            for column, region in enumerate(REGIONS):
                if images[column]:
                    # in the unit of the map, because `mean` below multiplies with the scale again
                    means[row, column] = round(image.mean(metric, region) / METRICS[metric].scale / _GRAIN)
        return cls(image, means, images)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.pooled + other.pooled, self.mean_grains + other.mean_grains, self.images + other.images)

    def mean(self, metric: str, region: str = "all", average: Average = "pixels") -> float:
        """Return the mean of a metric, in its unit; NaN where no image has a pixel in the region.

        Args:
            metric: a key of `METRICS`.
            region: a key of `REGIONS`.
            average: `pixels`: every valid pixel of the set has the same weight; `images`: every image has the same
                weight, whatever its size and share of valid pixels.
        """
        if average == "pixels":
            return self.pooled.mean(metric, region)
        column = list(REGIONS).index(region)
        if not self.images[column]:
            return float("nan")
        return METRICS[metric].scale * _GRAIN * int(self.mean_grains[_ORDER[metric], column]) / int(self.images[column])


def measure(flow: FlowArray, sample: Sample) -> Sums:
    """Return the errors of an estimate against the ground truth of a sample.

    Args:
        flow: the estimate, at the size of the frames, in pixels.
        sample: the truth; only its valid pixels count.

    Raises:
        InputError: the sizes differ, the truth has no valid pixel, or the estimate is not finite at one.
    """
    name = sample.name or "the sample"
    height, width = sample.flow.shape[:2]
    if flow.shape != sample.flow.shape:
        found = f"{flow.shape[1]}x{flow.shape[0]}"
        raise InputError(
            f"{name}: the estimate has {found} pixels, the truth {width}x{height}; they must be of one size"
        )
    valid = sample.valid
    if not valid.any():
        raise InputError(f"{name}: the truth has no valid pixel, so there is nothing to compare with")
    broken = int((~np.isfinite(flow).all(-1) & valid).sum())
    if broken:
        raise InputError(f"{name}: the estimate is NaN or infinite at {broken} valid pixels; it must be finite")

    # zero where the truth is unknown, so that no NaN gets into a map
    truth = np.where(valid[..., None], sample.flow, np.float32(0))
    flow = np.where(valid[..., None], flow, np.float32(0))
    labels = cells(truth, valid, sample.occluded)[valid]  # one cell number for each valid pixel
    length = int(np.prod(CELLS))
    error = end_point_error(flow, truth)  # H x W, pixels
    grains = np.full((len(METRICS), length), 0, dtype=object)
    for row, metric in enumerate(METRICS.values()):
        # one sum for each cell
        sums = np.bincount(labels, weights=metric.of(flow, truth, error)[valid], minlength=length)
        # rounded once for each cell; from here on sums are exact
        grains[row] = [round(value / _GRAIN) for value in sums.tolist()]
    counts = np.bincount(labels, minlength=length).astype(np.int64)
    return Sums(grains.reshape(-1, *CELLS), counts.reshape(CELLS))
