"""Compare an approximation (tiles, bf16) with its reference: the difference in pixels of flow, and in error."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from opticflow.metrics.maps import end_point_error
from opticflow.shapes import FlowArray, Frame, MaskArray, Sample

Estimate = Callable[[Frame, Frame], FlowArray]


@dataclass(frozen=True)
class Difference:
    """Statistics of the length of the difference of two flows, in pixels."""

    mean: float
    percentile_99: float


@dataclass(frozen=True)
class Closeness:
    """The comparison of an approximation with its reference, over all pixels of all pairs."""

    pairs: int
    difference: Difference
    inside: Difference | None
    """The difference within the given region."""
    outside: Difference | None
    end_point_error: float
    """Mean end-point error of the approximation against ground truth, in pixels."""
    reference_error: float
    ratio: float
    """Error of the approximation divided by that of the reference."""


def measure_closeness(
    estimate: Estimate, reference: Estimate, samples: Iterable[Sample], *, region: MaskArray | None = None
) -> Closeness:
    """Estimate every sample in both ways, and compare.

    Args:
        estimate: the approximation.
        reference: the method that it approximates.
        samples: at least one pair, all frames of one size; end-point errors are measured where the truth is known.
        region: mask; differences are also given separately for the pixels inside and outside.
    """
    differences, errors, reference_errors = [], [], []
    for sample in samples:
        flow, wanted = estimate(sample.first, sample.second), reference(sample.first, sample.second)
        differences.append(end_point_error(flow, wanted))
        # one length for each valid pixel, in pixels
        errors.append(end_point_error(flow, sample.flow)[sample.valid])
        reference_errors.append(end_point_error(wanted, sample.flow)[sample.valid])
    far = np.stack(differences)  # pairs x H x W, pixels
    error, reference_error = (float(np.concatenate(found).mean()) for found in (errors, reference_errors))
    return Closeness(
        pairs=len(far),
        difference=_difference(far),
        inside=None if region is None else _difference(far[:, region]),
        outside=None if region is None else _difference(far[:, ~region]),
        end_point_error=round(error, 5),
        reference_error=round(reference_error, 5),
        ratio=round(error / reference_error, 5),
    )


def _difference(lengths: np.ndarray) -> Difference:
    return Difference(round(float(lengths.mean()), 5), round(float(np.percentile(lengths, 99)), 5))
