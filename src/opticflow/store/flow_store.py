"""Read the flow of a clip from a store: any pair, at any place, without the others."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from operator import index as as_index
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from opticflow.errors import FormatError, InputError
from opticflow.shapes import FlowArray, MaskArray
from opticflow.store.format import (
    CUT,
    HIDDEN_BEFORE,
    HIDDEN_NEXT,
    UNKNOWN_BACKWARD,
    UNKNOWN_FORWARD,
    Entry,
    Flags,
    Head,
    to_flow,
)
from opticflow.store.places import Listing, Place, list_segments
from opticflow.store.segment import SegmentReader

MOST_OPEN = 8
"""Number of files that a store keeps open."""

Stack = Float32[np.ndarray, "channels height width"]


class FlowReader:
    """What a store and a lazily computed clip have in common: reading by the index of a pair."""

    def __len__(self) -> int:
        raise NotImplementedError

    def read(self, indices: list[int]) -> "FlowStore":
        """Return a store that holds these pairs."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> "StoredPair":
        """Return a pair; negative indices count from the end."""
        at = self._checked(index)
        return StoredPair(self.read([at]), at)

    def __iter__(self) -> Iterator["StoredPair"]:
        return (self[index] for index in range(len(self)))

    def stack(self, start: int, length: int, *, backward: bool = False) -> Stack:
        """Return the flow of consecutive pairs as channels, as two-stream networks take it.

        Args:
            start: index of the first pair.
            length: number of pairs, L.
            backward: the backward flow of each pair instead of its forward flow.

        Returns:
            2L x H x W in pixels, in the order u1, v1, u2, v2 ... (Simonyan and Zisserman 2014, section 3.1); zero where
            the flow is unknown.

        Raises:
            InputError: the stack is not within the clip, or there is no backward flow.
            FormatError: a file is damaged.

        Example:
            >>> store = opticflow.open_store("clip.flows")
            >>> store.stack(0, 2).shape
            (4, 64, 96)
        """
        if length < 1 or not 0 <= start <= len(self) - length:
            raise InputError(
                f"a stack of {length} pairs from pair {start} on is not within the {len(self)} pairs of the clip"
            )
        indices = list(range(start, start + length))
        store = self.read(indices)
        flows = [store.flow(index, backward=backward, unknown=0.0) for index in indices]
        return np.concatenate([np.moveaxis(flow, -1, 0) for flow in flows])

    def _checked(self, index: int) -> int:
        at = as_index(index)
        if not -len(self) <= at < len(self):
            raise IndexError(f"there is no pair {at}; the store has {len(self)}")  # as a sequence does: it ends loops
        return at % len(self)


@dataclass(frozen=True)
class StoredPair:
    """A pair of a store. What is asked for is read then.

    Example:
        >>> pair = opticflow.open_store("clip.flows")[1]
        >>> pair.forward.shape, pair.name, pair.cut
        ((64, 96, 2), '000001', False)
    """

    store: "FlowStore" = field(repr=False)
    index: int

    @property
    def name(self) -> str:
        """Name of the first frame: of its file, or its number in the video."""
        return self._entry.name if self._entry else f"{self.index:06d}"

    @property
    def time(self) -> float:
        """Presentation time of the first frame in seconds; NaN for a pair that is left out."""
        return self._entry.time / 1000 if self._entry else float("nan")

    @cached_property
    def forward(self) -> FlowArray:
        """Flow from the first frame to the second, H x W x 2 in pixels; NaN where it is unknown."""
        return self.store.flow(self.index)

    @cached_property
    def backward(self) -> FlowArray | None:
        """Flow from the second frame to the first; None if the store has none."""
        return self.store.flow(self.index, backward=True) if self.store.head.backward else None

    @property
    def occluded(self) -> MaskArray | None:
        """Mask of the pixels of the first frame that are hidden in the second; None without backward flow."""
        return self._mask(HIDDEN_NEXT) if self.store.head.backward else None

    @property
    def appeared(self) -> MaskArray | None:
        """Mask of the pixels of the second frame that are hidden in the first; None without backward flow."""
        return self._mask(HIDDEN_BEFORE) if self.store.head.backward else None

    @property
    def cut(self) -> bool:
        """Whether the scene changes between the two frames, so that their flow is meaningless."""
        return bool(self._entry and self._entry.flags & CUT)

    @property
    def left_out(self) -> bool:
        """Whether the pair has no flow, because one of its frames could not be decoded; it is unknown everywhere."""
        return self._entry is None

    @cached_property
    def _entry(self) -> Entry | None:
        return self.store.entry(self.index)

    def _mask(self, bit: int) -> MaskArray:
        return (self.store.flags(self.index) & bit).astype(bool)


class FlowStore(FlowReader):
    """The flow of a clip in a store; `open_store` opens one.

    It can be given to worker processes, forked or spawned: each opens the files for itself. Several threads can share
    it.

    Example:
        >>> store = opticflow.open_store("clip.flows")
        >>> len(store), store.error, store.height, store.width
        (2, Fraction(1, 64), 64, 96)
        >>> for pair in store:
        ...     print(pair.index, pair.forward.shape)
        0 (64, 96, 2)
        1 (64, 96, 2)
    """

    def __init__(self, source: str | os.PathLike[str]):
        self.place = Place(os.fspath(source))
        self._forget()
        kind = self.place.kind()
        if not kind:
            raise FormatError(f"there is no flow store {self.place.source}")
        self.packed = kind == "file"
        self._list()
        first = self._reader(self.files[0])
        self.head: Head = first.description.head

    @property
    def source(self) -> str:
        """The path or address."""
        return self.place.source

    @property
    def error(self) -> Fraction:
        """Largest rounding error of a flow component, in pixels."""
        return self.head.error

    @property
    def height(self) -> int:
        """Height of the frames in pixels."""
        return self.head.height

    @property
    def width(self) -> int:
        """Width of the frames in pixels."""
        return self.head.width

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the flow comes from: program, method, weights, settings, source."""
        return self.head.provenance

    def __len__(self) -> int:
        return self._listing.end

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}"
        return f"FlowStore({self.source!r}: {len(self)} pairs of {size}, error at most {self.error} px)"

    @property
    def files(self) -> list[str]:
        """The names of the files, in the order of their pairs; an empty name for a packed store."""
        return self._listing.files

    @property
    def missing(self) -> list[int]:
        """The pairs that no file covers, before the last one."""
        return [index for index in range(len(self)) if not self._listing.covers(index)]

    @property
    def left_out(self) -> list[int]:
        """The pairs without flow, because their frames could not be decoded. This opens all files."""
        found = [index for name in self.files for index in self._reader(name).description.left_out]
        return sorted([*found, *self._listing.without_file])

    @property
    def damaged(self) -> list[int]:
        """The pairs whose frames were damaged, so that their flow may be wrong. This opens all files."""
        return sorted(index for name in self.files for index in self._reader(name).description.damaged)

    def holds(self, index: int) -> bool:
        """Return whether the store covers this pair."""
        return self._listing.covers(index)

    def read(self, indices: list[int]) -> "FlowStore":
        return self

    def flow(self, index: int, *, backward: bool = False, unknown: float = float("nan")) -> FlowArray:
        """Return the flow of a pair, H x W x 2 in pixels, with the value `unknown` where it is unknown.

        Raises:
            InputError: there is no such pair, or no backward flow.
            FormatError: the file is damaged.
        """
        if backward and not self.head.backward:
            raise InputError(f"{self.source} holds forward flow alone; it was made without --backward")
        entry = self.entry(index)
        if entry is None:
            return np.full((self.height, self.width, 2), unknown, np.float32)
        bit = UNKNOWN_BACKWARD if backward else UNKNOWN_FORWARD
        streams = ["backward" if backward else "forward", *(["flags"] if entry.flags & bit else [])]
        planes = self._planes(index, streams)
        flow = to_flow(planes[0], self.error)
        if len(planes) > 1:
            flow[(planes[1] & bit).astype(bool)] = unknown
        return flow

    def flags(self, index: int) -> Flags:
        """Return the flags of a pair, H x W; see `format.FLAGS`."""
        entry = self.entry(index)
        if entry is None:
            return np.full((self.height, self.width), UNKNOWN_FORWARD | UNKNOWN_BACKWARD, np.uint8)
        if not entry.flags:
            return np.zeros((self.height, self.width), np.uint8)
        return self._planes(index, ["flags"])[0]

    def entry(self, index: int) -> Entry | None:
        """Return what the store says of a pair; None if it is left out.

        Raises:
            InputError: the store does not cover the pair.
        """
        with self._guard:
            reader = self._reader_of(index)
            if reader is None or index in reader.description.left_out:
                return None
            if index in reader:
                return reader.entry(index)
        raise FormatError(f"{reader.name} does not hold pair {index}, which its name promises")

    def reader(self, name: str) -> SegmentReader:
        """Return the reader of one of `files`."""
        return self._reader(name)

    def refresh(self) -> None:
        """Look again which files are there."""
        self._list()

    def close(self) -> None:
        """Close the files; they are opened again when they are needed."""
        with self._guard:
            for reader in self._open.values():
                reader.close()
            self._open.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_open", "_process")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def __enter__(self) -> "FlowStore":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._open: OrderedDict[str, SegmentReader] = OrderedDict()
        self._process = os.getpid()

    def _list(self) -> None:
        if self.packed:
            indices = self._reader("").description.indices
            if not indices:
                raise FormatError(f"{self.source} holds no pair")
            self._listing = Listing(((indices[0], indices[-1], ""),))
        else:
            self._listing = list_segments(self.place)

    @property
    def _guard(self) -> threading.RLock:
        """The lock of this process."""
        if self._process != os.getpid():
            self._forget()  # a forked process shares its parent's open files, and with them their positions
        return self._lock

    def _planes(self, index: int, streams: list[str]) -> list[np.ndarray]:
        with self._guard:
            reader = self._reader_of(index)
            assert reader is not None
            return reader.read(index, streams)

    def _reader_of(self, index: int) -> SegmentReader | None:
        """Return the reader of a pair's file; None for a pair that is left out together with those beside it.

        Raises:
            InputError: the store does not cover the pair.
        """
        name = self._file_of(index)
        try:
            return None if name is None else self._reader(name)
        except FormatError:
            if self.packed:
                raise
            self._list()  # another process may have joined the file with others
            other = self._file_of(index)
            if other == name:
                raise
            return None if other is None else self._reader(other)

    def _file_of(self, index: int) -> str | None:
        if not self._listing.covers(index):
            raise InputError(f"{self.source} does not hold pair {index}; it is not complete")
        return self._listing.file_of(index)

    def _reader(self, name: str) -> SegmentReader:
        with self._guard:
            if name not in self._open:
                reader = SegmentReader(self.place.file(name), self.place.open(name))
                if reader.description.head != getattr(self, "head", reader.description.head):
                    reader.close()
                    raise FormatError(f"{reader.name} is of another store than the files beside it")
                self._open[name] = reader
                while len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)[1].close()
            self._open.move_to_end(name)
            return self._open[name]

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def open_store(source: str | os.PathLike[str]) -> FlowStore:
    """Open a flow store for reading.

    Args:
        source: a folder such as `clip.flows`, a packed file `clip.flows.mkv`, or the address of one of them that fsspec
            knows, such as `s3://bucket/clip.flows`.

    Raises:
        FormatError: there is no store, or it is damaged.
        InputError: the address needs a package that is not installed.

    Example:
        >>> store = opticflow.open_store("clip.flows")
        >>> store[1].forward.shape
        (64, 96, 2)
    """
    return FlowStore(Path(source) if not isinstance(source, str) else source)
