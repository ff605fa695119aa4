"""The readers of pictures, for `fuzzing.py`."""

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fuzz_flow import LIBPNG, with_checksums
from fuzzing import Target
from opticflow.io import ImageStack, read_image

_PICTURE = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
_SMOOTH = cv2.GaussianBlur(_PICTURE, (0, 0), 3)
_THREE = {"save_all": True, "append_images": [Image.fromarray(_PICTURE), Image.fromarray(_SMOOTH).convert("L")]}
_DEEP = _PICTURE.astype(np.uint16) * 257
_LIBJPEG = (
    r"((Corrupt JPEG data|Inconsistent progression|Warning: unknown JFIF|Unknown Adobe|Invalid SOS|Premature end).*\n)+"
)
_OPENEXR = r"(<Python Stream>: \(EXR_ERR_.*\n)+"
_OTHERS = ("RLE", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")


def targets() -> list[Target]:
    """One for each kind of file; those with checksums once more, with these made right."""
    pngs = [*_pngs()]
    return [
        Target("png", ".png", pngs, _read),
        Target("png with whole checksums", ".png", pngs, _read, with_checksums, LIBPNG),
        Target("jpg", ".jpg", [*_jpegs()], _read, noise=_LIBJPEG),
        Target("jp2", ".jp2", [*_jpeg2000s()], _read),
        Target("tif", ".tif", [*_tiffs()], _read),
        Target(
            "tif of several pages",
            ".tif",
            [_saved("TIFF", **_THREE), _saved("TIFF", big_tiff=True, **_THREE)],
            _read_stack,
        ),
        Target("bmp", ".bmp", [*_bmps()], _read),
        Target("webp", ".webp", [*_webps()], _read),
        Target("pnm", ".ppm", [*_pnms()], _read),
        Target("pfm", ".pfm", [*_pfms()], _read),
        Target("exr", ".exr", [*_exrs(("ZIP", "ZIPS", "NO"))], _read, noise=_OPENEXR),
        Target("exr of other compressions", ".exr", [*_exrs(_OTHERS)], _read, noise=_OPENEXR),
    ]


def _read(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a picture of 16 bits uses the lowest")
        _check(read_image(path))


def _read_stack(path: Path) -> None:
    pages = ImageStack(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a picture of 16 bits uses the lowest")
        for index in range(len(pages)):
            _check(pages.read(index))


def _check(frame: np.ndarray) -> None:
    assert frame.ndim == 3 and frame.shape[2] == 3 and frame.dtype == np.uint8 and 0 not in frame.shape


def _saved(kind: str, image: Image.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(_SMOOTH)).save(buffer, kind, **options)
    return buffer.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _pngs() -> Iterator[bytes]:
    image = Image.fromarray(_PICTURE)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield _saved("PNG", image.convert(mode))
    yield cv2.imencode(".png", _DEEP)[1].tobytes()
    yield _saved("PNG", image.quantize(5), transparency=3, bits=4)
    yield _saved("PNG", exif=_turned())
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n8\n{_turned().tobytes().hex()}\n", zip=True)
    yield _saved("PNG", pnginfo=text)
    yield _saved("PNG", save_all=True, default_image=True, append_images=[image, image.rotate(180)])


def _jpegs() -> Iterator[bytes]:
    image = Image.fromarray(_SMOOTH)
    yield _saved("JPEG")
    yield _saved("JPEG", progressive=True, quality=95)
    yield _saved("JPEG", image.convert("L"))
    yield _saved("JPEG", image.convert("CMYK"))
    yield _saved("JPEG", exif=_turned(), restart_marker_blocks=2)
    yield _saved("JPEG", subsampling=0, optimize=True)


def _jpeg2000s() -> Iterator[bytes]:
    yield _saved("JPEG2000")
    yield _saved("JPEG2000", irreversible=True, quality_layers=[5, 20], tile_size=(16, 16))
    yield _saved("JPEG2000", Image.fromarray(_DEEP[..., 0]))
    yield _saved("JPEG2000", Image.fromarray(_SMOOTH).convert("RGBA"))


def _tiffs() -> Iterator[bytes]:
    image = Image.fromarray(_PICTURE)
    for mode in ("1", "L", "LA", "P", "RGB", "CMYK"):
        yield _saved("TIFF", image.convert(mode))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield _saved("TIFF", compression=compression)
    yield _saved("TIFF", image.convert("1"), compression="group4")
    yield _saved("TIFF", exif=_turned())
    for deep in (_DEEP, _DEEP[..., 0], _PICTURE.astype(np.float32) / 255):
        yield cv2.imencode(".tif", deep)[1].tobytes()


def _bmps() -> Iterator[bytes]:
    image = Image.fromarray(_PICTURE)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield _saved("BMP", image.convert(mode))


def _webps() -> Iterator[bytes]:
    yield _saved("WEBP")
    yield _saved("WEBP", lossless=True)
    yield _saved("WEBP", Image.fromarray(np.dstack([_PICTURE, _PICTURE[..., 0]])))
    yield _saved("WEBP", exif=_turned())


def _pnms() -> Iterator[bytes]:
    yield from (_saved("PPM", Image.fromarray(_PICTURE).convert(mode)) for mode in ("1", "L", "RGB"))
    yield b"P5 5 2 4095\n" + (_DEEP[:2, :5, 0] >> 4).astype(">u2").tobytes()
    yield b"P3 # colour\n2 2 15\n" + b" ".join(b"%d" % n for n in range(12))
    yield b"P2 2 2 65535\n0 1 2 65535\n"
    yield b"P1\n9 2\n101010101\n0 1 0 1 0 1 0 1 0\n"


def _pfms() -> Iterator[bytes]:
    light = _PICTURE.astype("<f4") / 255
    yield b"PF\n34 21\n-1.0\n" + light.tobytes()
    yield b"Pf\n34 21\n1.0\n" + light[..., 0].astype(">f4").tobytes()


def _exrs(compressions: Sequence[str]) -> Iterator[bytes]:
    light = _PICTURE.astype(np.float32) / 128
    for compression in compressions:
        for kind in (np.float32, np.float16):
            channels = {name: np.ascontiguousarray(light[..., i].astype(kind)) for i, name in enumerate("RGB")}
            header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
            buffer = io.BytesIO()
            with OpenEXR.File(header, channels) as file:
                file.write(buffer)
            yield buffer.getvalue()
