"""Checks of a JPEG 2000 (`.jp2`) before it is decoded."""

import struct
from dataclasses import dataclass

from opticflow.errors import FormatError

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_START, _TILE = b"\xff\x4f\xff\x51", b"\xff\x90"
_MOST_TILES = 65535
_SRGB, _GREY = 16, 17


@dataclass(frozen=True)
class Jpeg2000:
    """What the headers of a JPEG 2000 declare."""

    width: int
    height: int
    components: int
    sample_bytes: int

    @property
    def decoder_bytes(self) -> int:
        """Bytes per pixel that the decoder uses: 32-bit numbers, twice, and the picture."""
        return 8 * self.components + 3 * self.sample_bytes


def check_jpeg2000(data: bytes) -> Jpeg2000:
    """Return what the headers declare, or raise an error for a kind that OpenCV reads in wrong colours or not at all.

    Raises:
        FormatError: cut off, damaged, or of another kind: a palette, a colour space that is neither RGB nor grey,
            subsampled channels, or channels that are not unsigned with 8 or 16 bits.
    """
    boxes = _boxes(data, 0, len(data))
    header, (start, end) = boxes.get(b"jp2h", (0, 0)), boxes.get(b"jp2c", (0, 0))
    inner = _boxes(data, *header)
    if b"pclr" in inner:
        raise FormatError("is a JPEG 2000 with a palette, which is not read; save it as .png")
    colour, _ = inner.get(b"colr", (0, 0))
    # colr box: method 1 is an enumerated colour space, given in 4 bytes (I.5.3.3)
    if data[colour : colour + 1] == b"\1" and int.from_bytes(data[colour + 3 : colour + 7]) not in (_SRGB, _GREY):
        raise FormatError("is a JPEG 2000 in a colour space that is neither sRGB nor grey; save it as .png")
    if data[start : start + 4] != _START or end - start < 44:
        raise FormatError("is cut off or damaged: the JPEG 2000 has no pixels")
    # SIZ segment (ISO/IEC 15444-1, A.5.1): grid size and offset, tile size and offset, components
    right, bottom, left, top, across, down, tile_left, tile_top, components = struct.unpack_from(
        ">8IH", data, start + 8
    )
    width, height = right - left, bottom - top
    if width < 1 or height < 1 or not 1 <= components <= 4 or end - start < 42 + 3 * components:
        raise FormatError(f"claims {width} x {height} pixels of {components} channels; the JPEG 2000 is damaged")
    # tiles along both axes of the grid, rounded up
    tiles = -(-(right - tile_left) // across) * -(-(bottom - tile_top) // down) if across and down else 0
    # missing tiles would be black
    if not 1 <= tiles <= _MOST_TILES or len(_tiles(data, start + 2, end)) < tiles:
        raise FormatError(f"is cut off or damaged: the JPEG 2000 does not hold its {tiles} tiles")
    # for each component: bits - 1, and the distance between samples in x and y
    samples = {struct.unpack_from("3B", data, start + 42 + 3 * i) for i in range(components)}
    if len(samples) > 1 or not samples <= {(7, 1, 1), (15, 1, 1)}:
        raise FormatError("is a JPEG 2000 whose channels are not all of 8 or all of 16 bits; save it as .png")
    ((depth, _, _),) = samples
    return Jpeg2000(width, height, components, (depth + 1) // 8)


def _tiles(data: bytes, place: int, end: int) -> set[int]:
    """Return the numbers of the tiles that have data."""
    found: set[int] = set()
    # segments of the main header, up to the first tile part (SOT)
    while place + 12 <= end and data[place : place + 2] != _TILE:
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    while place + 12 <= end and data[place : place + 2] == _TILE:
        # SOT segment (A.4.2): number of the tile, and bytes of the tile part from its marker on
        number, size = struct.unpack_from(">HI", data, place + 4)
        found.add(number)
        place += max(size, 12) if size else end  # 0: up to the end
    return found


def _boxes(data: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return where the contents of each box begin and end; of several boxes of a kind, the first."""
    found: dict[bytes, tuple[int, int]] = {}
    while start + 8 <= end:
        # a box (I.4): length, type, contents; length 1: 8 bytes of length follow; 0: up to the end
        length, kind, head = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[start + 8 : start + 16]), 16
        stop = end if length == 0 else start + length
        if (length and length < head) or stop > end:
            raise FormatError("is cut off or damaged: the JPEG 2000 ends within a part of it")
        found.setdefault(kind, (start + head, stop))
        start = stop
    return found
