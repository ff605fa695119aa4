"""How synthetic sets lie on disk: the layouts that everyone's loaders already read.

A layout writes item number n of a set and can tell whether it is there whole; the last file written is the one that
tells. Items are numbered from 0, whatever the names of the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from opticflow.io import write_flow, write_image
from opticflow.scenes.rendered import InstanceMap, RenderedPair
from opticflow.shapes import FlowArray, Frame, MaskArray


@dataclass(frozen=True)
class RenderedSequence:
    """Frames of a synthetic world in the order of time, in two passes, with exact flow in both directions.

    All fields hold one entry per frame. The last forward flow leads to the frame after the last, and the first
    backward flow to the frame before the first, which are not stored; where they are not known they are NaN.
    """

    clean: Sequence[Frame]
    final: Sequence[Frame]
    """The same frames with motion blur, depth of field and so on."""
    forward: Sequence[FlowArray]
    backward: Sequence[FlowArray]
    forward_occluded: Sequence[MaskArray]
    """Pixels of a frame that are hidden, or out of view, in the next one."""
    backward_occluded: Sequence[MaskArray]
    """Pixels of a frame that are hidden, or out of view, in the one before."""
    instances: Sequence[InstanceMap]
    depth: Sequence[np.ndarray]
    """Height x width float32, along the optical axis."""
    cameras: Sequence[np.ndarray]
    """4 x 4 float64, from the world to the camera (x right, y down, z forward)."""
    intrinsics: np.ndarray
    """3 x 3 float64, in pixels."""
    name: str = ""


class Layout(Protocol):
    """Where the files of a set lie."""

    def write(self, root: Path, number: int, item) -> None:
        """Write one item, the file that tells that it is whole last."""
        ...

    def complete(self, root: Path, number: int) -> bool:
        """Whether an item is on disk, whole."""
        ...

    def finish(self, root: Path, count: int) -> None:
        """Write what belongs to the set as a whole."""
        ...

    def item_bytes(self, height: int, width: int) -> int:
        """How much room one item takes, at most."""
        ...
