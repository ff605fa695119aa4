"""OpenEXR: flow as the float channels R = u and G = v, NaN where unknown; pictures as R, G, B in [0, 1]."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import numpy as np
from jaxtyping import Float32

from opticflow.errors import FormatError, InputError
from opticflow.io.numpy_files import as_half
from opticflow.shapes import FlowArray, MaskArray, as_flow

SIGNATURE = b"\x76\x2f\x31\x01"
_COMPRESSION_LIMIT = 4096
"""No compression of OpenEXR shrinks by more."""


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Flow, zero where unknown, and where it is known.

    Raises:
        FormatError: not such a file, cut off, or without the channels R and G.
        InputError: OpenEXR is not installed.
    """
    return as_flow(decode_channels(data, ("R", "G")))


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file of float32 channels.

    Raises:
        InputError: OpenEXR is not installed.
    """
    return _write(np.where(valid[..., None], flow, np.float32(np.nan)))


def encode_half(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file of half-precision channels (11 significant bits).

    Raises:
        FormatError: a known value beyond 65504 px.
        InputError: OpenEXR is not installed.
    """
    return _write(as_half(flow, valid))


def decode_channels(data: bytes, names: Sequence[str]) -> Float32[np.ndarray, "height width channels"]:
    """The named channels, stacked.

    Raises:
        FormatError: not an OpenEXR file, cut off, or without one of the channels.
        InputError: OpenEXR is not installed.
    """
    openexr = _openexr()
    if not data.startswith(SIGNATURE):
        raise FormatError(f"is not an OpenEXR file: it starts with {data[:4]!r}")
    try:
        with _silence(), openexr.File(io.BytesIO(data), separate_channels=True, header_only=True) as file:
            low, high = file.header()["dataWindow"]
        width, height = (int(n) for n in np.subtract(high, low, dtype=np.int64) + 1)
        if width < 1 or height < 1 or 8 * width * height > _COMPRESSION_LIMIT * len(data):
            raise FormatError(f"claims {width} x {height} pixels, more than {len(data)} bytes can hold")
        with _silence(), openexr.File(io.BytesIO(data), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except FormatError:
        raise
    except Exception as error:  # what OpenEXR raises for damaged files has no common type
        raise FormatError(f"cannot be decoded as OpenEXR; it is cut off or damaged ({error})") from error
    if missing := [name for name in names if name not in channels]:
        raise FormatError(f"holds the channels {', '.join(sorted(channels))}, and not {', '.join(missing)}")
    planes = [channels[name] for name in names]
    if any(plane is None or plane.shape != (height, width) for plane in planes):
        raise FormatError("is cut off or damaged, or has subsampled channels")
    return np.stack(planes, axis=-1, dtype=np.float32, casting="unsafe")


def _write(values: np.ndarray) -> bytes:
    openexr = _openexr()
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    channels = {name: np.ascontiguousarray(values[..., i]) for i, name in enumerate(("R", "G"))}
    buffer = io.BytesIO()
    with openexr.File(header, channels) as file:
        file.write(buffer)
    return buffer.getvalue()


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing is printed, by Python or below it: OpenEXR has lines of its own about damaged files for both."""
    kept = {}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            try:
                kept[descriptor] = os.dup(descriptor)
            except OSError:  # closed, so silent already
                continue
            os.dup2(nowhere, descriptor)
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nowhere)


def _openexr():
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError(".exr files need OpenEXR: pip install 'opticflow[exr]'") from error
    return OpenEXR
