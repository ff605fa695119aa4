"""Reading files whole, with one clear error for what cannot be read, and what their contents may claim and hold."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError

DEFLATE_LIMIT = 1032
"""Deflate cannot shrink data by more than this factor (zlib technical details)."""


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


def check_range(flow: Shaped[np.ndarray, "..."]) -> None:
    """Refuse known flow that float32 cannot hold: it would become unknown without a word.

    Raises:
        FormatError: a finite value beyond float32.
    """
    largest = float(np.abs(flow, where=np.isfinite(flow), out=np.zeros_like(flow)).max())
    if largest > float(np.finfo(np.float32).max):
        raise FormatError(f"holds a flow of {largest:.4g} px, beyond float32; mark it unknown by NaN")
