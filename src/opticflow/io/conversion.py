"""Convert flow between formats, and measure what is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opticflow.errors import InputError
from opticflow.io.atomic import make_folder
from opticflow.io.flow_files import FLOW_SUFFIXES, flow_format, read_flow_with_mask, write_flow
from opticflow.io.folders import list_flow_files


@dataclass(frozen=True)
class Converted:
    """The result of converting one file."""

    source: Path
    target: Path
    largest_change: float
    """Largest change of a known flow component, in pixels."""
    unknown: int
    """Number of pixels whose flow is unknown; it stays unknown in every format."""
    pixels: int


def convert(
    source: Path, target: Path, *, suffix: str | None = None, half: bool = False, overwrite: bool = False
) -> Iterator[Converted]:
    """Convert a flow file, or all flow files of a folder. Each file is written when the iterator reaches it.

    Args:
        source: a flow file or a folder of them.
        target: a file whose suffix chooses the format; if `source` is a folder, a folder, which is made if missing.
        suffix: the format for a folder, such as `.npz`.
        half: store in half precision; only some formats have it.
        overwrite: replace existing files in the folder `target`. If `target` is a file, it is always replaced.

    Raises:
        InputError: `target` is `source`, `suffix` is missing or out of place, or a file is in the way.
        FormatError: a file cannot be read or written, or the format cannot hold the values.
    """
    if not source.is_dir():
        if suffix is not None:
            raise InputError(f"{source} is a file: the suffix of {target} chooses the format, and no other is needed")
        if target.is_dir():
            raise InputError(f"{target} is a folder; give the name of the file to write")
        pairs = [(source, target)]
    else:
        if suffix is None:
            raise InputError(f"{source} is a folder: say which format to write, one of {', '.join(FLOW_SUFFIXES)}")
        suffix = "." + suffix.lower().lstrip(".")
        flow_format(f"flow{suffix}")
        if target.exists() and not target.is_dir():
            raise InputError(f"{target} is a file, and {source} is a folder; give a folder")
        pairs = [(path, target / f"{path.stem}{suffix}") for path in list_flow_files(source)]
    for path, written in pairs:
        if written.exists() and path.exists() and written.samefile(path):
            raise InputError(f"{written} would replace the file it is made from; give another name or folder")
        if source.is_dir() and written.exists() and not overwrite:
            raise InputError(f"{written} is there already; add --overwrite to replace it, or give another folder")
    return (_convert_file(path, written, half, make_parent=source.is_dir()) for path, written in pairs)


def _convert_file(source: Path, target: Path, half: bool, *, make_parent: bool) -> Converted:
    flow, valid = read_flow_with_mask(source)
    if make_parent:
        make_folder(target.parent)
    write_flow(target, flow, valid, half=half)
    # read back, so that the loss is measured on the file on disk
    kept, _ = read_flow_with_mask(target)
    largest = float(np.abs(kept.astype(np.float64) - flow).max())
    return Converted(source, target, largest, int(valid.size - valid.sum()), valid.size)
