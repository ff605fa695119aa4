"""Find the pairs to check, from files and folders."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from opticflow.errors import InputError
from opticflow.evaluate.check import FlowPair
from opticflow.io import list_flow_files, list_image_files, read_flow, read_image


def shots(flow: Path, first: Path, second: Path | None = None, backward: Path | None = None) -> Iterator[FlowPair]:
    """Yield one pair from files, or the pairs of a clip from folders.

    Args:
        flow: a flow file, or a folder of them.
        first: the first frame; or the folder of the frames, one more than flow files.
        second: the second frame; None for folders.
        backward: like `flow`, from each second frame to the first.

    Raises:
        InputError: files and folders are mixed, or the numbers of flow files and frames do not match.
        FormatError: a file cannot be read.
    """
    folders = [path for path in (flow, first, backward) if path is not None and path.is_dir()]
    if not folders:
        if second is None:
            raise InputError(f"{first} is the only frame; wanted two frames, or a folder of flow and one of frames")
        yield FlowPair(
            read_image(first), read_image(second), read_flow(flow), read_flow(backward) if backward else None
        )
        return
    if second is not None or len(folders) < (3 if backward else 2):
        raise InputError(f"{folders[0]} is a folder; wanted a folder of flow and a folder of frames, or files only")
    flows, frames = list_flow_files(flow), list_image_files(first)
    reverse = list_flow_files(backward) if backward else [None] * len(flows)
    if len(frames) != len(flows) + 1 or len(reverse) != len(flows):
        beside = f" and {backward} {len(reverse)}" if backward else ""
        raise InputError(f"{flow} has {len(flows)} flow files{beside}, {first} {len(frames)} frames; wanted one more")
    for (before, after), path, back in zip(pairwise(frames), flows, reverse, strict=True):
        yield FlowPair(read_image(before), read_image(after), read_flow(path), read_flow(back) if back else None)
