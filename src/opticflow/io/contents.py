"""Reading files whole, with one clear error for what cannot be read."""

import os
from pathlib import Path

from opticflow.errors import FormatError


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file that is not empty.

    Raises:
        FormatError: no such file, a folder, an empty file, or one that may not be read.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path} is a folder; give the name of a file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FormatError(f"there is no file {path}") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from error
    if not data:
        raise FormatError(f"{path} is empty (0 bytes)")
    return data
