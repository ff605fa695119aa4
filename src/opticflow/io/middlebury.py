"""Middlebury `.flo`: the tag PIEH, width and height as int32, then u and v interleaved as float32, all little-endian.

Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011; the constants are those of the
`flowIO.cpp` that comes with it.
"""

import struct

import numpy as np

from opticflow.errors import FormatError
from opticflow.io.limits import check_memory
from opticflow.shapes import FlowArray, MaskArray, as_flow

TAG = b"PIEH"
"""The float 202021.25, which also checks the byte order."""
UNKNOWN_ABOVE = 1e9
UNKNOWN = 1.666666752e9


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, or larger than `opticflow.io.limits` allows.
    """
    if data[:4] != TAG:
        raise FormatError(f"is not a Middlebury .flo file: it starts with {data[:4]!r}, not with {TAG!r}")
    if len(data) < 12:
        raise FormatError(f"is cut off: {len(data)} bytes, and the header alone has 12")
    width, height = struct.unpack_from("<ii", data, 4)
    if width < 1 or height < 1:
        raise FormatError(f"claims {width} x {height} pixels; the header is damaged")
    # 12 bytes of header, then u and v as float32
    if len(data) != 12 + 8 * width * height:
        raise FormatError(
            f"claims {width} x {height} pixels, {12 + 8 * width * height} bytes, but has {len(data)}; "
            "it is cut off or damaged"
        )
    check_memory(f"a flow of {width} x {height} pixels", 3 * len(data))
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)  # H x W x 2, pixels
    # NaN compares as False, so it counts as unknown too
    return as_flow(flow, np.all(np.abs(flow) <= UNKNOWN_ABOVE, axis=2))


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file.

    Raises:
        FormatError: a known value is so large that readers take it for unknown.
    """
    if (largest := float(np.abs(flow).max())) > UNKNOWN_ABOVE:
        raise FormatError(
            f"cannot hold a flow of {largest:.4g} px: .flo means unknown by values over 1e9; mark it unknown"
        )
    height, width = valid.shape
    # H x W x 2; unknown pixels get a value that every reader takes for unknown
    values = np.where(valid[..., None], flow, np.float32(UNKNOWN)).astype("<f4")
    return TAG + struct.pack("<ii", width, height) + values.tobytes()
