"""Checks of a PNG before it is decoded, and removal of chunks that the decoder must not see."""

import struct
import zlib
from dataclasses import dataclass

from opticflow.errors import FormatError
from opticflow.io.contents import DEFLATE_LIMIT

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# colour type -> samples per pixel: grey, RGB, palette, grey with alpha, RGB with alpha
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DECODED = (b"tRNS", b"eXIf")
"""Optional chunks that are passed to the decoder."""


@dataclass(frozen=True)
class Png:
    """A PNG that has been checked and is complete."""

    width: int
    height: int
    sample_bytes: int
    """Bytes per decoded sample: 1, or 2 for 16 bits."""
    data: bytes
    """The file with only those chunks that all decoders interpret alike: without the other pictures of an animation, of
    which OpenCV may return one that is not the file's main picture; without colour profiles and the like, which change
    nothing but make libpng print warnings; and with EXIF in its own chunk, if an older program wrote it as text."""


def check_png(data: bytes) -> Png:
    """Return what the decoder needs, or raise an error for a PNG that is cut off, damaged, or declares more pixels than
    its bytes can contain.

    The decoder would notice this too, but only after it has allocated the picture, and with its own messages.

    Raises:
        FormatError: it is not complete.
    """
    if not data.startswith(SIGNATURE):
        raise FormatError(f"is not a PNG file: it starts with {data[:8]!r}")
    position, kind, header = len(SIGNATURE), b"", (0, 0, 0, 0)
    kept, exif, dropped = [SIGNATURE], b"", False
    while kind != b"IEND":
        # a chunk (PNG specification, section 5.3): length, type, data, checksum; all but the data have 4 bytes
        if position + 12 > len(data):
            raise FormatError("is cut off: the PNG ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise FormatError(f"is cut off or damaged: its chunk at byte {position} goes beyond the end of the file")
        critical = not kind[0] & 0x20  # lower case marks optional chunks
        # the checksum covers type and data, but not the length
        whole = zlib.crc32(memoryview(data)[position + 4 : end - 4]) == int.from_bytes(data[end - 4 : end])
        if critical and not whole:
            raise FormatError(f"is damaged: the checksum of its chunk at byte {position} is wrong")
        if (kind == b"IHDR") != (position == len(SIGNATURE)) or (kind == b"IHDR" and length != 13):
            raise FormatError("is damaged: a PNG begins with one header of 13 bytes")
        if kind == b"IHDR":
            width, height, depth, colour = header = struct.unpack_from(">IIBB", data, position + 8)
            # bytes of the unpacked picture
            pixels = height * (width * depth * _CHANNELS.get(colour, 1) // 8)
            if width < 1 or height < 1 or pixels > DEFLATE_LIMIT * len(data):
                raise FormatError(f"claims {width} x {height} pixels, more than {len(data)} bytes can hold")
        if kind in (b"tEXt", b"zTXt"):
            exif = exif or _exif_in_text(kind, data[position + 8 : end - 4])
        elif kind == b"eXIf" and whole:
            exif = b"there already"
        # only chunks that decoders need are kept
        if not critical and not (kind in _DECODED and whole):
            dropped = True
        else:
            kept.append(data[position:end])
        position = end
    if exif not in (b"", b"there already"):
        # after the signature and the header, because EXIF must come before the pixels
        kept.insert(2, _chunk(b"eXIf", exif))
        dropped = True
    return Png(header[0], header[1], 2 if header[2] == 16 else 1, b"".join(kept) if dropped else data)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _exif_in_text(kind: bytes, body: bytes) -> bytes:
    """Return EXIF data that ImageMagick, before PNG had a chunk for it, wrote as hexadecimal digits into a text chunk
    `Raw profile type exif`; empty if there is none."""
    key, _, text = body.partition(b"\0")
    if key not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return b""
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], 1 << 18)  # two digits for each of at most 64 kB
        digits = text.split(maxsplit=2)[2]  # after the name and the length
        exif = bytes.fromhex(digits.decode("ascii"))
    except (zlib.error, IndexError, ValueError):
        return b""
    start = exif.find(b"Exif\0\0")
    return exif[start + 6 :] if start >= 0 else b""
