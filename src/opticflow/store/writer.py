"""Write the segments of a store, and its index `store.json`."""

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from opticflow.errors import FormatError, InputError
from opticflow.io.atomic import make_folder, write_bytes
from opticflow.ops.arrays import occlusion
from opticflow.shapes import FlowArray, MaskArray
from opticflow.store.format import (
    CUT,
    HIDDEN_BEFORE,
    HIDDEN_NEXT,
    UNKNOWN_BACKWARD,
    UNKNOWN_FORWARD,
    Description,
    Entry,
    Flags,
    Head,
    milliseconds,
    to_values,
)
from opticflow.store.places import INDEX, MOST_PAIRS, covered, segment_name
from opticflow.store.segment import Packets, PairEncoder, write_segment


class SegmentWriter:
    """Encodes pairs one by one, and writes them as one file of a store.

    Args:
        folder: the store; made if it is not there.
        error: largest rounding error, in pixels.
        provenance: where the flow comes from; values that JSON can hold.
        computed: the device and the number format that compute the flow.
        lock: held while the index is changed, where several processes write to the store.
    """

    def __init__(
        self,
        folder: Path,
        error: Fraction,
        provenance: dict[str, Any],
        *,
        computed: dict[str, str] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ):
        self.folder, self._error, self._provenance = folder, error, provenance
        self._computed, self._lock = computed or {}, lock or nullcontext()
        self._encoder: PairEncoder | None = None
        self._entries: list[Entry] = []
        self._packets: list[Packets] = []
        self._left_out: list[int] = []
        self._damaged: list[int] = []

    def add(
        self,
        index: int,
        name: str,
        time: float,
        forward: FlowArray,
        backward: FlowArray | None = None,
        *,
        occluded: MaskArray | None = None,
        cut: bool = False,
        damaged: bool = False,
    ) -> None:
        """Append a pair.

        Args:
            index: its position in the store; larger than that of the pair before.
            name: name of the first frame.
            time: presentation time of the first frame, in seconds.
            forward: flow from the first frame to the second, H x W x 2 in pixels; NaN where unknown.
            backward: flow from the second frame to the first.
            occluded: mask of the pixels of the first frame that are hidden in the second; computed if not given.
            cut: whether the scene changes between the frames.
            damaged: whether the flow may be wrong, because a frame is damaged.

        Raises:
            InputError: flow of another size, or out of range.
        """
        height, width = forward.shape[:2]
        if self._encoder is None:
            head = Head(self._error, width, height, backward is not None, self._provenance)
            self._encoder = PairEncoder(head)
        head = self._encoder.head
        if (height, width, backward is not None) != (head.height, head.width, head.backward):
            raise InputError(
                f"pair {index} is {width}x{height} and those before it are {head.width}x{head.height}; the flow of a "
                "store is of one size, with backward flow everywhere or nowhere"
            )
        flags, planes = _planes(forward, backward, occluded, cut, self._error, index)
        packets, digests = self._encoder.encode(*planes, flags)
        stamp = milliseconds(time, self._entries[-1].time if self._entries else None)
        occurring = int(np.bitwise_or.reduce(flags, axis=None))
        self._entries.append(Entry(index, name, stamp, occurring, digests))
        self._packets.append(packets)
        if damaged:
            self._damaged.append(index)

    def leave_out(self, index: int) -> None:
        """Note that a pair has no flow."""
        self._left_out.append(index)

    def write(self) -> Path | None:
        """Write the file and note it in the index; files whose pairs are all in it are removed.

        Returns:
            The file; None if no pair has flow, which is only noted in the index.

        Raises:
            FormatError: it cannot be written.
        """
        make_folder(self.folder)
        indices = sorted([*(entry.index for entry in self._entries), *self._left_out])
        if not indices:
            return None
        path = None
        if self._encoder is not None:
            description = Description(
                self._encoder.head, tuple(self._entries), tuple(self._left_out), tuple(self._damaged), self._computed
            )
            path = self.folder / segment_name(indices[0], indices[-1])
            write_segment(path, description, self._packets)
        with self._lock:
            note_segment(self.folder, indices[0], indices[-1], path, self._encoder and self._encoder.head)
        return path


def note_segment(folder: Path, first: int, last: int, path: Path | None, head: Head | None) -> None:
    """Note a file in the index of its store, and remove the files whose pairs are all in it."""
    index = read_index(folder)
    for old in list(folder.iterdir()):
        pairs = covered(old.name)
        if pairs is not None and old != path and first <= pairs.start and pairs.stop - 1 <= last:
            old.unlink()
    segments = [segment for segment in index["segments"] if not (first <= segment[0] and segment[1] <= last)]
    segments.append([first, last, path and path.name, path and file_digest(path)])
    index = {**(head.to_json() if head else index), "segments": sorted(segments, key=lambda segment: segment[:2])}
    write_bytes(folder / INDEX, (json.dumps(index, indent=1) + "\n").encode())


def read_index(folder: Path) -> dict[str, Any]:
    """Return the index of a store; without segments if there is none.

    Raises:
        FormatError: it is damaged.
    """
    path = folder / INDEX
    if not path.exists():
        return {"segments": []}
    try:
        index = json.loads(path.read_bytes())
        for first, last, name, digest in index["segments"]:
            words = isinstance(name, str) and isinstance(digest, str) and covered(name) is not None
            named = words or (name is None and digest is None)
            if not (named and isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < MOST_PAIRS):
                raise ValueError("segment")
        return index
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path} is damaged") from error


def complete_until(folder: Path) -> int:
    """Return the number of pairs, from the first, whose files are there as they were written."""
    done = 0
    for first, last, name, digest in read_index(folder)["segments"]:
        path = folder / str(name)
        if first != done or (name is not None and not (path.is_file() and file_digest(path) == digest)):
            break
        done = last + 1
    return done


def store_files(folder: Path) -> list[Path]:
    """Return the files of the store in a folder that exist."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name == INDEX or covered(path.name) is not None)


def has_files(folder: Path) -> bool:
    """Return whether there is a file with flow in the folder of a store."""
    return any(covered(path.name) is not None for path in store_files(folder))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _planes(
    forward: FlowArray,
    backward: FlowArray | None,
    occluded: MaskArray | None,
    cut: bool,
    error: Fraction,
    index: int,
) -> tuple[Flags, list[np.ndarray]]:
    """Return the flags and the values of each direction."""
    flags = np.full(forward.shape[:2], CUT if cut else 0, np.uint8)
    planes = []
    for flow, bit in ((forward, UNKNOWN_FORWARD), (backward, UNKNOWN_BACKWARD)):
        if flow is None:
            continue
        try:
            values, known = to_values(flow, error)
        except InputError as wrong:
            raise InputError(f"pair {index}: {wrong}") from wrong
        planes.append(values)
        flags[~known] |= bit
    if backward is not None:
        hidden = occlusion(forward, backward) if occluded is None else occluded
        flags[hidden] |= HIDDEN_NEXT
        flags[occlusion(backward, forward)] |= HIDDEN_BEFORE
    return flags, planes
