"""Check whether the compressed data of a TIFF is complete: libtiff silently leaves missing data black."""

import zlib

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError
from opticflow.io.tiff import Page

_WIDTHS, _PLACES, _SIZES, _ROWS = (322, 256), (324, 273), (325, 279), (323, 278)
"""Tags of width, offsets, sizes and rows: for tiles, and for strips."""
_COMPRESSION, _COLOUR, _FILL_ORDER, _ORIENTATION, _PLANES = 259, 262, 266, 274, 284
_LZW, _JPEG, _DEFLATE, _PACKBITS = (5,), (7,), (8, 32946), (32773,)
_YCBCR, _APART = 6, 2


def check_decoded(data: bytes | bytearray, page: Page, image: Shaped[np.ndarray, "..."]) -> None:
    """Raise an error for a page with a strip or tile that unpacks to less data than it should, or not at all.

    Deflate is unpacked once more, for its checksums. Other compressions have none. Their strips are checked only if the
    last row has a single colour, as it has if data is missing, or if the page is stored rotated.

    Raises:
        FormatError: strips that are cut off, damaged or missing.
    """
    tags = page.tags
    compression = tags.get(_COMPRESSION, (1,))[0]
    if compression not in (*_LZW, *_JPEG, *_DEFLATE, *_PACKBITS) or tags.get(_FILL_ORDER, (1,))[0] != 1:
        return
    if tags.get(_COLOUR, (0,))[0] == _YCBCR and compression not in _JPEG:  # subsampled
        return
    tiled = _PLACES[0] in tags
    # tags of tiles come first in each pair, those of strips second
    width, places, sizes, rows = (tags.get(pair[0 if tiled else 1], ()) for pair in (_WIDTHS, _PLACES, _SIZES, _ROWS))
    wide, high = (width or (page.width,))[0], min((rows or (page.height,))[0], page.height if not tiled else 2**31)
    if wide < 1 or high < 1:
        raise FormatError("is damaged: the TIFF has strips without rows")
    apart = tags.get(_PLANES, (1,))[0] == _APART
    # PlanarConfiguration 2: every sample has strips of its own
    samples, planes = (1, page.samples) if apart else (page.samples, 1)
    # tiles in a row and rows of tiles; strips are as wide as the page
    across, down = -(-page.width // wide), -(-page.height // high)
    if min(len(places), len(sizes)) < across * down * planes:
        raise FormatError(f"is damaged: the TIFF lists {len(places)} of its {across * down * planes} strips")
    upright = tags.get(_ORIENTATION, (1,))[0] == 1
    for i in range(across * down * planes):
        top, left = i // across % down * high, i % across * wide
        count = high if tiled else min(high, page.height - top)
        # bytes of the unpacked strip, whose rows end at whole bytes
        wanted = count * -(-wide * samples * page.bits // 8)
        if upright and compression not in _DEFLATE:
            # last row of the strip: pixels, or pixels x channels
            last = image[min(top + high, page.height) - 1, left : left + wide]
            if (last != last[:1]).any():
                continue
        strip = bytes(data[places[i] : places[i] + sizes[i]])
        if compression in _JPEG:
            found, wanted = _rows_of_jpeg(strip), count
        else:
            unpack = _deflated if compression in _DEFLATE else _lzw_size if compression in _LZW else _packbits_size
            found = unpack(strip, wanted)
        if found < wanted:
            raise FormatError(f"is cut off or damaged: the TIFF holds no data for rows from {top} on, or not all of it")


def _deflated(strip: bytes, wanted: int) -> int:
    unpacker = zlib.decompressobj()
    try:
        # one byte more than wanted, so that the end of the stream and its checksum are reached
        return len(unpacker.decompress(strip, wanted + 1)) if strip else 0
    except zlib.error as error:
        raise FormatError(f"is damaged: a strip of the TIFF cannot be unpacked ({error})") from error


def _packbits_size(strip: bytes, wanted: int) -> int:
    size, place = 0, 0
    while place < len(strip) and size < wanted:
        # TIFF 6.0, section 9: n < 128 copies n + 1 bytes, n > 128 repeats a byte 257 - n times, 128 does nothing
        code = strip[place]
        if code < 128:
            size += min(code + 1, len(strip) - place - 1)
            place += code + 2
        else:
            size += 0 if code == 128 or place + 1 == len(strip) else 257 - code
            place += 2
    return size


def _lzw_size(strip: bytes, wanted: int) -> int:
    """Return the unpacked size of LZW data, computed from the lengths of its words alone."""
    if strip[:1] == b"\0" and len(strip) > 1 and strip[1] & 1:  # bit order of very old files: not checked
        return wanted
    # TIFF 6.0, section 13: codes of 9 to 12 bits, with one to clear the table and one for the end
    clear, end = 256, 257
    lengths, before, size = [1] * 258, 0, 0
    bits, held, waiting = 9, 0, 0
    for byte in strip:
        waiting, held = waiting << 8 | byte, held + 8
        if held < bits:
            continue
        held -= bits
        code, waiting = waiting >> held, waiting & (1 << held) - 1
        if code == clear:
            lengths, before, bits = [1] * 258, 0, 9
            continue
        if code == end or code > len(lengths) or (code == len(lengths) and not before):
            break
        # a code that is not yet in the table means the last word followed by its first byte
        length = lengths[code] if code < len(lengths) else before + 1
        size += length
        if size >= wanted:
            break
        if before:
            lengths.append(before + 1)
        before = length
        # TIFF changes to longer codes one entry early
        bits = max(9, min(12, (len(lengths) + 1).bit_length()))
    return size


def _rows_of_jpeg(strip: bytes) -> int:
    place = 2
    while place + 9 <= len(strip) and strip[place] == 0xFF:
        # the start-of-frame segment holds the number of rows
        if 0xC0 <= strip[place + 1] <= 0xCF and strip[place + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(strip[place + 5 : place + 7])
        place += 2 + int.from_bytes(strip[place + 2 : place + 4])
    return 0
