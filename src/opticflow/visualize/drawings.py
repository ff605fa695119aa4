"""Flow files drawn as picture files: one, or a folder of them on one scale."""

from dataclasses import dataclass
from pathlib import Path

from opticflow.errors import InputError
from opticflow.io import IMAGE_SUFFIXES, list_flow_files, list_image_files, read_flow, read_image, write_image
from opticflow.visualize.scale import robust_max_flow
from opticflow.visualize.styles import draw_flow, find_style

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".gif")


@dataclass(frozen=True)
class Drawn:
    """What `draw_files` has written."""

    pictures: list[Path]
    max_flow: float
    """The length in pixels at the end of the scale."""


@dataclass(frozen=True)
class _Job:
    flow: Path
    frame: Path | None
    picture: Path


def draw_files(
    source: Path,
    target: Path | None = None,
    *,
    style: str = "color",
    max_flow: float | None = None,
    percentile: float | None = None,
    frame: Path | None = None,
    with_legend: bool = False,
) -> Drawn:
    """Draw a flow file, or all flow files of a folder on one scale. One flow is held in memory at a time.

    Args:
        source: a flow file or a folder of them.
        target: a picture file, or a folder, which is made if it is not there; beside the flow if not given. Pictures in
            a folder are called `NAME.STYLE.png`.
        style: a name of `STYLES`.
        max_flow: the length in pixels at the end of the scale.
        percentile: where `max_flow` is not given, the scale covers this share of the known pixels, in percent. If not
            given, 100 for a file (the published pictures) and 99 for a folder (a few wild vectors do not dim a clip).
        frame: the picture that the flow was made from, or a folder of them in the order of the flows.
        with_legend: adds a strip that says what the scale is.

    Raises:
        InputError: nothing to draw, a target that does not fit, or frames that do not.
        FormatError: a file that cannot be read or written.
    """
    find_style(style, with_frame=frame is not None)
    if source.is_dir():
        jobs = _jobs_of_folder(source, target, style, frame)
    else:
        jobs = [_Job(source, frame, _picture_of_file(source, target, style))]
    if max_flow is None:
        if percentile is None:
            percentile = 99.0 if source.is_dir() else 100.0
        max_flow = robust_max_flow((read_flow(job.flow) for job in jobs), percentile)
    for job in jobs:
        background = None if job.frame is None else read_image(job.frame)
        flow = read_flow(job.flow)
        write_image(job.picture, draw_flow(flow, style, max_flow=max_flow, frame=background, with_legend=with_legend))
    return Drawn([job.picture for job in jobs], max_flow)


def _jobs_of_folder(source: Path, target: Path | None, style: str, frame: Path | None) -> list[_Job]:
    flows = list_flow_files(source)
    frames = _frames(frame, len(flows))
    target = source if target is None else target
    # a suffix that is neither a picture's nor a video's belongs to the folder's name
    if target.suffix.lower() in VIDEO_SUFFIXES and not target.is_dir():
        raise InputError(f"{target}: a folder of flow is drawn into a folder of pictures, not into a video")
    if target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
        raise InputError(f"{target} is one picture, and {source} holds {len(flows)} flow files; give a folder")
    target.mkdir(parents=True, exist_ok=True)
    return [_Job(flow, background, target / _name(flow, style)) for flow, background in zip(flows, frames, strict=True)]


def _picture_of_file(source: Path, target: Path | None, style: str) -> Path:
    if target is None:
        return source.with_name(_name(source, style))
    if target.is_dir():
        return target / _name(source, style)
    if target.suffix.lower() in VIDEO_SUFFIXES:
        raise InputError(f"{target}: one flow file is one picture; give a suffix such as .png")
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
