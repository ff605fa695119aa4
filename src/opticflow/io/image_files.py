"""Picture files, in and out as uint8 RGB."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError
from opticflow.io import exr, jpeg, pfm, png
from opticflow.io.atomic import write_bytes
from opticflow.io.contents import read_bytes
from opticflow.shapes import Frame, MaskArray, as_frame

_BY_OPENCV = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
IMAGE_SUFFIXES = (*_BY_OPENCV, ".pfm", ".exr")
"""What `read_image` reads; `write_image` writes all but the last two, which hold linear light."""
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
"""What names a video; `opticflow.video` reads and writes them."""

Pixels = Shaped[np.ndarray, "height width channels"]


def read_image(path: str | os.PathLike[str]) -> Frame:
    """Read a picture: 8 or 16 bit, or floating point in [0, 1]; grey, colour, palette or CMYK. Alpha is dropped
    (but OpenCV applies that of an 8-bit TIFF, over black).

    The orientation noted by a camera (EXIF) is honoured, as every viewer does.

    Raises:
        FormatError: the file is missing, damaged, cut off or no picture.
        InputError: NaN, values outside [0, 1] in a floating-point picture, or an extra that is not installed.
    """
    suffix = _known_suffix(path, IMAGE_SUFFIXES)
    data = read_bytes(path)
    decode: Callable[[bytes], Pixels] = {".pfm": pfm.decode_channels, ".exr": _decode_exr}.get(suffix, _decode)
    try:
        image = decode(data)
    except FormatError as error:
        raise FormatError(f"{path} {error}") from error
    return as_frame(image, str(path))


def write_image(path: str | os.PathLike[str], frame: Frame) -> None:
    """Write a picture; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: `.png`, `.jpg`, `.bmp`, `.tiff`, `.webp` or `.ppm`; the folder must exist.
        frame: uint8 RGB.

    Raises:
        FormatError: an unknown suffix, a picture too large for the format, or a file that cannot be written.
    """
    suffix = _known_suffix(path, tuple(s for s in _BY_OPENCV if s != ".pgm"))
    try:
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done, encoded = False, np.empty(0)
    if not done:
        raise FormatError(f"{path} cannot hold a picture of {frame.shape[1]} x {frame.shape[0]} pixels; write .png")
    write_bytes(path, encoded.tobytes())


def write_mask(path: str | os.PathLike[str], mask: MaskArray) -> None:
    """Write a mask as a picture, white where it holds; see `write_image`."""
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
    if data.startswith(png.SIGNATURE):
        png.check_png(data)
    if data.startswith(jpeg.SIGNATURE):
        jpeg.check_jpeg(data)
    try:
        # these two flags together keep 16 bit and floating point, turn by EXIF and drop alpha
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    except cv2.error as error:
        raise FormatError(f"cannot be decoded as a picture ({error.err})") from error
    if image is None:
        raise FormatError("cannot be decoded as a picture; it is cut off, damaged or of another kind")
    return image[..., None] if image.ndim == 2 else image[..., 2::-1]


def _decode_exr(data: bytes) -> Pixels:
    return exr.decode_channels(data, ("R", "G", "B"))
