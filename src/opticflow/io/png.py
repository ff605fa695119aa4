"""What must be checked in a PNG before a decoder gets it."""

import struct
import zlib

from opticflow.errors import FormatError
from opticflow.io.contents import DEFLATE_LIMIT

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def check_png(data: bytes) -> None:
    """Refuse a PNG that is cut off, damaged, or claims more pixels than its bytes can hold.

    The decoder would notice too, but only after it has allocated the picture, and with messages of its own.

    Raises:
        FormatError: it is not complete.
    """
    if not data.startswith(SIGNATURE):
        raise FormatError(f"is not a PNG file: it starts with {data[:8]!r}")
    position, kind, pixels = len(SIGNATURE), b"", 0
    while kind != b"IEND":
        if position + 12 > len(data):
            raise FormatError("is cut off: the PNG ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise FormatError(f"is cut off or damaged: its chunk at byte {position} goes beyond the end of the file")
        critical = not kind[0] & 0x20  # lower case marks chunks that a picture can do without
        if critical and zlib.crc32(memoryview(data)[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise FormatError(f"is damaged: the checksum of its chunk at byte {position} is wrong")
        if kind == b"IHDR" and length >= 10:
            width, height, depth, colour = struct.unpack_from(">IIBB", data, position + 8)
            pixels = height * (width * depth * _CHANNELS.get(colour, 1) // 8)
            if pixels > DEFLATE_LIMIT * len(data):
                raise FormatError(f"claims {width} x {height} pixels, more than {len(data)} bytes can hold")
        position = end
