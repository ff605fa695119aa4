"""Where a store is: a folder of segments or one packed file, on a disk or at an address (fsspec)."""

import json
import re
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opticflow.errors import FormatError, InputError

INDEX = "store.json"
MOST_PAIRS = 10_000_000
"""Largest number of pairs in a store: four days at 25 frames per second. A file that claims more is damaged."""
_SEGMENT = re.compile(r"(\d{6,})-(\d{6,})\.mkv")


def segment_name(first: int, last: int) -> str:
    """Return the name of the file that covers the pairs `first` to `last`."""
    return f"{first:06d}-{last:06d}.mkv"


def covered(name: str) -> range | None:
    """Return the pairs that a file of this name covers; None if it is no segment of a store."""
    found = _SEGMENT.fullmatch(name)
    first, last = (int(found[1]), int(found[2])) if found else (0, -1)
    return range(first, last + 1) if first <= last < MOST_PAIRS else None


@dataclass(frozen=True)
class Place:
    """A folder, or the folder of a packed file, on a disk or at an address such as `s3://bucket/clip.flows`."""

    source: str
    """As the user gave it."""

    @property
    def remote(self) -> bool:
        """Whether this is an address."""
        return "://" in self.source

    def kind(self) -> str:
        """Return `folder`, `file`, or an empty string if there is nothing."""
        if not self.remote:
            path = Path(self.source)
            return "folder" if path.is_dir() else "file" if path.is_file() else ""
        system, path = self._system()
        try:
            return "folder" if system.isdir(path) else "file" if system.isfile(path) else ""
        except OSError as error:
            raise FormatError(f"cannot read {self.source}: {error.strerror or error}") from error

    def names(self) -> list[str]:
        """Return the names of the files in the folder."""
        try:
            if not self.remote:
                return [path.name for path in Path(self.source).iterdir()]
            system, path = self._system()
            return [entry.rstrip("/").rsplit("/", 1)[-1] for entry in system.ls(path, detail=False, refresh=True)]
        except OSError as error:
            raise FormatError(f"cannot read the folder {self.source}: {error.strerror or error}") from error

    def file(self, name: str = "") -> str:
        """Return the path or address of a file in the folder; of the place itself without a name."""
        if not name:
            return self.source
        return f"{self.source.rstrip('/')}/{name}" if self.remote else str(Path(self.source) / name)

    def size(self, names: list[str]) -> int:
        """Return the size of these files together."""
        if not self.remote:
            return sum(Path(self.file(name)).stat().st_size for name in names)
        system, _ = self._system()
        return sum(system.size(self.file(name)) for name in names)

    def open(self, name: str = "") -> Any:
        """Return what PyAV opens: a path, or a file opened for reading."""
        if not self.remote:
            return str(Path(self.file(name)).absolute())  # FFmpeg takes `12:30.mkv` for an address
        system, _ = self._system()
        try:
            return system.open(self.file(name), "rb")
        except OSError as error:
            raise FormatError(f"cannot read {self.file(name)}: {error.strerror or error}") from error

    def read(self, name: str) -> bytes:
        """Return the contents of a file in the folder.

        Raises:
            FormatError: it cannot be read.
        """
        try:
            if not self.remote:
                return Path(self.file(name)).read_bytes()
            system, _ = self._system()
            return system.cat_file(self.file(name))
        except OSError as error:
            raise FormatError(f"cannot read {self.file(name)}: {error.strerror or error}") from error

    def _system(self) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.source)
        except (ImportError, ValueError) as error:
            raise InputError(f"{self.source} cannot be opened: {error}") from error


@dataclass(frozen=True)
class Listing:
    """Which file of a store holds which pairs."""

    ranges: tuple[tuple[int, int, str | None], ...]
    """First pair, last pair and name of each file, in ascending order; no name where all pairs are left out."""

    @property
    def files(self) -> list[str]:
        """The names of the files, in the order of their pairs."""
        return [name for _, _, name in self.ranges if name is not None]

    @property
    def end(self) -> int:
        """One more than the last pair."""
        return self.ranges[-1][1] + 1

    @property
    def without_file(self) -> list[int]:
        """The pairs that are left out together with all pairs beside them."""
        return [pair for first, last, name in self.ranges if name is None for pair in range(first, last + 1)]

    def covers(self, index: int) -> bool:
        """Return whether the store covers a pair."""
        place = self._place(index)
        return place >= 0 and index <= self.ranges[place][1]

    def file_of(self, index: int) -> str | None:
        """Return the file of a pair that is covered; None if it has none."""
        return self.ranges[self._place(index)][2]

    def _place(self, index: int) -> int:
        return bisect_right(self.ranges, index, key=lambda found: found[0]) - 1


def list_segments(place: Place) -> Listing:
    """Return the files of a store in a folder.

    Raises:
        FormatError: there is none.
    """
    names = place.names()
    ranges = [(pairs, name) for name in names if (pairs := covered(name)) is not None]
    if not ranges:
        raise FormatError(f"{place.source} is no flow store: it has no file such as 000000-000031.mkv")
    if INDEX in names:
        ranges += [(pairs, None) for pairs in _without_file(place.read(INDEX))]
    # of files that overlap, which a joining of files leaves if it is killed, the longest one counts
    ranges.sort(key=lambda found: (found[0].start, -len(found[0])))
    chosen: list[tuple[int, int, str | None]] = []
    for pairs, name in ranges:
        if not chosen or pairs.stop - 1 > chosen[-1][1]:
            chosen.append((pairs.start, pairs.stop - 1, name))
    return Listing(tuple(chosen))


def _without_file(index: bytes) -> list[range]:
    """Return the ranges of pairs of an index that have no file, because all are left out; a damaged index has none."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        return [
            range(first, last + 1)
            for first, last, name, _ in json.loads(index)["segments"]
            if name is None and 0 <= first <= last < MOST_PAIRS
        ]
    return []
