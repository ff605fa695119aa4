"""Where a store is: a folder of segments or one packed file, on a disk or at an address (fsspec)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opticflow.errors import FormatError, InputError

INDEX = "store.json"
_SEGMENT = re.compile(r"(\d{6,})-(\d{6,})\.mkv")


def segment_name(first: int, last: int) -> str:
    """Return the name of the file that covers the pairs `first` to `last`."""
    return f"{first:06d}-{last:06d}.mkv"


def covered(name: str) -> range | None:
    """Return the pairs that a file of this name covers; None if it is no segment of a store."""
    found = _SEGMENT.fullmatch(name)
    return range(int(found[1]), int(found[2]) + 1) if found and int(found[1]) <= int(found[2]) else None


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
