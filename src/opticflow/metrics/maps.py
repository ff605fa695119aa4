"""Error maps. Every metric of this package is the mean of one of these maps over a region."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64

from opticflow.shapes import FlowArray

ErrorMap = Float64[np.ndarray, "height width"]
OutlierMap = Bool[np.ndarray, "height width"]

_BINS = 100  # of WAUC: thresholds of 0.05, 0.10, ..., 5.00 px
# entry k: the share of all weights in the bins from k + 1 on; 0 beyond the last threshold
_REACH = np.append(np.cumsum(np.arange(1, _BINS + 1))[::-1], 0) / np.arange(1, _BINS + 1).sum()


def end_point_error(flow: FlowArray, truth: FlowArray) -> ErrorMap:
    """Return the end-point error: the length of the difference of two flows, in pixels (Otte, Nagel, ECCV 1994)."""
    difference = flow.astype(np.float64) - truth  # H x W x 2, pixels
    return np.hypot(difference[..., 0], difference[..., 1])


def nearest_truth(flow: FlowArray, choices: Float32[np.ndarray, "choices height width 2"]) -> FlowArray:
    """Return for each pixel the one of several true vectors that is nearest to the estimate (Mehl et al., Spring, CVPR
    2023)."""
    errors = np.stack([end_point_error(flow, truth) for truth in choices])  # choices x H x W, pixels
    return np.take_along_axis(choices, errors.argmin(0)[None, ..., None], 0)[0]


def angular_error(flow: FlowArray, truth: FlowArray) -> ErrorMap:
    """Return the angular error: the angle between the space-time vectors (u, v, 1), in degrees (Barron, Fleet,
    Beauchemin, IJCV 1994).

    It is computed from the cross product and the scalar product, because the arc cosine loses all digits at small
    angles.
    """
    u, v = flow.astype(np.float64)[..., 0], flow.astype(np.float64)[..., 1]
    true_u, true_v = truth.astype(np.float64)[..., 0], truth.astype(np.float64)[..., 1]
    # length of the cross product of (u, v, 1) and its true counterpart
    cross = np.sqrt((v - true_v) ** 2 + (u - true_u) ** 2 + (u * true_v - v * true_u) ** 2)
    # H x W, degrees; sine and cosine have the same factor, the product of both lengths
    return np.degrees(np.arctan2(cross, u * true_u + v * true_v + 1))


def outliers(error: ErrorMap, threshold: float) -> OutlierMap:
    """Return the mask of the pixels whose end-point error is larger than `threshold` pixels."""
    return error > threshold


def fl_outliers(error: ErrorMap, truth: FlowArray) -> OutlierMap:
    """Return the mask of the Fl outliers: pixels whose end-point error is larger than 3 px and larger than 5 % of the
    true length (Menze, Geiger, CVPR 2015)."""
    length = np.hypot(truth[..., 0].astype(np.float64), truth[..., 1])  # H x W, pixels
    return (error > 3) & (error > 0.05 * length)


def weighted_inliers(error: ErrorMap) -> ErrorMap:
    """Return each pixel's contribution to WAUC, 0 to 1, so that WAUC is the mean of this map.

    WAUC = sum_i w_i r_i / sum_i w_i over i = 1..100, where r_i is the share of pixels with an error of at most
    i / 20 px and w_i = 1 - (i - 1) / 100 (Richter, Hayder, Koltun, "Playing for benchmarks", ICCV 2017; the bins as in
    the evaluation code of the Spring benchmark). A pixel counts in every bin whose threshold is at least its error.
    """
    thresholds = np.arange(1, _BINS + 1) / 20
    # H x W; a threshold counts the pixels whose error is equal to it
    return _REACH[np.searchsorted(thresholds, error)]


@dataclass(frozen=True)
class Metric:
    """An error map and the unit of its mean."""

    unit: Literal["px", "degrees", "%"]
    of: Callable[[FlowArray, FlowArray, ErrorMap], ErrorMap | OutlierMap]
    """Function of (flow, truth, end-point error) that returns the map."""
    higher_is_better: bool = False

    @property
    def scale(self) -> float:
        """Factor from the mean of the map to `unit`."""
        return 100.0 if self.unit == "%" else 1.0


def _beyond(threshold: float) -> Metric:
    return Metric("%", lambda flow, truth, error: outliers(error, threshold))


METRICS: dict[str, Metric] = {
    "EPE": Metric("px", lambda flow, truth, error: error),
    "AAE": Metric("degrees", lambda flow, truth, error: angular_error(flow, truth)),
    "0.5px": _beyond(0.5),
    "1px": _beyond(1.0),
    "2px": _beyond(2.0),
    "3px": _beyond(3.0),
    "5px": _beyond(5.0),
    "Fl": Metric("%", lambda flow, truth, error: fl_outliers(error, truth)),
    "WAUC": Metric("%", lambda flow, truth, error: weighted_inliers(error), higher_is_better=True),
}
