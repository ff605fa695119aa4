"""Confidence intervals of an average over a set of images."""

import numpy as np
from jaxtyping import Float64, Int64

from opticflow.metrics.sums import Average


def bootstrap_interval(
    sums: Float64[np.ndarray, " images"],
    counts: Int64[np.ndarray, " images"],
    *,
    average: Average,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean over images (Efron, Tibshirani, 1993, chapter 13).

    Whole images are drawn, with replacement: the pixels of one image are far from independent. The frames of one scene
    are not independent either, so for a set of few scenes the true interval is wider.

    Args:
        sums: the sum of the metric in each image.
        counts: the valid pixels of each image; images without any are left out.
        average: `pixels`, the ratio of the sums; `images`, the mean of the images' means.
        confidence: the share of the resampled means that lie in the interval.
        resamples: the number of resampled sets.
        seed: random seed; the same seed gives the same interval.

    Returns:
        Lower and upper end; NaN for fewer than two images.
    """
    present = counts > 0
    sums, counts = sums[present], counts[present]
    if len(sums) < 2:
        return float("nan"), float("nan")
    if average == "images":
        # the mean of the means, written as a ratio of sums
        sums, counts = sums / counts, np.ones_like(counts)
    random = np.random.default_rng(seed)
    means = np.empty(resamples)  # one mean for each resampled set
    for index in range(resamples):
        drawn = random.integers(len(sums), size=len(sums))  # indices of images, with repetition
        means[index] = sums[drawn].sum() / counts[drawn].sum()
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)
