"""Readers of the public data sets, and of folders of one's own pairs; all give `Sample`s."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from opticflow.data import chairs, kitti, middlebury, pairs, sintel, spring, things
from opticflow.data.dataset import Choices, FlowDataset, Pair
from opticflow.data.integrity import Finding, check_dataset
from opticflow.errors import DatasetError, did_you_mean


@dataclass(frozen=True)
class Reader:
    """The reader of a data set."""

    open: Callable[..., FlowDataset]
    """(root, split) -> data set."""
    splits: tuple[str, ...]
    """Names of its splits; the first is the default."""


DATASETS: dict[str, Reader] = {
    "chairs": Reader(chairs.flying_chairs, chairs.CHAIRS_SPLITS),
    "chairs-sdhom": Reader(chairs.chairs_sdhom, chairs.SDHOM_SPLITS),
    "things-clean": Reader(partial(things.flying_things, render="clean"), things.SPLITS),
    "things-final": Reader(partial(things.flying_things, render="final"), things.SPLITS),
    "sintel-clean": Reader(partial(sintel.sintel, render="clean"), sintel.SPLITS),
    "sintel-final": Reader(partial(sintel.sintel, render="final"), sintel.SPLITS),
    "kitti-2012": Reader(kitti.kitti_2012, kitti.KITTI_SPLITS),
    "kitti-2015": Reader(kitti.kitti_2015, kitti.KITTI_SPLITS),
    "hd1k": Reader(kitti.hd1k, kitti.HD1K_SPLITS),
    "middlebury": Reader(middlebury.middlebury, middlebury.SPLITS),
    "spring": Reader(spring.spring, spring.SPLITS),
    "pairs": Reader(pairs.pairs, pairs.SPLITS),
}


def open_dataset(name: str, root: str | Path, split: str | None = None, **options: Any) -> FlowDataset:
    """Open a data set by its name.

    Args:
        name: a key of `DATASETS`.
        root: where it lies.
        split: one of its splits; the first of them if not given.
        options: of its reader, such as `cameras` of FlyingThings3D.

    Raises:
        DatasetError: no such name, no such split, or `root` is not laid out as the data set is.

    Example:
        >>> dataset = opticflow.open_dataset("sintel-clean", "MPI-Sintel")
        >>> sample = dataset[0]
        >>> sample.flow.shape
        (400, 800, 2)
    """
    if name not in DATASETS:
        raise DatasetError(f"there is no data set {name!r}; {did_you_mean(name.lower(), DATASETS)}")
    reader = DATASETS[name]
    return reader.open(root, split or reader.splits[0], **options)


__all__ = ["DATASETS", "Choices", "Finding", "FlowDataset", "Pair", "Reader", "check_dataset", "open_dataset"]
