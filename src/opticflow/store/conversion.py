"""Convert flow between formats, into a store and out of one, and measure what is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from opticflow.errors import InputError
from opticflow.io.atomic import make_folder
from opticflow.io.flow_files import FLOW_SUFFIXES, flow_format, read_flow_with_mask, write_flow
from opticflow.shapes import FlowArray, as_flow
from opticflow.store.flow_store import FlowStore
from opticflow.store.format import LENGTH, STORE_SUFFIX, USUAL_ERROR
from opticflow.store.sequences import FlowSequence, open_flows
from opticflow.store.writer import SegmentWriter, store_files


@dataclass(frozen=True)
class Converted:
    """The result of converting one flow."""

    source: str
    target: Path
    largest_change: float
    """Largest change of a known flow component, in pixels."""
    unknown: int
    """Number of pixels whose flow is unknown; it stays unknown in every format."""
    pixels: int


def convert(
    source: Path,
    target: Path,
    *,
    suffix: str | None = None,
    half: bool = False,
    error: Fraction = USUAL_ERROR,
    overwrite: bool = False,
) -> Iterator[Converted]:
    """Convert a flow file, all flow files of a folder, or a store or a part of one. Each flow is written when the
    iterator reaches it.

    Args:
        source: see `open_flows`.
        target: for one flow a file, whose suffix chooses the format; for several a folder, which is made if missing,
            or a store `NAME.flows`.
        suffix: the format for a folder, such as `.npz`.
        half: store in half precision; only some formats have it.
        error: largest rounding error of a store, in pixels.
        overwrite: replace existing files in the folder `target`. If `target` is a file, it is always replaced.

    Raises:
        InputError: `target` is `source`, `suffix` is missing or out of place, or a file is in the way.
        FormatError: a file cannot be read or written, or the format cannot hold the values.
    """
    flows = open_flows(source)
    if target.suffix.lower() == STORE_SUFFIX:
        return _into_store(flows, target, error, suffix, half)
    if flows.single:
        if suffix is not None:
            raise InputError(f"{source} is a file: the suffix of {target} chooses the format, and no other is needed")
        if target.is_dir():
            raise InputError(f"{target} is a folder; give the name of the file to write")
        targets = [target]
    else:
        if suffix is None:
            raise InputError(f"{source} is a folder: say which format to write, one of {', '.join(FLOW_SUFFIXES)}")
        suffix = "." + suffix.lower().lstrip(".")
        flow_format(f"flow{suffix}")
        if target.exists() and not target.is_dir():
            raise InputError(f"{target} is a file, and {source} is a folder; give a folder")
        targets = [target / f"{name}{suffix}" for name in flows.names]
    for number, written in enumerate(targets):
        path = flows.paths[number] if flows.paths else None
        if path and written.exists() and path.exists() and written.samefile(path):
            raise InputError(f"{written} would replace the file it is made from; give another name or folder")
        if not flows.single and written.exists() and not overwrite:
            raise InputError(f"{written} is there already; add --overwrite to replace it, or give another folder")
    return (_convert(flows, number, written, half) for number, written in enumerate(targets))


def _convert(flows: FlowSequence, number: int, target: Path, half: bool) -> Converted:
    flow = flows.read(number)
    if not flows.single:
        make_folder(target.parent)
    write_flow(target, flow, half=half)
    # read back, so that the loss is measured on the file on disk
    kept, _ = read_flow_with_mask(target)
    return _converted(flows, number, target, flow, kept)


def _into_store(
    flows: FlowSequence, target: Path, error: Fraction, suffix: str | None, half: bool
) -> Iterator[Converted]:
    if suffix is not None or half:
        raise InputError(f"{target} is a store, which has an --error and neither a suffix nor half precision")
    if there := store_files(target):
        raise InputError(f"{there[0]} is there already; give another name, or remove that store")
    provenance = {"program": "opticflow convert", "source": {"name": flows.source.name, "rate": str(flows.rate)}}
    for begin in range(0, len(flows), LENGTH):
        numbers = range(begin, min(begin + LENGTH, len(flows)))
        writer = SegmentWriter(target, error, provenance)
        for number in numbers:
            backward = flows.backward.read(number) if flows.backward else None
            writer.add(number, flows.names[number], float(number / flows.rate), flows.read(number), backward)
        writer.write()
        store = FlowStore(target)
        for number in numbers:
            kept, _ = as_flow(store.flow(number))
            yield _converted(flows, number, target, flows.read(number), kept)
        store.close()


def _converted(flows: FlowSequence, number: int, target: Path, flow: FlowArray, kept: FlowArray) -> Converted:
    flow, valid = as_flow(flow)
    largest = float(np.abs(kept.astype(np.float64) - flow).max())
    return Converted(flows.title(number), target, largest, int(valid.size - valid.sum()), valid.size)
