"""Checks of a TIFF before it is decoded."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from opticflow.errors import FormatError

# byte order (II little-endian, MM big-endian), then 42 for TIFF 6.0 or 43 for BigTIFF
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# tags of TIFF 6.0: size, bits and number of samples, kind of picture, sample format
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _KIND, _SIGN = 256, 257, 258, 277, 254, 339
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_REDUCED_OR_MASK = 1 | 4
_TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""TIFF's integer types, with their `struct` codes."""
_MOST_PAGES = 100_000


@dataclass(frozen=True)
class Page:
    """One page (picture) of a TIFF."""

    width: int
    height: int
    bits: int
    """Bits per sample."""
    samples: int
    floating: bool
    place: int
    """Offset of its list of tags."""
    tags: dict[int, tuple[int, ...]]
    """Its tags with integer values, by number."""


def check_tiff(data: bytes) -> list[Page]:
    """Return the pages of a TIFF, without thumbnails and masks.

    Raises:
        FormatError: cut off, damaged, or with samples that are not read: signed, or of several sizes.
    """
    pages = []
    for place, tags in _directories(data):
        # a thumbnail or a mask belongs to the page before it
        if tags.get(_KIND, (0,))[0] & _REDUCED_OR_MASK and pages:
            continue
        width, height, samples = (
            tags.get(tag, (default,))[0] for tag, default in ((_WIDTH, 0), (_HEIGHT, 0), (_SAMPLES, 1))
        )
        bits, signs = tags.get(_BITS, (1,)), tags.get(_SIGN, (_UNSIGNED,))
        if width < 1 or height < 1 or not 1 <= samples <= 64:
            raise FormatError(f"claims {width} x {height} pixels of {samples} samples; the TIFF is damaged")
        if len({*bits}) > 1 or len({*signs}) > 1:
            raise FormatError(f"is a TIFF with samples of {bits} bits; wanted the same for all channels")
        if signs[0] not in (_UNSIGNED, _FLOAT) and signs[0] != 4:  # 4: void, taken for unsigned
            raise FormatError("is a TIFF of signed numbers, of which it is not known what is black; save it unsigned")
        pages.append(Page(width, height, bits[0], samples, signs[0] == _FLOAT, place, tags))
    if not pages:
        raise FormatError("is a TIFF without a picture")
    return pages


def make_first(data: bytearray, page: Page) -> None:
    """Make a page the first of the file, in place, so that a decoder reads it."""
    order, offset, start = _header(data)
    struct.pack_into(order + offset, data, start, page.place)


def _header(data: bytes | bytearray) -> tuple[str, str, int]:
    """Return the byte order, the type of offsets, and the position at which the offset of the first page is stored."""
    order = "<" if data[:2] == b"II" else ">"
    # BigTIFF has offsets of 8 bytes, the first at byte 8; TIFF has offsets of 4 bytes, the first at byte 4
    return (order, "Q", 8) if data[2:4] in (b"+\0", b"\0+") else (order, "I", 4)


def _directories(data: bytes) -> Iterator[tuple[int, dict[int, tuple[int, ...]]]]:
    """Yield for each page the offset of its list of tags, and its tags with integer values."""
    order, offset, start = _header(data)
    # bytes for values within an entry, type of the number of entries, bytes of an entry
    number, count, entry = (8, "Q", 20) if offset == "Q" else (4, "H", 12)
    try:
        (place,) = struct.unpack_from(order + offset, data, start)
        seen: set[int] = set()
        # each list of tags ends with the offset of the next one; 0 after the last
        while place:
            if place in seen or len(seen) >= _MOST_PAGES:
                raise FormatError("is damaged: the pages of the TIFF go round in a circle")
            seen.add(place)
            (entries,) = struct.unpack_from(order + count, data, place)
            first = place + struct.calcsize(count)
            if first + entries * entry > len(data):
                raise FormatError("is cut off: the TIFF ends before its list of tags")
            yield place, dict(_tags(data, order, first, entries, entry, offset, number))
            (place,) = struct.unpack_from(order + offset, data, first + entries * entry)
    except (struct.error, OverflowError) as error:  # OverflowError: offsets of 64 bits
        raise FormatError("is cut off or damaged: the TIFF refers to places beyond its end") from error


def _tags(
    data: bytes, order: str, place: int, entries: int, entry: int, offset: str, inline: int
) -> Iterator[tuple[int, tuple[int, ...]]]:
    for start in range(place, place + entries * entry, entry):
        # an entry (TIFF 6.0, section 2): tag, type, number of values, then the values or their offset
        tag, kind, length = struct.unpack_from(order + "HH" + offset, data, start)
        if kind in _TYPES and 1 <= length <= len(data):
            values = start + entry - inline
            # values that do not fit into the entry are stored elsewhere
            if length * struct.calcsize(_TYPES[kind]) > inline:
                (values,) = struct.unpack_from(order + offset, data, values)
            yield tag, struct.unpack_from(f"{order}{length}{_TYPES[kind]}", data, values)
