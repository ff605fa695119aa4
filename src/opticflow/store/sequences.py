"""One view of what holds flow: a file, a folder of files, a store or a part of one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from opticflow.errors import InputError
from opticflow.io import list_flow_files, read_flow
from opticflow.shapes import FlowArray, MaskArray
from opticflow.store.flow_store import FlowStore
from opticflow.store.places import INDEX, covered

_PART = re.compile(r"(?P<backward>backward)?,?((?P<start>\d*)(?P<range>:)?(?P<end>\d*))")


@dataclass(frozen=True)
class FlowSequence:
    """Flows in their order, each read on request; `open_flows` opens one."""

    source: Path
    """The file, folder or store."""
    names: tuple[str, ...]
    """For each flow, the name of its file without suffix, or of the pair's first frame."""
    read: Callable[[int], FlowArray]
    """Reads a flow, given its position: H x W x 2 in pixels, NaN where unknown."""
    single: bool = False
    """Whether it is one flow: a file, or a pair of a store."""
    paths: tuple[Path, ...] = ()
    """For each flow its file; empty for a store."""
    backward: "FlowSequence | None" = None
    """The backward flow of the same pairs, if the store has it."""
    occluded: Callable[[int], MaskArray | None] | None = None
    """Reads the mask of the pixels of the first frame that are hidden in the second; None if that is not known."""
    frames: range | None = None
    """For a store, the index of each pair's first frame in the source."""
    separate: bool = False
    """Whether the pairs of the store are separate: frames 0 and 1, 2 and 3 and so on."""
    rate: Fraction = Fraction(25)
    """Flows per second."""

    def __len__(self) -> int:
        return len(self.names)

    def title(self, number: int) -> str:
        """Return what a flow is called in messages: its file, or its pair in the store."""
        return str(self.paths[number]) if self.paths else f"{self.source} pair {self.names[number]}"


def open_flows(source: str | Path) -> FlowSequence:
    """Open a flow file, a folder of flow files in natural order, a store, or a part of a store.

    Args:
        source: a part of a store is written behind `#`: `clip.flows#17` is pair 17, `clip.flows#3:9` are the pairs 3 to
            8, `clip.flows#backward` is the backward flow, `clip.flows#backward,3:9` that of these pairs.

    Raises:
        InputError: a folder without flow files, or a part that the store does not have.
        FormatError: a store cannot be read.
    """
    path, part = Path(source), ""
    if not path.exists() and "#" in path.name:
        name, _, part = path.name.rpartition("#")
        if is_store(path.with_name(name)):
            path = path.with_name(name)
    if is_store(path):
        return _of_store(path, part)
    if path.is_dir():
        paths = list_flow_files(path)
        return FlowSequence(path, tuple(file.stem for file in paths), lambda i: read_flow(paths[i]), paths=tuple(paths))
    return FlowSequence(path, (path.stem,), lambda i: read_flow(path), single=True, paths=(path,))


def _timing(known: dict[str, Any]) -> tuple[bool, int, int, Fraction]:
    """Return whether pairs are separate, the first frame, the frames from pair to pair, and the pairs per second.

    Other programs may write stores without these, so that what is missing or makes no sense has the usual values.
    """
    separate = known.get("pairs") == "separate"
    try:
        first, stride = int(known.get("start", 0)), 2 if separate else int(known.get("step", 1))
        rate = Fraction(known.get("source", {}).get("rate", 25)) / stride
    except (ValueError, TypeError, AttributeError, ZeroDivisionError):
        return separate, 0, 1, Fraction(25)
    return (separate, first, stride, rate) if first >= 0 and stride > 0 and rate > 0 else (separate, 0, 1, Fraction(25))


def is_store(path: Path) -> bool:
    """Return whether a path is a flow store, in a folder or packed."""
    if path.is_dir():
        return (path / INDEX).is_file() or any(covered(entry.name) is not None for entry in path.iterdir())
    return path.is_file() and path.suffix.lower() == ".mkv"


def _of_store(path: Path, part: str) -> FlowSequence:
    store = FlowStore(path)
    found = _PART.fullmatch(part)
    if found is None:
        raise InputError(f"{part!r} is no part of a store; wanted an index, START:END or backward: #backward,3:9")
    start, end = (int(found[name]) if found[name] else None for name in ("start", "end"))
    indices = range(len(store))[start:end] if found["range"] or start is None else range(start, start + 1)
    if not indices or indices.stop > len(store) or (end or 0) > len(store):
        raise InputError(f"{path} has the pairs 0 to {len(store) - 1}; {part} is not among them")
    names = tuple(store[index].name for index in indices)
    if len({*names}) < len(names):  # two outputs must not have one name
        names = tuple(f"{index:06d}" for index in indices)
    separate, first, stride, rate = _timing(store.provenance)

    def sequence(backward: bool, other: "FlowSequence | None") -> FlowSequence:
        return FlowSequence(
            path,
            names,
            lambda i: store.flow(indices[i], backward=backward),
            single=found["start"] != "" and not found["range"],
            backward=other,
            occluded=None if backward else lambda i: store[indices[i]].occluded,
            frames=range(first + indices.start * stride, first + indices.stop * stride, stride),
            separate=separate,
            rate=rate,
        )

    if found["backward"]:
        store.flow(indices[0], backward=True)  # raises an error if there is none
        return sequence(True, None)
    return sequence(False, sequence(True, None) if store.head.backward else None)
