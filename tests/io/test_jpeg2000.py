"""JPEG 2000, made by Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from opticflow.errors import FormatError
from opticflow.io import read_image

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)


def saved(mode: str = "RGB", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"tile_size": (32, 32)}, {"irreversible": True, "quality_layers": [5]}])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_modes_of_pillow(tmp_path, mode, options):
    (tmp_path / "a.jp2").write_bytes(saved(mode, **options))
    wanted = np.asarray(Image.open(tmp_path / "a.jp2").convert("RGBA"))[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / "a.jp2"), wanted)


def test_sixteen_bits(tmp_path):
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257).save(tmp_path / "a.jp2")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jp2"), PICTURE[..., [0, 0, 0]])


def changed(place: int, form: str, *values: int) -> bytes:
    """With other numbers at a place of the first marker of the pixels, which says how large the picture is."""
    contents = bytearray(saved())
    struct.pack_into(form, contents, contents.index(b"\xff\x4f\xff\x51") + place, *values)
    return bytes(contents)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (changed(42, "B", 11), "8 or all of 16 bits"),
        (changed(42, "B", 0x87), "8 or all of 16 bits"),
        (changed(42, "BBB", 7, 2, 2), "8 or all of 16 bits"),
        (changed(40, ">H", 9), "9 channels"),
        (changed(8, ">II", 0, 90), "claims 0 x 90"),
        (changed(8, ">II", 60000, 60000), "GB of memory|tiles"),
        (changed(24, ">II", 0, 32), "its 0 tiles"),
        (changed(24, ">II", 1, 1), "does not hold its 6300 tiles"),
        (changed(0, "I", 0), "no pixels"),
        (saved().replace(b"colr\1\0\0\0\0\0\x10", b"colr\1\0\0\0\0\0\x12"), "neither sRGB nor grey"),
        (saved().replace(b"\0\0\0\x16ihdr", b"\0\0\0\1ihdr"), "cut off or damaged"),
        *((saved()[: int(share * len(saved()))], "cut off|decoded|no pixels") for share in (0.002, 0.3, 0.7, 0.99)),
        (saved()[:-1], "cut off|cannot be decoded"),
    ],
)
def test_what_is_not_read(tmp_path, capfd, contents, words):
    (tmp_path / "a.jp2").write_bytes(contents)
    with pytest.raises(FormatError, match=rf"a\.jp2 .*({words})"):
        read_image(tmp_path / "a.jp2")
    assert capfd.readouterr() == ("", "")
