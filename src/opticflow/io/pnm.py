"""Netpbm's `.pbm`, `.pgm` and `.ppm`: grey or colour pictures whose white is given in the header (maxval)."""

import re

import numpy as np
from jaxtyping import Shaped, UInt8

from opticflow.errors import FormatError
from opticflow.io.limits import check_memory

SIGNATURES = tuple(b"P%d" % kind for kind in range(1, 7))
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_SIZE = re.compile(rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})")
_MAXVAL = re.compile(_GAP + rb"(\d{1,9})")
_LAST_GAP = re.compile(rb"\s")


def decode(data: bytes) -> UInt8[np.ndarray, "height width channels"]:
    """Return the picture with 8 bits per channel, white at 255.

    Raises:
        FormatError: cut off, damaged, more than one picture, or larger than `opticflow.io.limits` allows.
    """
    size = _SIZE.match(data)
    if size is None:
        raise FormatError(f"is not a Netpbm picture: it starts with {data[:16]!r}")
    kind, width, height = (int(group) for group in size.groups())
    # P1 to P3 are text, P4 to P6 binary; 1 and 4 are bitmaps, 2 and 5 grey, 3 and 6 RGB
    bitmap, channels = kind in (1, 4), 3 if kind in (3, 6) else 1
    position, white = size.end(), 1
    if not bitmap:
        found = _MAXVAL.match(data, position)
        white, position = (int(found[1]), found.end()) if found else (0, position)
    gap = _LAST_GAP.match(data, position)
    if gap is None or width < 1 or height < 1 or not 1 <= white <= 65535:
        raise FormatError(f"claims {width} x {height} pixels with {white} for white; the header is damaged")
    # binary values have two bytes, the high one first, if maxval is above 255
    wide = 2 if white > 255 else 1
    # each row of a binary bitmap ends at a whole byte
    wanted = height * (-(-width // 8) if kind == 4 else width * channels * wide)
    if len(data) - gap.end() < (wanted if kind >= 4 else width * height * channels):
        raise FormatError(f"claims {width} x {height} pixels, more than its {len(data)} bytes hold; it is cut off")
    check_memory(
        f"a picture of {width} x {height} pixels", len(data) + width * height * channels * (4 * wide + 8 * (kind < 4))
    )
    if kind >= 4:
        if re.match(rb"\s*P[1-7]\s", data[gap.end() + wanted : gap.end() + wanted + 99]):
            raise FormatError("holds more than one picture; write each to a file of its own")
        values = np.frombuffer(data, ">u2" if wide == 2 else np.uint8, wanted // wide, gap.end())
        if kind == 4:
            values = np.unpackbits(values.reshape(height, -1), axis=1)[:, :width]
    else:
        values = _plain(data[gap.end() :], width * height * channels, bitmap)
    if (largest := int(values.max())) > white:
        raise FormatError(f"holds the value {largest}, and its header says that {white} is white; it is damaged")
    values = values.reshape(height, width, channels)  # H x W x channels
    if bitmap:
        # in a bitmap 1 is black
        return np.where(values, np.uint8(0), np.uint8(255))
    return values.astype(np.uint8) if white == 255 else to_bytes(values, white)


def to_bytes(values: Shaped[np.ndarray, "..."], white: int) -> UInt8[np.ndarray, "..."]:
    """Scale values from 0 to `white` (at most 65535) to 0 to 255."""
    # uint32 holds 65535 x 255; half of the divisor is added in order to round
    scaled = values.astype(np.uint32)
    scaled *= 255
    scaled += white // 2
    scaled //= white
    return scaled.astype(np.uint8)


def _plain(text: bytes, count: int, bitmap: bool) -> np.ndarray:
    """Parse values written as decimal numbers; the digits of a bitmap need no separators."""
    text = re.sub(rb"#[^\r\n]*", b"", text)
    if re.search(rb"[^0-9\s]", text):
        raise FormatError("is damaged: wanted decimal numbers and nothing else")
    if bitmap:
        values = np.frombuffer(re.sub(rb"\s", b"", text), np.uint8) - np.uint8(ord("0"))
    else:
        values = np.fromstring(text.decode("ascii"), np.int64, sep=" ")
    if len(values) != count:
        raise FormatError(f"holds {len(values)} values of {count}; it is cut off or damaged")
    return values
