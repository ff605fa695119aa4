"""A data set: a list of pairs of files, read one by one into samples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Float32

from opticflow.errors import DatasetError
from opticflow.io import read_flow_with_mask, read_image
from opticflow.shapes import FlowArray, Frame, MaskArray, Sample


@dataclass(frozen=True)
class Pair:
    """The files of two frames and of their ground truth."""

    name: str
    """Unique within the data set, with `/` between its parts: `alley_1/frame_0001`."""
    sequence: str
    """Group under which results are listed: a scene, or the whole split if the data set has no scenes."""
    first: Path
    second: Path
    flow: Path | None = None
    """True flow from the first to the second frame; None in test splits."""
    occluded: Path | None = None
    """File of the occlusion mask: a picture, nonzero where occluded, unless the data set has its own reader."""
    invalid: Path | None = None
    """File of a mask: a picture, nonzero where the ground truth must not be used."""


Truth = tuple[FlowArray, MaskArray, MaskArray]
"""Ground truth: flow, mask of the pixels where it is known, and occlusion mask."""
Choices = Float32[np.ndarray, "choices height width 2"]
"""Several true flow vectors per pixel."""


def read_truth(pair: Pair) -> Truth:
    """Read the ground truth of a pair whose masks are pictures, nonzero where they are true."""
    assert pair.flow is not None
    flow, valid = read_flow_with_mask(pair.flow)
    occluded = np.zeros(valid.shape, dtype=bool) if pair.occluded is None else read_mask(pair.occluded)
    same_size(pair, "the occlusion mask", occluded, "the truth", valid)
    if pair.invalid is not None:
        invalid = read_mask(pair.invalid)
        same_size(pair, "the mask of invalid pixels", invalid, "the truth", valid)
        # pixels that the authors mark as invalid count as unknown
        valid = valid & ~invalid
    return flow, valid, occluded


def read_mask(path: Path) -> MaskArray:
    """Read a picture as a mask: true where any channel is not zero."""
    return np.asarray(read_image(path).any(-1))


def same_size(pair: Pair, what: str, array: np.ndarray, other: str, wanted: np.ndarray) -> None:
    """Raise an error if the arrays of a pair differ in height or width."""
    if array.shape[:2] != wanted.shape[:2]:
        raise DatasetError(
            f"{pair.name}: {what} is {array.shape[1]}x{array.shape[0]}, {other} {wanted.shape[1]}x{wanted.shape[0]}; "
            "they must be of one size"
        )


@dataclass(frozen=True)
class FlowDataset:
    """Pairs of frames with ground truth. Indexing reads the files; nothing is cached.

    Example:
        >>> dataset = opticflow.open_dataset("sintel-clean", "MPI-Sintel")
        >>> for sample in dataset:
        ...     flow = estimator(sample.first, sample.second)
        ...     error = np.linalg.norm(flow - sample.flow, axis=2)[sample.valid].mean()
    """

    name: str
    pairs: Sequence[Pair]
    protocol: str = "per-image"
    """Key of `metrics.PROTOCOLS`: the protocol of published results on this data set."""
    truth: Callable[[Pair], Truth] = read_truth
    expected: int | None = None
    """Number of pairs in the published data set."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Names or descriptions of pairs that exist but are not used, with the reason."""
    choices: Callable[[Pair], Choices] | None = None
    """Function that reads all true vectors of each pixel, for data sets with several per pixel; an estimate is compared
    with the nearest."""

    def __post_init__(self):
        if not self.pairs:
            raise DatasetError(f"{self.name} has no pairs; is the folder complete?")

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "FlowDataset": ...

    def __getitem__(self, index: int | slice) -> "Sample | FlowDataset":
        if isinstance(index, slice):
            return replace(self, pairs=self.pairs[index])
        pair = self.pairs[index]
        first, second = self.frames(index)
        if pair.flow is None:
            raise DatasetError(f"{self.name} {pair.name} has no truth: it is of a test split; use its frames")
        flow, valid, occluded = self.truth(pair)
        same_size(pair, "the truth", flow, "the frame", first)
        return Sample(first, second, flow, valid, occluded, pair.name)

    # samples are read one by one, so that a data set need not fit into memory
    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def frames(self, index: int) -> tuple[Frame, Frame]:
        """Return the two frames of a pair. Test splits, which have no ground truth, have frames too."""
        pair = self.pairs[index]
        first, second = read_image(pair.first), read_image(pair.second)
        same_size(pair, "the second frame", second, "the first", first)
        return first, second
