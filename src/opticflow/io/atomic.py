"""Write files atomically: a final name never shows a half-written file."""

import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from opticflow.errors import FormatError

_UNFINISHED = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part(\.\w+)?")


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, keep_suffix: bool = False) -> Iterator[Path]:
    """Return a context with a temporary path beside `path`, which is renamed to it when the block succeeds and removed
    when it fails.

    The temporary name is `.NAME.RANDOM.part`: shells hide it, patterns such as `*.flo` do not match it, and others
    cannot predict it and put a link in its place. `remove_unfinished` removes what a killed process leaves. A symbolic
    link at the final name is followed.

    Args:
        path: the final name; its folder must exist.
        keep_suffix: use `.NAME.RANDOM.part.SUFFIX` instead, for writers that choose the format by the suffix.

    Raises:
        FormatError: the file cannot be written: no folder, no permission, disk full, or not a regular file.
    """
    check_target(path)
    target = Path(path).resolve()
    random = secrets.token_hex(8)
    temporary = target.with_name(f".{target.name}.{random}.part{target.suffix if keep_suffix else ''}")
    try:
        # with O_EXCL the call fails if the name exists, even as a link
        os.close(os.open(str(temporary), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # as the umask sets it: some libraries replace the file by one of their own
        temporary.replace(target)
    except BaseException as error:
        _remove(temporary)
        # an error about another file, read inside the block, is passed on unchanged
        if isinstance(error, OSError) and error.filename in (None, str(temporary), os.fsencode(temporary)):
            raise FormatError(f"cannot write {path}: {error.strerror or error}") from error
        raise


def remove_unfinished(folder: str | os.PathLike[str], names: Collection[str] | None = None) -> None:
    """Remove the temporary files that a killed process left in a folder.

    Args:
        folder: the folder, to which no other process may be writing; it may be missing.
        names: remove only files that were to get one of these names; all if None.
    """
    try:
        paths = list(Path(folder).iterdir())
    except OSError:
        return
    for path in paths:
        found = _UNFINISHED.fullmatch(path.name)
        if found and (names is None or found["name"] in names):
            _remove(path)


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise an error, before long work, if a file could not be written later.

    Raises:
        FormatError: no folder, no permission for it, or not a regular file.
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FormatError(f"cannot write {path}: there is no folder {target.parent}; create it first")
    # os.path, because pathlib raises an error for a name that is too long, which the writer reports
    if os.path.lexists(target) and not os.path.isfile(target):  # noqa: PTH113
        raise FormatError(f"cannot write {path}: it is a folder or a device, not a regular file")
    if not os.access(target.parent, os.W_OK):
        raise FormatError(f"cannot write {path}: no permission to write in {target.parent}")


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file completely or not at all.

    Raises:
        FormatError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and its parents, if they do not exist.

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
    except OSError:  # the folder is gone or not accessible; the error that led here says more
        return
