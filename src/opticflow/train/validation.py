"""The error on a fixed set of samples."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from opticflow.estimator import Estimator
from opticflow.metrics import measure
from opticflow.models import LearnedNetwork
from opticflow.settings import Precision
from opticflow.shapes import Frame, Sample
from opticflow.visualize import flow_to_image

SHOWN = 3
"""Number of samples whose flow is drawn."""


def validate(
    network: LearnedNetwork,
    samples: Sequence[Sample],
    *,
    device: torch.device,
    precision: Precision,
) -> tuple[float, Mapping[str, Frame]]:
    """Return the mean over samples of the mean end-point error, and pictures of the first samples.

    The network runs as in inference: on whole frames, padded or resized to its stride, and with its own number of
    iterations. Afterwards its modules are in training or evaluation mode as before.

    Args:
        network: the network to validate.
        samples: samples with ground truth.
        device: device of the network.
        precision: as for an Estimator.

    Returns:
        The error in pixels, and pictures by title. A picture shows the first frame, the estimate and the truth, one
        below the other, both flows with the same scale. NaN and no pictures if an estimate is not finite.
    """
    # each module has its own mode, since frozen ones are in evaluation mode while the rest is trained
    modes = {module: module.training for module in network.modules()}
    try:
        estimator = Estimator(network, device=device, precision=precision)
        errors, pictures = [], {}
        for index, sample in enumerate(samples):
            flow = estimator(sample.first, sample.second)  # H x W x 2, pixels
            if not np.isfinite(flow).all():
                # the network has diverged; the log shows NaN, and training goes on
                return float("nan"), {}
            errors.append(measure(flow, sample).mean("EPE"))
            if index < SHOWN:
                pictures[f"validation/{index} {sample.name}".strip()] = _picture(sample, flow)
        return float(np.mean(errors)), pictures
    finally:
        for module, mode in modes.items():
            module.training = mode


def _picture(sample: Sample, flow: np.ndarray) -> Frame:
    # one length for each valid pixel, in pixels
    length = np.hypot(sample.flow[..., 0], sample.flow[..., 1])[sample.valid]
    # the colour scale ends at the 99th percentile of the true lengths; longer vectors have full saturation
    longest = float(np.percentile(length, 99)) if length.size else 1.0
    # two pictures of H x W x 3: estimate and truth
    drawn = [flow_to_image(one, max_flow=max(longest, 1.0)) for one in (flow, sample.flow)]
    return np.concatenate([sample.first, *drawn])  # 3H x W x 3
