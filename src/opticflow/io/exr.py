"""OpenEXR: flow as the float channels R = u and G = v, NaN where unknown; pictures as R, G, B in linear light.

The library OpenEXR writes messages about damaged files to the standard error of the whole process, and this cannot be
switched off. So files are checked before the library gets them: that they are complete, how much memory they need, and
for ZIP, the most common compression, that every block can be unpacked.
"""

import io
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from opticflow.errors import FormatError, InputError
from opticflow.io.limits import check_memory
from opticflow.io.numpy_files import as_half
from opticflow.shapes import FlowArray, MaskArray, as_flow

SIGNATURE = b"\x76\x2f\x31\x01"
_COMPRESSION_LIMIT = 4096
"""Largest compression factor of OpenEXR."""
_SIZES = {0: 4, 1: 2, 2: 4}
"""Bytes of an integer, a half and a float."""
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Rows per block for each compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB."""
_ZIPS = (2, 3)
_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    top: int
    lines: int
    """Rows per block; 0 for tiles, several parts, or an unknown compression."""
    compressed: bool
    zipped: bool
    channels: dict[str, int]
    """Bytes per value, by channel."""
    tile_bytes: int
    """Bytes of a full tile, decoded; 0 if there are none."""
    end: int
    """Offset of the list of blocks."""


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, without the channels R and G, or larger than `opticflow.io.limits`
            allows.
        InputError: OpenEXR is not installed.
    """
    return as_flow(decode_channels(data, ("R", "G")))


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file with float32 channels.

    Raises:
        InputError: OpenEXR is not installed.
    """
    return _write(np.where(valid[..., None], flow, np.float32(np.nan)))


def encode_half(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file with half-precision channels (11 significant bits).

    Raises:
        FormatError: a known value beyond 65504 px.
        InputError: OpenEXR is not installed.
    """
    return _write(as_half(flow, valid))


def decode_picture(data: bytes) -> Float32[np.ndarray, "height width channels"]:
    """Return the channels R, G, B, or the only channel Y, converted from linear light to sRGB, in [0, 1].

    Highlights above 1 become white, and values below 0 black. The curve is the same for every file, so that the frames
    of a clip match.

    Raises:
        FormatError: see `decode_channels`; also if the picture contains NaN.
        InputError: see `decode_channels`.
    """
    header = _read_header(data)
    grey = "Y" in header.channels and "R" not in header.channels
    # H x W x 1 or H x W x 3, linear light
    light = decode_channels(data, ("Y",) if grey else ("R", "G", "B"))
    if np.isnan(light).any():
        raise FormatError("contains NaN; give values that are numbers")
    np.clip(light, 0, 1, out=light)
    # the curve of sRGB (IEC 61966-2-1): a line near black, above it a power of 1 / 2.4
    low = light <= 0.0031308
    curve = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(low, np.float32(12.92) * light, curve)


def decode_channels(data: bytes, names: Sequence[str]) -> Float32[np.ndarray, "height width channels"]:
    """Return the named channels, stacked along the last axis.

    Raises:
        FormatError: not an OpenEXR file, cut off, without one of the channels, or larger than `opticflow.io.limits`
            allows.
        InputError: OpenEXR is not installed.
    """
    header = _read_header(data)
    if missing := [name for name in names if name not in header.channels]:
        raise FormatError(f"holds the channels {', '.join(sorted(header.channels))}, and not {', '.join(missing)}")
    # bytes of an unpacked row of all channels
    row = header.width * sum(header.channels.values())
    if row * header.height > _COMPRESSION_LIMIT * len(data):
        raise FormatError(f"claims {header.width} x {header.height} pixels, more than {len(data)} bytes can hold")
    check_memory(
        f"{header.width} x {header.height} pixels of {len(header.channels)} channels",
        len(data) + row * header.height + header.tile_bytes + 24 * header.width * header.height,
    )
    if header.lines:
        _check_blocks(data, header, row)
    openexr = _openexr()
    import Imath  # comes with OpenEXR

    try:
        planes = openexr.InputFile(io.BytesIO(data)).channels(list(names), Imath.PixelType(Imath.PixelType.FLOAT))
        stacked = [np.frombuffer(plane, np.float32).reshape(header.height, header.width) for plane in planes]
    except Exception as error:  # OpenEXR's errors for damaged files have no common type
        raise FormatError(f"cannot be decoded as OpenEXR; it is cut off or damaged ({error})") from error
    return np.stack(stacked, axis=-1)  # H x W x channels


def _read_header(data: bytes) -> _Header:
    if not data.startswith(SIGNATURE):
        raise FormatError(f"is not an OpenEXR file: it starts with {data[:4]!r}")
    try:
        (version,) = struct.unpack_from("<I", data, 4)
        if version & _DEEP:
            raise FormatError("is an OpenEXR file of deep pixels; wanted one value a channel and pixel")
        # file layout of OpenEXR: magic number, version with flags, then attributes up to a zero byte, each with name,
        # type, size and value
        attributes, position = {}, 8
        while data[position] != 0:
            name, position = _text(data, position)
            _, position = _text(data, position)
            (size,) = struct.unpack_from("<I", data, position)
            attributes[name], position = data[position + 4 : position + 4 + size], position + 4 + size
        left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
        # the data window includes its last column and row
        width, height, compression = right - left + 1, bottom - top + 1, attributes["compression"][0]
        channels = _channels(attributes["channels"])
        across, down = struct.unpack_from("<II", attributes["tiles"]) if "tiles" in attributes else (0, 0)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise FormatError(f"cannot be decoded as OpenEXR; its header is cut off or damaged ({error!r})") from error
    if width < 1 or height < 1:
        raise FormatError(f"claims {width} x {height} pixels; the header is damaged")
    return _Header(
        width,
        height,
        top,
        lines=0 if version & (_TILED | _PARTS) else _LINES.get(compression, 0),
        compressed=compression != 0,
        zipped=compression in _ZIPS,
        channels=channels,
        tile_bytes=across * down * sum(channels.values()),
        end=position + 1,
    )


def _text(data: bytes, start: int) -> tuple[str, int]:
    """Return a zero-terminated text, and the offset after it."""
    end = data.index(0, start, start + 256)
    return data[start:end].decode("latin-1"), end + 1


def _channels(listed: bytes) -> dict[str, int]:
    channels, position = {}, 0
    while listed[position] != 0:
        name, position = _text(listed, position)
        # after the name: pixel type, 4 bytes that do not matter here, sampling in x and y
        kind, _, across, down = struct.unpack_from("<I4s2i", listed, position)
        if (across, down) != (1, 1):
            raise FormatError(f"has the subsampled channel {name}; wanted one value for each pixel")
        channels[name], position = _SIZES[kind], position + 16
    return channels


def _check_blocks(data: bytes, header: _Header, row_bytes: int) -> None:
    """Raise an error if the file does not contain every row once, or if a ZIP block cannot be unpacked."""
    count = math.ceil(header.height / header.lines)
    if header.end + 8 * count > len(data):
        raise FormatError("is cut off: it ends before the list of its blocks does")
    tops = set()
    # the offset table: the offset of each block in the file, 8 bytes each
    for place in struct.unpack_from(f"<{count}Q", data, header.end):
        if place + 8 > len(data):
            raise FormatError("is cut off or damaged: it refers to places beyond its end")
        # a block begins with the number of its first row and the size of its data
        row, size = struct.unpack_from("<iI", data, place)
        if place + 8 + size > len(data):
            raise FormatError("is cut off: its last rows are missing")
        tops.add(top := row - header.top)
        wanted = row_bytes * min(header.lines, header.height - top)
        # a block that would not become smaller is stored unpacked, at its full size
        if header.zipped and size < wanted:
            packed = memoryview(data)[place + 8 : place + 8 + size]
            try:
                # one byte more than wanted shows whether there is too much, without unpacking all of it
                found = len(zlib.decompressobj().decompress(packed, max(wanted, 0) + 1))
            except zlib.error as error:
                raise FormatError(f"is damaged: a block of its pixels cannot be unpacked ({error})") from error
            if found != wanted:
                raise FormatError(f"is damaged: a block of its pixels has {found} bytes; wanted {wanted}")
        elif size > wanted or (not header.compressed and size != wanted):
            raise FormatError(f"is damaged: a block of its pixels has {size} bytes; wanted {wanted}")
    if tops != set(range(0, header.height, header.lines)):
        raise FormatError("is damaged: it does not hold every row once")


def _write(values: np.ndarray) -> bytes:
    openexr = _openexr()
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    channels = {name: np.ascontiguousarray(values[..., i]) for i, name in enumerate(("R", "G"))}
    buffer = io.BytesIO()
    with openexr.File(header, channels) as file:
        file.write(buffer)
    return buffer.getvalue()


def _openexr():
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError(".exr files need OpenEXR: pip install 'opticflow[exr]'") from error
    return OpenEXR
