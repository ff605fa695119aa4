"""The kinds of output of a run over a clip: flow files, pictures, videos and the flow store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from opticflow.estimator import PairFlow
from opticflow.extract.pieces import Pieces, StorePieces, VideoPieces
from opticflow.io import FLOW_FORMATS, IMAGE_SUFFIXES, FlowFormat, write_flow, write_image, write_mask
from opticflow.shapes import Frame
from opticflow.store import STORE_SUFFIX
from opticflow.visualize import STYLES, draw_flow


@dataclass(frozen=True)
class Writing:
    """How the outputs of a run are written."""

    backward: bool = False
    """Whether there are also outputs of the backward flow, and of the occlusions."""
    half: bool = False
    """Store flow files in half precision, in the formats that have it."""
    error: Fraction = Fraction(1, 64)
    """Largest rounding error of the store, in pixels."""
    max_flow: float | None = None
    """The flow magnitude, in pixels, at the end of the scale of drawings; None if nothing is drawn."""
    rate: Fraction = Fraction(25)
    """Frames per second of the clip."""
    provenance: Callable[[], dict[str, Any]] = field(default=dict)
    """Returns what the store says of its origin; called when a store is begun."""
    computed: dict[str, str] = field(default_factory=dict)
    """The device and the number format that compute the flow, for the store."""

    @property
    def directions(self) -> tuple[str, ...]:
        """The suffix in the names of the outputs of each direction."""
        return ("", "-backward") if self.backward else ("",)


@dataclass(frozen=True)
class PairFiles:
    """The files of one kind in a run's folder: one for each pair."""

    folder: Path
    suffix: str
    write: Callable[[Path, PairFlow], None]

    def path(self, name: str) -> Path:
        """Return the file of the pair whose first frame has this name."""
        return self.folder / f"{name}{self.suffix}"


class Output:
    """A kind of output of a run: files for each pair, or something for the clip as a whole, which is made in pieces."""

    @property
    def drawn(self) -> bool:
        """Whether flow is drawn, so that the clip's scale is needed."""
        return False

    @property
    def has_half(self) -> bool:
        """Whether it can be written in half precision."""
        return False

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """The suffixes of a single file, or store, that a run can write instead of a folder."""
        return ()

    @property
    def in_pieces(self) -> bool:
        """Whether it is written for the clip as a whole, in pieces of a segment each."""
        return False

    @property
    def exportable(self) -> bool:
        """Whether it can be made of flow alone, without the frames."""
        return True

    def bytes_per_pixel(self, *, half: bool) -> float:
        """Return the disk space for each pixel of a flow: the largest where it is known, zero where it is small."""
        return 0

    def files(self, name: str, folder: Path, writing: Writing) -> list[PairFiles]:
        """Return the files for each pair, by direction."""
        return []

    def pieces(self, name: str, folder: Path, writing: Writing) -> list[Pieces]:
        """Return what is written for the clip as a whole, by direction."""
        return []


@dataclass(frozen=True)
class FlowFiles(Output):
    """Flow files of one format."""

    suffix: str
    format: FlowFormat

    @property
    def has_half(self) -> bool:
        return self.format.encode_half is not None

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        return (self.suffix,)

    def bytes_per_pixel(self, *, half: bool) -> float:
        return self.format.bytes_per_pixel / (2 if half and self.has_half else 1)

    def files(self, name: str, folder: Path, writing: Writing) -> list[PairFiles]:
        def write(path: Path, flow: Any, frame: Frame) -> None:
            write_flow(path, flow, half=writing.half and self.has_half)

        return both_directions(name, folder, self.suffix, write, writing)


@dataclass(frozen=True)
class Pictures(Output):
    """Pictures in one drawing style."""

    style: str

    @property
    def drawn(self) -> bool:
        return True

    @property
    def exportable(self) -> bool:
        return not STYLES[self.style].needs_frame

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        # `.exr` and `.pfm` hold pictures or flow, and flow is what is estimated; a `.png` is rarely meant as KITTI flow
        return tuple(suffix for suffix in IMAGE_SUFFIXES if suffix == ".png" or suffix not in FLOW_FORMATS)

    def bytes_per_pixel(self, *, half: bool) -> float:
        return 3

    def files(self, name: str, folder: Path, writing: Writing) -> list[PairFiles]:
        def write(path: Path, flow: Any, frame: Frame) -> None:
            write_image(path, _draw(self.style, flow, frame, writing))

        return both_directions(name, folder, ".png", write, writing)


@dataclass(frozen=True)
class Video(Output):
    """A video in one drawing style."""

    style: str

    @property
    def drawn(self) -> bool:
        return True

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        return (".mp4",)

    @property
    def in_pieces(self) -> bool:
        return True

    @property
    def exportable(self) -> bool:
        return not STYLES[self.style].needs_frame

    @property
    def file_name(self) -> str:
        """Name of the video in a run's folder."""
        return f"{'flow' if self.style == 'color' else self.style}.mp4"

    def pieces(self, name: str, folder: Path, writing: Writing) -> list[Pieces]:
        path = folder / self.file_name

        def drawing(direction: str) -> Callable[[PairFlow], Frame]:
            return lambda pair: _draw(self.style, *_of(pair, direction), writing)

        return [
            VideoPieces(path.with_stem(path.stem + direction), drawing(direction), writing.rate)
            for direction in writing.directions
        ]


@dataclass(frozen=True)
class Store(Output):
    """The flow store: both directions and the masks in one folder of small, seekable files."""

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        return (STORE_SUFFIX,)

    @property
    def in_pieces(self) -> bool:
        return True

    @property
    def exportable(self) -> bool:
        return False  # `opticflow store pack` and `opticflow convert` make stores

    def bytes_per_pixel(self, *, half: bool) -> float:
        return 1

    def pieces(self, name: str, folder: Path, writing: Writing) -> list[Pieces]:
        path = folder if folder.suffix.lower() == STORE_SUFFIX else folder / "flows"
        return [StorePieces(path, writing.error, writing.provenance, writing.computed)]


def occlusion_files(folder: Path) -> PairFiles:
    """Return the masks of the pixels that are occluded in the next frame: white is occluded."""

    def write(path: Path, pair: PairFlow) -> None:
        assert pair.occluded is not None
        write_mask(path, pair.occluded)

    return PairFiles(folder / "occlusion", ".png", write)


def both_directions(
    name: str, folder: Path, suffix: str, write: Callable[[Path, Any, Frame], None], writing: Writing
) -> list[PairFiles]:
    """Return the files of one kind for the flow of each direction.

    Args:
        name: name of the kind and of its subfolder.
        folder: the output folder.
        suffix: of the files.
        write: writes a file, given its path, the flow and the frame that the flow belongs to.
        writing: how the outputs of the run are written.
    """

    def writer(direction: str) -> Callable[[Path, PairFlow], None]:
        return lambda path, pair: write(path, *_of(pair, direction))

    return [PairFiles(folder / f"{name}{direction}", suffix, writer(direction)) for direction in writing.directions]


def _of(pair: PairFlow, direction: str) -> tuple[Any, Frame]:
    """Return the flow of a direction and the frame that it belongs to."""
    return (pair.backward, pair.second) if direction else (pair.forward, pair.first)


def _draw(style: str, flow: Any, frame: Frame, writing: Writing) -> UInt8[np.ndarray, "picture_height picture_width 3"]:
    background = frame if STYLES[style].takes_frame else None
    return draw_flow(flow, style, max_flow=writing.max_flow, frame=background)
