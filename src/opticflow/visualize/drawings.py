"""Draw flow files as picture files: a single file, or a folder on one scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from opticflow.errors import InputError
from opticflow.io import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    list_flow_files,
    list_image_files,
    make_folder,
    read_flow,
    read_image,
    write_image,
)
from opticflow.shapes import Frame
from opticflow.visualize.scale import robust_max_flow
from opticflow.visualize.styles import draw_flow, find_style


@dataclass(frozen=True)
class Drawn:
    """The files that were drawn, and their scale."""

    pictures: list[Path]
    max_flow: float
    """The flow magnitude in pixels at the end of the scale."""


@dataclass(frozen=True)
class Drawings:
    """Pictures of a flow file, or of all flow files of a folder on one scale, drawn one by one on request.

    Args:
        source: a flow file or a folder of them.
        style: a name of `STYLES`.
        max_flow: the flow magnitude in pixels at the end of the scale; measured if not given.
        percentile: if `max_flow` is not given, the share of the known pixels, in percent, that the scale covers. If not
            given, 100 for a file (as in published pictures) and 99 for a folder (so that outliers do not make a clip
            pale).
        frame: the picture that the flow was made from, or a folder of them in the order of the flows.
        with_legend: add a legend that shows the scale.

    Raises:
        InputError: nothing to draw, or frames that do not fit.
        FormatError: a file cannot be read.
    """

    source: Path
    style: str = "color"
    max_flow: float | None = None
    percentile: float | None = None
    frame: Path | None = None
    with_legend: bool = False

    def __post_init__(self):
        find_style(self.style, with_frame=self.frame is not None)
        _frames(self.frame, len(self.flows))

    @cached_property
    def flows(self) -> list[Path]:
        """The flow files, in natural order."""
        return list_flow_files(self.source) if self.source.is_dir() else [self.source]

    @cached_property
    def scale(self) -> float:
        """The flow magnitude in pixels at the end of the scale. One flow is held in memory at a time."""
        if self.max_flow is not None:
            return self.max_flow
        percentile = self.percentile
        if percentile is None:
            # a file is drawn as in publications; in a clip, a few very long vectors would make all frames pale
            percentile = 99.0 if self.source.is_dir() else 100.0
        return robust_max_flow((read_flow(path) for path in self.flows), percentile)

    def __iter__(self) -> Iterator[Frame]:
        for path, frame in zip(self.flows, _frames(self.frame, len(self.flows)), strict=True):
            # H x W x 3, RGB
            background = None if frame is None else read_image(frame)
            flow = read_flow(path)  # H x W x 2, pixels
            yield draw_flow(flow, self.style, max_flow=self.scale, frame=background, with_legend=self.with_legend)


def draw_files(drawings: Drawings, target: Path | None = None) -> Drawn:
    """Write the drawings as picture files.

    Args:
        drawings: what to draw.
        target: a picture file, or a folder, which is made if it is not there; beside the flow if not given. Pictures in
            a folder are called `NAME.STYLE.png`.

    Raises:
        InputError: the target does not fit.
        FormatError: a file cannot be read or written.
    """
    pictures = _pictures(drawings, target)
    scale = drawings.scale  # before writing, because measuring the scale reads all files
    if drawings.source.is_dir():
        make_folder(pictures[0].parent)
    for path, picture in zip(pictures, drawings, strict=True):
        write_image(path, picture)
    return Drawn(pictures, scale)


def _pictures(drawings: Drawings, target: Path | None) -> list[Path]:
    """Return the paths of the picture files."""
    source, style = drawings.source, drawings.style
    if target is not None and target.suffix.lower() in VIDEO_SUFFIXES and not target.is_dir():
        raise InputError(f"{target}: flow is drawn into pictures, or a folder of it into a video .mp4")
    if not source.is_dir():
        return [_picture_of_file(source, target, style)]
    # a suffix that is not that of a picture is a part of the folder's name
    if target is not None and target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
        raise InputError(f"{target} is one picture, and {source} holds {len(drawings.flows)} flow files; give a folder")
    return [(target or source) / _name(flow, style) for flow in drawings.flows]


def _picture_of_file(source: Path, target: Path | None, style: str) -> Path:
    if target is None:
        return source.with_name(_name(source, style))
    if target.is_dir():
        return target / _name(source, style)
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target} is the flow itself; give the picture another name")
    return target


def _frames(frame: Path | None, count: int) -> list[Path | None]:
    if frame is None or not frame.is_dir():
        return [frame] * count
    frames: list[Path | None] = list(list_image_files(frame))
    # a clip has one frame more than it has flows
    if len(frames) not in (count, count + 1):
        raise InputError(f"{frame} holds {len(frames)} frames for {count} flow files; wanted {count} or {count + 1}")
    return frames[:count]


def _name(flow: Path, style: str) -> str:
    return f"{flow.stem}.{style}.png"
