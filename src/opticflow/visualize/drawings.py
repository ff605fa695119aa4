"""Draw flow as picture files: one flow, or the flow of a clip on one scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path

from opticflow.errors import InputError
from opticflow.io import IMAGE_SUFFIXES, VIDEO_SUFFIXES, list_image_files, make_folder, read_image, write_image
from opticflow.shapes import Frame
from opticflow.store.sequences import FlowSequence, open_flows
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
    """Pictures of one flow, or of the flow of a clip on one scale, drawn one by one on request.

    Args:
        source: a flow file, a folder of them, a store or a part of one; see `opticflow.store.open_flows`.
        style: a name of `STYLES`.
        max_flow: the flow magnitude in pixels at the end of the scale; measured if not given.
        percentile: if `max_flow` is not given, the share of the known pixels, in percent, that the scale covers. If not
            given, 100 for one flow (as in published pictures) and 99 for a clip (so that outliers do not make it pale).
        frame: the picture that the flow was made from; for a clip a folder of them in the order of the flows, or the
            clip itself.
        with_legend: add a legend that shows the scale.

    Raises:
        InputError: nothing to draw, or frames that do not fit.
        FormatError: a file cannot be read.
        VideoError: a clip cannot be read.
    """

    source: Path
    style: str = "color"
    max_flow: float | None = None
    percentile: float | None = None
    frame: Path | None = None
    with_legend: bool = False

    def __post_init__(self):
        find_style(self.style, with_frame=self.frame is not None)
        if self.frame is not None and self.frame.is_dir() and self.flows.frames is None:
            # a clip has one frame more than it has flows
            frames, count = len(list_image_files(self.frame)), len(self.flows)
            if frames not in (count, count + 1):
                raise InputError(
                    f"{self.frame} holds {frames} frames for {count} flow files; wanted {count} or {count + 1}"
                )

    @cached_property
    def flows(self) -> FlowSequence:
        """The flows."""
        return open_flows(self.source)

    @cached_property
    def scale(self) -> float:
        """The flow magnitude in pixels at the end of the scale. One flow is held in memory at a time."""
        if self.max_flow is not None:
            return self.max_flow
        percentile = self.percentile
        if percentile is None:
            # a file is drawn as in publications; in a clip, a few very long vectors would make all frames pale
            percentile = 100.0 if self.flows.single else 99.0
        return robust_max_flow((self.flows.read(number) for number in range(len(self.flows))), percentile)

    def __iter__(self) -> Iterator[Frame]:
        for number, frame in zip(range(len(self.flows)), self._frames(), strict=False):
            flow = self.flows.read(number)  # H x W x 2, pixels
            yield draw_flow(flow, self.style, max_flow=self.scale, frame=frame, with_legend=self.with_legend)

    def _frames(self) -> Iterator[Frame | None]:
        """Yield the frame of each flow, H x W x 3."""
        if self.frame is None:
            yield from repeat(None, len(self.flows))
        elif not self.frame.is_dir() and self.frame.suffix.lower() not in VIDEO_SUFFIXES:
            yield from repeat(read_image(self.frame), len(self.flows))
        else:
            from opticflow.io.video import open_clip  # PyAV is loaded only if frames come from a clip

            wanted = self.flows.frames or range(len(self.flows))
            given = 0
            for found in open_clip(self.frame).frames(wanted.start, wanted.stop, wanted.step):
                given += 1
                yield found.image
            if given < len(self.flows):
                raise InputError(f"{self.frame} has frames for {given} of {len(self.flows)} flows")


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
    if not drawings.flows.single:
        make_folder(pictures[0].parent)
    for path, picture in zip(pictures, drawings, strict=True):
        write_image(path, picture)
    return Drawn(pictures, scale)


def _pictures(drawings: Drawings, target: Path | None) -> list[Path]:
    """Return the paths of the picture files."""
    flows, style = drawings.flows, drawings.style
    if target is not None and target.suffix.lower() in VIDEO_SUFFIXES and not target.is_dir():
        raise InputError(f"{target}: flow is drawn into pictures, or a folder of it into a video .mp4")
    names = [f"{name}.{style}.png" for name in flows.names]
    if flows.single:
        return [_picture_of_one(flows, names[0], target)]
    # a suffix that is not that of a picture is a part of the folder's name
    if target is not None and target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
        raise InputError(f"{target} is one picture, and {flows.source} holds {len(flows)} flows; give a folder")
    if target is None and not flows.paths:
        target = flows.source.with_name(f"{flows.source.name.split('.')[0]}-{style}")
    return [(target or flows.source) / name for name in names]


def _picture_of_one(flows: FlowSequence, name: str, target: Path | None) -> Path:
    source = flows.source
    if target is None:
        return source.with_name(name if flows.paths else f"{source.name.split('.')[0]}-{name}")
    if target.is_dir():
        return target / name
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target} is the flow itself; give the picture another name")
    return target
