"""Check a data set for faults that would spoil training or evaluation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opticflow.data.dataset import FlowDataset
from opticflow.errors import OpticflowError
from opticflow.shapes import Sample


@dataclass(frozen=True)
class Finding:
    """The result of checking one pair."""

    name: str
    problem: str | None
    """What is wrong with the pair; None if nothing is."""
    valid_share: float = 0.0
    """Share of the pixels with known flow."""
    longest: float = 0.0
    """Length of the longest true vector, in pixels."""


def check_dataset(dataset: FlowDataset) -> Iterator[Finding]:
    """Read and check every pair of a data set. A pair that cannot be read gives a `Finding`, not an exception."""
    for index, pair in enumerate(dataset.pairs):
        # pairs of test splits have no ground truth, so only their frames are checked
        if pair.flow is None:
            try:
                dataset.frames(index)
                yield Finding(pair.name, None)
            except OpticflowError as error:
                yield Finding(pair.name, str(error))
            continue
        try:
            sample = dataset[index]
        except OpticflowError as error:
            yield Finding(pair.name, str(error))
            continue
        yield _judge(pair.name, sample)


def _judge(name: str, sample: Sample) -> Finding:
    valid, share = sample.valid, float(sample.valid.mean())
    if not valid.any():
        return Finding(name, "no pixel has known flow")
    known = sample.flow[valid]  # N x 2, pixels
    if not np.isfinite(known).all():
        return Finding(name, "the truth is NaN or infinite at pixels that count as known", share)
    longest = float(np.hypot(known[:, 0], known[:, 1]).max())
    height, width = valid.shape
    # no real motion is this long; such vectors come from damaged files or wrong units
    if longest > 4 * max(height, width):
        problem = f"the longest vector has {longest:.0f} px, more than four times the frame of {width}x{height}"
        return Finding(name, problem, share, longest)
    # a frame without any texture is a sign of a damaged file
    if (sample.first == sample.first[0, 0]).all():
        return Finding(name, "the first frame is of one colour", share, longest)
    return Finding(name, None, share, longest)
