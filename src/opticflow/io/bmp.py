"""Checks of a BMP before it is decoded: OpenCV reads some kinds in wrong colours."""

import struct

from opticflow.errors import FormatError

SIGNATURE = b"BM"
# bit masks of red, green and blue for each depth: 5, 6, 5 bits or 5, 5, 5 bits; 8 bits each
_MASKS = {16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)}, 32: {(0xFF0000, 0xFF00, 0xFF)}}
_DEPTHS = {0: (1, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), 3: (16, 32)}
"""Bits per pixel for each compression: none, 8-bit run-length, 4-bit run-length, channels given by bit masks."""


def check_bmp(data: bytes) -> tuple[int, int]:
    """Return width and height of a BMP, or raise an error if it is of a kind that is read wrongly.

    Raises:
        FormatError: cut off, damaged, or of another kind.
    """
    if len(data) < 54:
        raise FormatError(f"is cut off: a BMP of {len(data)} bytes")
    # BITMAPINFOHEADER, after the file header of 14 bytes: size, width, height, planes, bits, compression
    size, width, height, _, depth, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size not in (40, 52, 56, 108, 124):  # other sizes are headers of OS/2
        raise FormatError(f"is a BMP with a header of {size} bytes (OS/2), which is not read; save it as .png")
    if width < 1 or height == 0:
        raise FormatError(f"claims {width} x {height} pixels; the header is damaged")
    if depth not in _DEPTHS.get(compression, ()):
        raise FormatError(
            f"is a BMP of {depth} bits with compression {compression}, which is not read; save it as .png"
        )
    # BI_BITFIELDS: the three masks follow the first 40 bytes of the header
    if compression == 3 and len(data) >= 66 and struct.unpack_from("<III", data, 54) not in _MASKS[depth]:
        raise FormatError("is a BMP with its channels in unusual bits, which is not read; save it as .png")
    # a negative height means that the top row is stored first
    return width, abs(height)
