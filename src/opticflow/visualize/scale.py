"""A common scale for many flows, so that colours mean the same in every frame of a clip."""

from collections.abc import Iterable

import numpy as np

from opticflow.errors import InputError
from opticflow.shapes import FlowArray, as_flow
from opticflow.visualize.colors import magnitude

_LOWEST, _HIGHEST = -10, 24
_PER_OCTAVE = 64
"""Bins per doubling of the length: a percentile has an error of at most 1.1 %."""


class MagnitudeHistogram:
    """A histogram of the lengths of the flows added so far. Its size does not grow with their number.

    Lengths are counted in logarithmic bins (of equal ratio) between 2^-10 and 2^24 px; the longest is kept exactly.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((_HIGHEST - _LOWEST) * _PER_OCTAVE + 2, np.int64)
        self.longest = 0.0

    def add(self, flow: FlowArray) -> None:
        """Count the known flow of a frame; NaN is unknown."""
        flow, known = as_flow(flow)
        lengths = magnitude(flow)[known]  # one length for each known pixel, in pixels
        if not lengths.size:
            return
        self.longest = max(self.longest, float(lengths.max()))
        # the logarithm of zero is infinite, so lengths are raised to one octave below the first bin
        octaves = np.log2(np.maximum(lengths, np.float32(2.0 ** (_LOWEST - 1))))
        # bin k ends at 2^(-10 + k / 64) px; the first holds all shorter lengths, the last all longer ones
        bins = np.clip(np.ceil((octaves - _LOWEST) * _PER_OCTAVE), 0, len(self._counts) - 1)
        self._counts += np.bincount(bins.astype(np.intp), minlength=len(self._counts))

    def percentile(self, percent: float) -> float:
        """Return the percentile `percent` of the known lengths: the upper edge of its bin, within 1.1 %.

        Zero if nothing has been counted.

        Raises:
            InputError: `percent` is not in (0, 100].
        """
        if not 0 < percent <= 100:
            raise InputError(f"the percentile is {percent:g}; wanted more than 0 and at most 100")
        total = int(self._counts.sum())
        if percent == 100 or not total:
            return self.longest
        reached = int(np.searchsorted(np.cumsum(self._counts), percent / 100 * total))
        return min(2.0 ** (_LOWEST + reached / _PER_OCTAVE), self.longest)


def robust_max_flow(flows: Iterable[FlowArray], percentile: float = 99.0) -> float:
    """Return a robust scale for drawing, which ignores a few very long vectors; one flow is held in memory at a time.

    Args:
        flows: the flows of a clip, or a list of one; NaN where unknown.
        percentile: the share of known pixels, in percent, that the scale covers; 100 gives the longest vector.

    Returns:
        A length in pixels, never zero; 1 px where nothing moves.

    Raises:
        InputError: `percentile` is not in (0, 100].
    """
    histogram = MagnitudeHistogram()
    for flow in flows:
        histogram.add(flow)
    # if the percentile is zero, because nearly all pixels stand still, the longest flow decides
    lengths = (histogram.percentile(percentile), histogram.longest)
    return next((length for length in lengths if length > 2.0**_LOWEST), 1.0)
