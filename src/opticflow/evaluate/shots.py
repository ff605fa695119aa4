"""Find the pairs to check, from files, folders, clips and stores."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from opticflow.errors import InputError
from opticflow.evaluate.check import FlowPair
from opticflow.io import VIDEO_SUFFIXES, list_image_files, read_image
from opticflow.io.video import open_clip
from opticflow.shapes import Frame
from opticflow.store import FlowSequence, open_flows

_EITHER = "a folder of flow and a folder of frames, or files only"


def shots(flow: Path, first: Path, second: Path | None = None, backward: Path | None = None) -> Iterator[FlowPair]:
    """Yield one pair from files, or the pairs of a clip.

    Args:
        flow: a flow file, a folder of them, a store or a part of one (see `opticflow.store.open_flows`).
        first: the first frame; for the flow of a clip the folder of the frames, one more than flow files, or the video.
        second: the second frame; None for a clip.
        backward: like `flow`, from each second frame to the first; a store may hold it itself.

    Raises:
        InputError: one flow and a clip are mixed, or the numbers of flows and frames do not match.
        FormatError: a file cannot be read.
        VideoError: a frame of a clip cannot be read.
    """
    is_clip = first.is_dir() or first.suffix.lower() in VIDEO_SUFFIXES
    for path in (flow, backward):
        if path is not None and path.is_dir() and not is_clip and second is None:
            raise InputError(f"{path} is a folder; wanted {_EITHER}")
    forward = open_flows(flow)
    reverse = open_flows(backward) if backward else forward.backward
    if not is_clip:
        if second is None:
            raise InputError(f"{first} is the only frame; wanted two frames, or a folder of flow and one of frames")
        for flows in (forward, *([reverse] if reverse else [])):
            if not flows.single:
                raise InputError(
                    f"{flows.source} is a folder; wanted a folder of flow and a folder of frames, or files only"
                )
        yield _pair(read_image(first), read_image(second), forward, reverse, 0)
        return
    if second is not None or any(flows.single and flows.paths for flows in (forward, reverse) if flows):
        raise InputError(f"{first} is a folder; wanted {_EITHER}")
    if reverse is not None and len(reverse) != len(forward):
        raise InputError(f"{flow} has {len(forward)} flows and {backward} {len(reverse)}; wanted as many")
    if first.is_dir() and forward.frames is None and len(list_image_files(first)) != len(forward) + 1:
        count = len(list_image_files(first))
        raise InputError(f"{flow} has {len(forward)} flow files, {first} {count} frames; wanted one more")
    frames = _frames(first, forward)
    number = -1
    for number, (before, after) in enumerate(frames):
        yield _pair(before, after, forward, reverse, number)
    if number + 1 < len(forward):
        raise InputError(f"{first} has frames for {number + 1} of {len(forward)} flows")


def _frames(clip: Path, flows: FlowSequence) -> Iterator[tuple[Frame, Frame]]:
    """Yield the two frames of each flow."""
    wanted = flows.frames or range(len(flows))
    opened = open_clip(clip)
    if flows.separate:
        images = (frame.image for frame in opened.frames(wanted.start, wanted.stop))
        yield from zip(images, images, strict=False)
    else:
        images = (frame.image for frame in opened.frames(wanted.start, wanted.stop + 1, wanted.step))
        yield from pairwise(images)


def _pair(first: Frame, second: Frame, forward: FlowSequence, reverse: FlowSequence | None, number: int) -> FlowPair:
    return FlowPair(first, second, forward.read(number), reverse.read(number) if reverse else None)
