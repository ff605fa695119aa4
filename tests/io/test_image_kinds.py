"""Kinds of picture files that decoders read wrongly, or not at all, without a word."""

import io
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from opticflow.errors import FormatError
from opticflow.io import read_flow_with_mask, read_image


def picture(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([5 * x + 40, 8 * y + 20, 200 - 3 * x - 4 * y], -1).astype(np.uint8)


def saved(mode: str = "RGB", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(buffer, **options)
    return buffer.getvalue()


def refused(path: Path, contents: bytes) -> str:
    path.write_bytes(contents)
    with pytest.raises(FormatError) as error:
        read_image(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


# --- JPEG


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0}])
def test_a_jpeg_that_claims_more_than_its_scans_have(tmp_path, mode, options):
    contents = saved(mode, format="JPEG", **options)
    (tmp_path / "a.jpg").write_bytes(contents)
    assert read_image(tmp_path / "a.jpg").shape == (24, 32, 3)
    size = re.search(rb"\xff[\xc0\xc2]", contents).start() + 5
    for height, width in ((33, 32), (100, 32), (24, 60)):
        longer = contents[:size] + struct.pack(">HH", height, width) + contents[size + 4 :]
        assert f"claims {width} x {height}" in refused(tmp_path / "a.jpg", longer)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_jpeg_that_is_turned_and_claims_more(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    contents = saved(format="JPEG", exif=exif)
    size = re.search(rb"\xff[\xc0\xc2]", contents).start() + 5
    assert "claims" in refused(tmp_path / "a.jpg", contents[:size] + struct.pack(">H", 60) + contents[size + 2 :])


def test_a_grey_corner_is_no_damage(tmp_path):
    for size in ((24, 32, 3), (1, 1, 3), (1, 9, 3), (9, 1, 3)):
        Image.fromarray(np.full(size, 128, np.uint8)).save(tmp_path / "a.jpg")
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.full(size, 128))


def test_a_jpeg_of_endless_scans(tmp_path):
    contents = saved(format="JPEG", progressive=True)
    scan = contents[contents.rindex(b"\xff\xda") : -2]
    assert "scans" in refused(tmp_path / "a.jpg", contents[:-2] + 500 * scan + b"\xff\xd9")


# --- PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_the_text_of_a_png(tmp_path, kind, orientation):
    """As ImageMagick writes it; Pillow turns the picture by it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes()
    digits = re.sub("(.{72})", r"\1\n", body.hex())
    text = f"\nexif\n{len(body):8}\n{digits}\n".encode()
    text = b"\0" + zlib.compress(text) if kind == b"zTXt" else text
    contents = saved(format="PNG")
    contents = contents[:33] + chunk(kind, b"Raw profile type exif\0" + text) + contents[33:]
    (tmp_path / "a.png").write_bytes(contents)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), wanted)


@pytest.mark.parametrize("hidden", [True, False])
def test_the_first_picture_of_an_animated_png(tmp_path, hidden):
    frames = [Image.fromarray(picture()), Image.fromarray(255 - picture()), Image.fromarray(picture() // 2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=hidden)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture())


@pytest.mark.parametrize("height", [25, 40])
def test_a_png_that_claims_more_rows_than_it_has(tmp_path, height):
    rows = b"".join(b"\0" + row.tobytes() for row in picture())
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, height, 8, 2, 0, 0, 0))
    refused(
        tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "body"), [(b"iCCP", b"x\0\0" + zlib.compress(b"no profile" * 20)), (b"zTXt", b"\1"), (b"sRGB", b"many")]
)
def test_what_a_png_says_beside_its_pixels_is_not_remarked_on(tmp_path, capfd, kind, body):
    contents = saved(format="PNG")
    (tmp_path / "a.png").write_bytes(contents[:33] + chunk(kind, body) + contents[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture())
    damaged = chunk(b"eXIf", Image.Exif().tobytes())[:-1] + b"\0"
    (tmp_path / "a.png").write_bytes(contents[:33] + damaged + contents[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture())
    assert capfd.readouterr() == ("", "")


# --- Netpbm


def netpbm(values: np.ndarray, white: int, *, plain: bool = False) -> bytes:
    kind = (3 if values.ndim == 3 else 2) + 3 * (not plain)
    header = f"P{kind}\n# a comment\n{values.shape[1]} {values.shape[0]}\n{white}\n".encode()
    if plain:
        return header + " ".join(map(str, values.ravel())).encode() + b"\n"
    return header + values.astype(">u2" if white > 255 else np.uint8).tobytes()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("white", [1, 3, 15, 100, 254, 255, 256, 1023, 4095, 16383, 65535])
def test_white_is_what_a_netpbm_file_says(tmp_path, white, plain):
    rng = np.random.default_rng(white)
    for suffix, shape in ((".pgm", (9, 7)), (".ppm", (9, 7, 3))):
        values = rng.integers(0, white + 1, shape)
        values.flat[0] = white
        (tmp_path / f"a{suffix}").write_bytes(netpbm(values, white, plain=plain))
        wanted = np.rint(values * 255 / white - 1e-9)  # Python would round halves to even
        read = read_image(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(read, np.broadcast_to(wanted.reshape(9, 7, -1), (9, 7, 3)), atol=white % 2 == 0)
        assert read.max() == 255


@pytest.mark.parametrize("suffix", [".pbm", ".pnm"])
@pytest.mark.parametrize("plain", [False, True])
def test_bitmaps(tmp_path, suffix, plain):
    black = np.random.default_rng(0).random((5, 11)) < 0.5
    if plain:
        rows = "\n".join("".join(map(str, row.astype(int))) for row in black)
        (tmp_path / f"a{suffix}").write_text(f"P1\n11 5\n{rows}\n")
    else:
        (tmp_path / f"a{suffix}").write_bytes(b"P4 11 5\n" + np.packbits(black, axis=1).tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}")[..., 0], np.where(black, 0, 255))


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"P5 3 2 255\n" + bytes(5), "cut off"),
        (b"P5 3 2 15\n" + bytes([16] * 6), "holds the value 16"),
        (b"P5 3 2 0\n" + bytes(6), "0 for white"),
        (b"P5 3 2 70000\n" + bytes(12), "70000 for white"),
        (b"P5 0 2 255\n", "claims 0 x 2"),
        (b"P5 3 2 255\n" + bytes(6) + b"P5 3 2 255\n" + bytes(6), "more than one picture"),
        (b"P2 3 2 255\n1 2 3 4 5 x", "decimal numbers"),
        (b"P2 3 2 255\n1 2 3 4 5 99999999999999999999999", "is damaged"),
        (b"P2 3 2 255\n11111111 2 3", "3 values of 6"),
        (b"P5 99999999 99999999 255\n" + bytes(99), "cut off"),
        (b"P7\nWIDTH 3\n", "no known kind"),
    ],
)
def test_damaged_netpbm(tmp_path, contents, words):
    assert words in refused(tmp_path / "a.pgm", contents)


# --- BMP


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_usual_bmp(tmp_path, mode):
    (tmp_path / "a.bmp").write_bytes(saved(mode, format="BMP"))
    wanted = np.asarray(Image.open(tmp_path / "a.bmp").convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), wanted)


def test_unusual_bmp_is_refused(tmp_path):
    body = bytes(3 * 2 * 4)
    os2 = b"BM" + struct.pack("<IHHI", 26 + len(body), 0, 0, 26) + struct.pack("<IHHHH", 12, 3, 2, 1, 24) + body
    assert "OS/2" in refused(tmp_path / "a.bmp", os2 + bytes(40))
    masks = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)  # red and blue change places
    header = struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, 32, 3, len(body), 0, 0, 0, 0) + masks
    file = b"BM" + struct.pack("<IHHI", 66 + len(body), 0, 0, 66) + header + body
    assert "unusual bits" in refused(tmp_path / "a.bmp", file)


# --- TIFF


def test_a_tiff_of_several_pages_is_no_picture(tmp_path):
    pages = [Image.fromarray(picture()), Image.fromarray(255 - picture()), Image.fromarray(picture() // 2)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    assert "holds 3 pictures (pages)" in refused(tmp_path / "a.tif", buffer.getvalue())


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_signed_tiff_is_refused(tmp_path, bits):
    assert "signed" in refused(tmp_path / "a.tif", tiff(bits, sign=2))


def test_pages_in_a_circle(tmp_path):
    contents = bytearray(saved(format="TIFF"))
    (start,) = struct.unpack_from("<I", contents, 4)
    (entries,) = struct.unpack_from("<H", contents, start)
    contents[start + 2 + 12 * entries : start + 6 + 12 * entries] = struct.pack("<I", start)
    assert "circle" in refused(tmp_path / "a.tif", bytes(contents))


# --- and what they have in common


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_what_a_file_is_does_not_depend_on_its_name(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(saved(format="PNG"))
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), picture())


def test_damaged_files_are_refused_in_silence(tmp_path):
    """In a process of its own, where nothing has set OpenCV's log; and it is as it was afterwards."""
    (tmp_path / "half.tif").write_bytes(saved(format="TIFF", compression="tiff_lzw")[:-400] + bytes(400))
    cut = saved(format="TIFF", compression="tiff_adobe_deflate")
    (tmp_path / "cut.tif").write_bytes(cut[:20] + bytes(60) + cut[80:])
    (tmp_path / "a.bmp").write_bytes(saved(format="BMP")[:-9])
    (tmp_path / "a.webp").write_bytes(saved(format="WEBP")[:-9])
    (tmp_path / "half16.tif").write_bytes(tiff(16, sign=3))
    script = """
import sys
from pathlib import Path
import cv2
import opticflow
from opticflow.io import read_image
level = cv2.utils.logging.getLogLevel()
for path in sorted(Path().iterdir()):
    try:
        read_image(path)
        print("read", path)
    except opticflow.OpticflowError:
        pass
assert cv2.utils.logging.getLogLevel() == level
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def tiff(bits: int, sign: int) -> bytes:
    """Zeros, 4 x 3. Signs are 1: unsigned, 2: signed, 3: floating point."""
    tags = [(256, 3, 4), (257, 3, 3), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1), (278, 3, 3)]
    tags += [(279, 4, 12 * bits // 8), (339, 3, sign)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries).ljust(200, b"\0") + bytes(12 * bits // 8)


# --- KITTI's format and the one that looks like it


def test_virtual_kitti_is_not_taken_for_kitti(tmp_path):
    flow = np.random.default_rng(0).uniform(-30, 30, (20, 31, 2))
    known = np.random.default_rng(1).random((20, 31)) < 0.7
    steps = np.rint((flow / (31 - 1, 20 - 1) + 1) * 65535 / 2).clip(0, 65535)
    kept = (2 * steps / 65535 - 1) * (31 - 1, 20 - 1)
    image = np.dstack([known * 65535, steps[..., ::-1] * known[..., None]]).astype(np.uint16)  # OpenCV's B, G, R
    cv2.imwrite(str(tmp_path / "a.png"), image)
    read, valid = read_flow_with_mask(tmp_path / "a.png")
    np.testing.assert_array_equal(valid, known)
    np.testing.assert_allclose(read[known], kept[known], atol=1e-4)


def taller(contents: bytes, height: int, *, strips: bool) -> bytes:
    """A TIFF that claims more rows, with as many strips as it had or with strips that claim to be higher."""
    changed = bytearray(contents)
    (place,) = struct.unpack_from("<I", changed, 4)
    for entry in range(place + 2, place + 2 + 12 * struct.unpack_from("<H", changed, place)[0], 12):
        tag, kind = struct.unpack_from("<HH", changed, entry)
        if tag == 257 or (tag == 278 and not strips):
            struct.pack_into("<H" if kind == 3 else "<I", changed, entry + 8, height)
    return bytes(changed)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate", "tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("rows", [24, 8])
def test_a_tiff_that_claims_more_rows_than_its_strips_have(tmp_path, mode, compression, rows):
    if compression == "jpeg" and mode in ("P", "1"):
        pytest.skip("JPEG holds no such picture")
    contents = saved(mode, format="TIFF", compression=compression, tiffinfo={278: rows})
    (tmp_path / "a.tif").write_bytes(contents)
    assert read_image(tmp_path / "a.tif").shape == (24, 32, 3)
    for height in (25, 60):
        refused(tmp_path / "a.tif", taller(contents, height, strips=rows == 8))


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_tiff_of_one_colour_is_no_damage(tmp_path, compression, colour):
    plain = np.full((70, 90, 3), colour, np.uint8)
    plain[:30] = np.random.default_rng(0).integers(0, 256, (30, 90, 3))
    Image.fromarray(plain).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.asarray(Image.open(tmp_path / "a.tif")))
