"""Read and write picture files as uint8 RGB."""

import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError, InputError
from opticflow.io import bmp, exr, jpeg, jpeg2000, opencv, pfm, png, pnm, tiff, tiff_strips, webp
from opticflow.io.atomic import write_bytes
from opticflow.io.contents import one_line, read_bytes
from opticflow.io.limits import check_memory
from opticflow.shapes import Frame, MaskArray, as_frame

_WRITTEN = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
IMAGE_SUFFIXES = (*_WRITTEN, ".pgm", ".pbm", ".pnm", ".jp2", ".pfm", ".exr")
"""Suffixes that `read_image` reads; `write_image` writes those up to `.ppm`."""
VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".avi",
    ".mkv",
    ".webm",
    ".gif",
    ".mpg",
    ".mpeg",
    ".ts",
    ".wmv",
    ".flv",
    ".ogv",
)
"""Suffixes of videos. `opticflow.io.video` reads them; it writes `.mp4`."""
_ROWS = 64
"""Number of rows that are converted to 8 bits at a time."""
_DIM = 4095
"""A 16-bit picture whose largest value is not above this has at most 16 of 256 grey levels."""

Pixels = Shaped[np.ndarray, "height width channels"]


def read_image(path: str | os.PathLike[str], *, white: int | None = None) -> Frame:
    """Read a picture as uint8 RGB.

    The file may have 8 or 16 bits or floating-point values in [0, 1], and be grey, colour, palette or CMYK. Alpha is
    dropped (but OpenCV applies that of an 8-bit TIFF, over black). The orientation that a camera stores in EXIF is
    applied, as in every viewer.

    Args:
        path: the suffix is one of `IMAGE_SUFFIXES`.
        white: the value of white in a 16-bit TIFF or PNG. Cameras of 10 to 14 bits often store their values without
            scaling, and the file does not say so: give 4095 for 12 bits. If None, white is 65535, with a `UserWarning`
            if no value is above 4095, because such a picture is nearly black.

    Raises:
        FormatError: the file is missing, damaged, cut off or no picture.
        InputError: NaN, values outside [0, 1] in a floating-point picture, values above `white`, `white` for a picture
            that is not of 16 bits, or an extra that is not installed.

    Example:
        >>> image = opticflow.read_image("frame1.png")
        >>> image.shape, image.dtype
        ((64, 96, 3), dtype('uint8'))
    """
    suffix = _known_suffix(path, IMAGE_SUFFIXES)
    data = read_bytes(path)
    decode: Callable[[bytes], Pixels] = {".pfm": pfm.decode_channels, ".exr": exr.decode_picture}.get(suffix, _decode)
    try:
        image = decode(data)
    except FormatError as error:
        raise FormatError(f"{path} {one_line(error)}") from error
    return _as_frame(image, str(path), white)


class ImageStack:
    """The pages of a TIFF, as microscopes and fast cameras write them: a clip in one file. The file is kept in memory,
    and a page is decoded when it is requested."""

    def __init__(self, path: str | os.PathLike[str], *, white: int | None = None) -> None:
        """Read the file and its list of pages.

        Args:
            path: `.tif` or `.tiff`; of one page or more.
            white: see `read_image`.

        Raises:
            FormatError: the file is missing, damaged, cut off or no TIFF.
        """
        self._path, self._white = str(path), white
        _known_suffix(path, (".tif", ".tiff"))
        data = read_bytes(path)
        try:
            if not data.startswith(tiff.SIGNATURES):
                raise FormatError(f"is not a TIFF; it starts with {data[:8]!r}")
            self._pages = tiff.check_tiff(data)
        except FormatError as error:
            raise FormatError(f"{path} {one_line(error)}") from error
        self._data, self._lock = bytearray(data), threading.Lock()

    def __len__(self) -> int:
        return len(self._pages)

    def read(self, index: int) -> Frame:
        """Return a page as a frame; the first page is 0.

        Raises:
            FormatError: the page is damaged.
            InputError: there is no such page; see `read_image` for other reasons.
        """
        if not 0 <= index < len(self):
            raise InputError(f"there is no page {index} in {self._path}; it has {len(self)}, from 0 on")
        what = f"page {index} of {self._path}"
        try:
            # `make_first` changes the bytes that all threads share
            with self._lock:
                tiff.make_first(self._data, self._pages[index])
                image = _decode_page(self._data, self._pages[index])
        except FormatError as error:
            raise FormatError(f"{what} {one_line(error)}") from error
        return _as_frame(image, what, self._white)


def write_image(path: str | os.PathLike[str], frame: Frame) -> None:
    """Write a picture; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: `.png`, `.jpg`, `.bmp`, `.tiff`, `.webp` or `.ppm`; the folder must exist.
        frame: uint8 RGB.

    Raises:
        FormatError: an unknown suffix, a picture too large for the format, or a file that cannot be written.

    Example:
        >>> opticflow.write_image("flow.png", opticflow.flow_to_image(flow))
    """
    suffix = _known_suffix(path, _WRITTEN)
    try:
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done, encoded = False, np.empty(0)
    if not done:
        raise FormatError(f"{path} cannot hold a picture of {frame.shape[1]} x {frame.shape[0]} pixels; write .png")
    write_bytes(path, encoded.tobytes())


def write_mask(path: str | os.PathLike[str], mask: MaskArray) -> None:
    """Write a mask as a picture, white where it is true; see `write_image`."""
    # H x W x 3, 0 or 255
    write_image(path, mask[..., None].repeat(3, axis=2).astype(np.uint8) * 255)


def _known_suffix(path: str | os.PathLike[str], known: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        if Path(path).is_dir():
            raise FormatError(f"{path} is a folder; give the name of a file")
        found = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise FormatError(f"{path} has {found}, which is no picture format; wanted one of {', '.join(known)}")
    return suffix


def _decode(data: bytes) -> Pixels:
    """Decode by the file's contents, not by its name; every file is checked before OpenCV gets it."""
    if data.startswith(pnm.SIGNATURES):
        return pnm.decode(data)
    if data.startswith(png.SIGNATURE):
        header = png.check_png(data)
        return _decode_by_opencv(header.data, header.width, header.height, 6 * header.sample_bytes)
    if data.startswith(jpeg.SIGNATURE):
        header = jpeg.check_jpeg(data)
        image = _decode_by_opencv(data, header.width, header.height, header.decoder_bytes)
        jpeg.check_decoded(data, image, header)
        return image
    if data.startswith(jpeg2000.SIGNATURE):
        header = jpeg2000.check_jpeg2000(data)
        return _decode_by_opencv(data, header.width, header.height, header.decoder_bytes)
    if data.startswith(tiff.SIGNATURES):
        page, *more = tiff.check_tiff(data)
        if more:
            raise FormatError(
                f"holds {1 + len(more)} pictures (pages); wanted one. Save them one by one, or read an ImageStack"
            )
        return _decode_page(data, page)
    if data.startswith(bmp.SIGNATURE):
        return _decode_by_opencv(data, *bmp.check_bmp(data), 6)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _decode_by_opencv(data, *webp.check_webp(data), 8)
    raise FormatError(f"cannot be decoded as a picture; it starts with {data[:8]!r}, as no known kind does")


def _decode_page(data: bytes | bytearray, page: tiff.Page) -> Pixels:
    # bytes per pixel: samples x bits / 8, twice, rounded up
    image = _decode_by_opencv(data, page.width, page.height, -(-page.samples * page.bits // 4))
    tiff_strips.check_decoded(data, page, image)
    return image


def _decode_by_opencv(data: bytes | bytearray, width: int, height: int, decoder_bytes: int) -> Pixels:
    """Decode a checked file; OpenCV then uses `decoder_bytes` per pixel, in most formats twice the picture."""
    # at least 6 bytes per pixel are needed later: for the picture and the frame made from it
    check_memory(f"a picture of {width} x {height} pixels", len(data) + width * height * max(decoder_bytes, 6))
    try:
        with opencv.quiet():
            # these two flags together keep 16 bits and floating point, apply the EXIF orientation and drop alpha
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    except cv2.error as error:
        raise FormatError(f"cannot be decoded as a picture ({error.err})") from error
    if image is None:
        raise FormatError("cannot be decoded as a picture; it is cut off, damaged or of another kind")
    # EXIF may have rotated the picture by 90 degrees
    if image.shape[:2] not in ((height, width), (width, height)):
        raise FormatError(
            f"claims {width} x {height} pixels, but holds {image.shape[1]} x {image.shape[0]}; it is damaged"
        )
    return image[..., None] if image.ndim == 2 else image[..., 2::-1]  # H x W x 1 or 3; BGR to RGB


def _as_frame(image: Pixels, what: str, white: int | None) -> Frame:
    """Convert to uint8 RGB, some rows at a time, so that intermediate values need little memory."""
    if image.dtype == np.uint16:
        _check_white(int(image.max()), white, what)
    elif white is not None:
        raise InputError(f"{what} has a white of its own; that of a camera ({white}) is for TIFF and PNG of 16 bits")
    frame = np.empty((*image.shape[:2], 3), np.uint8)  # H x W x 3, RGB
    for top in range(0, len(image), _ROWS):
        rows = image[top : top + _ROWS]
        if image.dtype == np.uint16 and white is not None:
            rows = pnm.to_bytes(rows, white)
        frame[top : top + _ROWS] = as_frame(rows, what)
    return frame


def _check_white(largest: int, white: int | None, what: str) -> None:
    if white is None:
        if 0 < largest <= _DIM:  # no file name, so that Python warns once for all frames of a clip
            warnings.warn(
                f"a picture of 16 bits uses the lowest {largest.bit_length()} and so is nearly black; if its camera "
                "has fewer bits, say which number is white, 4095 for 12 bits (`white=4095`, `--white 4095`)",
                stacklevel=4,
            )
    elif not max(1, largest) <= white <= 65535:
        raise InputError(f"{what} holds numbers up to {largest}, and {white} is given for white; wanted that to 65535")
