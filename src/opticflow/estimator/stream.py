"""Process a clip as a stream of pairs: each frame is encoded once, a flow may start from the previous one, cuts are
detected."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from opticflow.shapes import FlowArray, Frame, MaskArray, Picture


@dataclass(frozen=True)
class PairFlow:
    """The flow of one pair of a clip.

    Example:
        >>> for pair in estimator.pairs(opticflow.read_video("clip.mp4"), backward=True):
        ...     print(pair.index, pair.forward.shape, pair.backward.shape, pair.occluded.shape)
        0 (64, 96, 2) (64, 96, 2) (64, 96)
        1 (64, 96, 2) (64, 96, 2) (64, 96)
    """

    index: int
    """Position of the pair in the stream, from 0."""
    first: Frame
    second: Frame
    forward: FlowArray
    """Flow from `first` to `second`."""
    backward: FlowArray | None
    """Flow from `second` to `first`; None if it was not asked for."""
    occluded: MaskArray | None
    """Mask of the pixels of `first` that fail the forward-backward check; None without backward flow."""
    cut: bool
    """Whether there is a scene cut between the two frames, so that their flow is meaningless."""


def is_cut(first: Frame, second: Frame) -> bool:
    """Return whether two frames show different scenes.

    True if both the layout and the colours change: the frames at 32 x 32 pixels differ by at least 8 % of the range on
    average, and the colour histograms (8 bins per channel) share less than half of their mass. Fast motion changes the
    layout but keeps the colours; a change of exposure moves mass to neighbouring bins only.
    """
    small = [cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) for frame in (first, second)]
    if float(np.abs(small[0] - small[1]).mean()) < 0.08 * 255:
        return False
    histograms = [_histogram(frame) for frame in (first, second)]
    shared = float(np.minimum(*histograms).sum()) / 3
    return shared < 0.5


def _histogram(frame: Frame) -> np.ndarray:
    """Return the share of pixels per bin, 8 bins per channel, blurred by one bin."""
    counts = np.stack([np.bincount(frame[..., c].ravel() >> 5, minlength=8) for c in range(3)])
    padded = np.pad(counts / counts[0].sum(), ((0, 0), (1, 1)), mode="edge")
    return 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]


def batches_of_pairs(frames: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    """Yield groups of up to `size` + 1 frames; the last of a group is the first of the next."""
    iterator = iter(frames)
    group = list(islice(iterator, 1))
    while group:
        group += islice(iterator, size)
        if len(group) > 1:
            yield group
        group = group[-1:] if len(group) == size + 1 else []
