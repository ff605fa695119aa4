"""Read whole files, with one clear error if a file cannot be read, and check the flow arrays that they hold."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError
from opticflow.io.limits import check_memory

DEFLATE_LIMIT = 1032
"""Deflate cannot shrink data by more than this factor (zlib technical details)."""


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the contents of a file that is not empty.

    Raises:
        FormatError: the file is missing, a folder, a device, empty, not readable, or larger than `opticflow.io.limits`
            allows.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path} is a folder; give the name of a file")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe may never end
            raise FormatError("is a device or a pipe; give the name of a file")
        size = path.stat().st_size
        check_memory(f"{size} bytes", size)
        data = path.read_bytes()
    except FormatError as error:
        raise FormatError(f"{path} {error}") from error
    except FileNotFoundError:
        raise FormatError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise FormatError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if not data:
        raise FormatError(f"{path} is empty (0 bytes)")
    return data


def check_flow_array(shape: tuple[int, ...] | None, dtype: np.dtype) -> None:
    """Raise an error for an array that `flow_array` does not accept, before memory is allocated.

    Raises:
        FormatError: another shape or type.
    """
    wanted = "wanted height x width x 2 (or 2 x height x width), floating point"
    if shape is not None and len(shape) == 4 and (shape[0] > 1) and 2 in (shape[1], shape[3]):
        raise FormatError(f"holds {shape[0]} flows, an array of {shape}; write each to a file of its own")
    if shape is None or len(shape) < 3 or 0 in shape or dtype.kind != "f":
        raise FormatError(f"holds an array of {shape} {dtype}; {wanted}")
    if shape[:-3] not in ((), (1,)) or 2 not in (shape[-1], shape[-3]):
        raise FormatError(f"holds an array of {shape} {dtype}; {wanted}")


def flow_array(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "height width 2"]:
    """Return a flow array of another program as height x width x 2.

    The array may also be 2 x height x width, and have a batch axis of length 1 in front. If both orders are possible,
    the components are taken to be last.

    Raises:
        FormatError: another shape or type, or a value beyond float32.
    """
    check_flow_array(array.shape, array.dtype)
    array = array.reshape(array.shape[-3:])
    check_range(array)
    # H x W x 2
    return array if array.shape[2] == 2 else np.moveaxis(array, 0, 2)


def check_range(flow: Shaped[np.ndarray, "..."]) -> None:
    """Raise an error for known flow that float32 cannot represent, which would otherwise become unknown silently.

    Raises:
        FormatError: a finite value beyond float32.
    """
    # float16 and float32 hold nothing beyond float32
    if flow.dtype.itemsize <= 4:
        return
    finite = np.isfinite(flow)
    largest = max(float(flow.max(where=finite, initial=0)), -float(flow.min(where=finite, initial=0)))
    if largest > float(np.finfo(np.float32).max):
        raise FormatError(f"holds a flow of {largest:.4g} px, beyond float32; mark it unknown by NaN")


def one_line(error: Exception) -> str:
    """Return the message of an error as one printable line of at most 300 characters."""
    text = "".join(c if c.isprintable() else " " for c in str(error))
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:190]} ... {text[-100:]}"
