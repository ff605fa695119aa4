"""Writing files so that nothing half-written ever stands under a final name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opticflow.errors import FormatError


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, keep_suffix: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well and removed when it does not.

    The temporary name is `.NAME.part`: hidden from shells, and no `*.flo` picks it up. It is always the same, so that
    what a killed process left behind is overwritten by the next attempt; two processes must not write one file at once.
    A symbolic link is followed.

    Args:
        path: the final name; its folder must exist.
        keep_suffix: `.NAME.part.SUFFIX` instead, for writers that choose the format by the suffix.

    Raises:
        FormatError: the file cannot be written: no folder, no permission, disk full, or not a regular file.
    """
    check_target(path)
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.part{target.suffix if keep_suffix else ''}")
    try:
        yield temporary
        temporary.replace(target)
    except BaseException as error:
        _remove(temporary)
        # an error about some other file, read inside the block, is not ours
        if isinstance(error, OSError) and error.filename in (None, str(temporary), os.fsencode(temporary)):
            raise FormatError(f"cannot write {path}: {error.strerror or error}") from error
        raise


def check_target(path: str | os.PathLike[str]) -> None:
    """Find out, before long work, what would keep a file from being written.

    Raises:
        FormatError: no folder, no permission for it, or not a regular file.
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FormatError(f"cannot write {path}: there is no folder {target.parent}; create it first")
    # os.path, as pathlib's own raises on a name that is too long, which the writer will find out
    if os.path.lexists(target) and not os.path.isfile(target):  # noqa: PTH113
        raise FormatError(f"cannot write {path}: it is a folder or a device, not a regular file")
    if not os.access(target.parent, os.W_OK):
        raise FormatError(f"cannot write {path}: no permission to write in {target.parent}")


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file, or nothing.

    Raises:
        FormatError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, and those it lies in, where they are not there yet.

    Raises:
        FormatError: it cannot be made, or is a file.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot make the folder {path}: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder is gone or closed to us; the error that led here says more
        return
