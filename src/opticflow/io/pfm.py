"""PFM, as FlyingThings3D stores flow: header lines `PF`, `width height`, `scale`, then float32 rows from bottom to top.

The three channels are u, v, 0. A negative scale means little-endian. The magnitude of the scale is ignored, as in the
data set's own reader. Unknown flow is NaN.
"""

import re

import numpy as np
from jaxtyping import Float32

from opticflow.errors import FormatError
from opticflow.io.limits import check_memory
from opticflow.shapes import FlowArray, MaskArray, as_flow

_HEADER = re.compile(rb"(P[Ff])\s+(\d{1,10})\s+(\d{1,10})\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[ \t]*\r?\n")


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, or larger than `opticflow.io.limits` allows.
    """
    values = decode_channels(data)
    if values.shape[2] != 3:
        raise FormatError("is a PFM of one channel (Pf), such as a disparity; flow has three (PF): u, v and 0")
    return as_flow(values[..., :2])  # H x W x 2; the third channel is empty


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file, little-endian."""
    height, width = valid.shape
    # H x W x 3: u, v, 0
    values = np.zeros((height, width, 3), "<f4")
    values[..., :2] = np.where(valid[..., None], flow, np.float32(np.nan))
    return f"PF\n{width} {height}\n-1.0\n".encode() + values[::-1].tobytes()


def decode_channels(data: bytes) -> Float32[np.ndarray, "height width channels"]:
    """Return all channels, one or three, top row first.

    Raises:
        FormatError: not a PFM file, cut off, or larger than `opticflow.io.limits` allows.
    """
    header = _HEADER.match(data[:256])
    if header is None:
        raise FormatError(f"is not a PFM file: it starts with {data[:16]!r}, not with PF, width, height and scale")
    channels = 3 if header[1] == b"PF" else 1
    width, height, scale = int(header[2]), int(header[3]), float(header[4])
    if width < 1 or height < 1 or scale == 0:
        raise FormatError(f"claims {width} x {height} pixels with the scale {scale:g}; the header is damaged")
    found, wanted = len(data) - header.end(), 4 * width * height * channels
    if found != wanted:
        raise FormatError(
            f"claims {width} x {height} pixels, {wanted} bytes, but has {found}; it is cut off or damaged"
        )
    check_memory(f"{width} x {height} pixels", 3 * len(data))
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", offset=header.end())
    # H x W x channels, flipped to have the top row first
    return np.ascontiguousarray(values.reshape(height, width, channels)[::-1], dtype=np.float32)
