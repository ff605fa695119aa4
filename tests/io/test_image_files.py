"""Picture files, made by Pillow and read by us, and the other way round."""

import io
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from opticflow.errors import FormatError, InputError
from opticflow.io import read_image, write_image

LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".ppm")


def picture(height: int = 12, width: int = 16) -> np.ndarray:
    """Smooth, and different in every channel, so that JPEG keeps it and a swap is seen."""
    y, x = np.mgrid[:height, :width]
    return np.stack([10 * x + 40, 8 * y + 20, 200 - 5 * x - 4 * y], -1).astype(np.uint8)


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".webp", ".jpg", ".JPEG"])
def test_pictures_of_pillow_are_read(tmp_path, suffix):
    path = tmp_path / f"bild ä 図{suffix}"
    Image.fromarray(picture()).save(path, **({"quality": 95, "lossless": True} if suffix != ".bmp" else {}))
    wanted = np.asarray(Image.open(path).convert("RGB"))
    assert np.abs(wanted.astype(int) - picture()).max() < 16  # by JPEG's subsampled colour
    np.testing.assert_allclose(read_image(path).astype(int), wanted, atol=1)


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".webp", ".jpg"])
def test_pictures_are_read_by_pillow(tmp_path, suffix):
    path = tmp_path / f"bild ä 図{suffix}"
    write_image(path, picture())
    read = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_allclose(read.astype(int), picture(), atol=0 if suffix in LOSSLESS else 16)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGBA", "P", "PA"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_modes_of_pillow(tmp_path, mode, suffix):
    image = Image.fromarray(picture()).convert(mode)
    if (mode, suffix) in {("PA", ".png"), ("RGBA", ".tif")}:
        pytest.skip("PNG has no such mode; of a TIFF OpenCV applies the alpha")
    if "A" in mode:
        image.putalpha(Image.fromarray(picture()[..., 0]))
    image.save(tmp_path / f"a{suffix}")
    # alpha is dropped, not blended
    wanted = np.asarray(Image.open(tmp_path / f"a{suffix}").convert("RGBA"))[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), wanted)


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(picture()).quantize(16)
    image.save(tmp_path / "a.png", transparency=3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


def test_cmyk_jpeg(tmp_path):
    Image.fromarray(picture()).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    wanted = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").astype(int), wanted, atol=8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(tmp_path, suffix):
    deep = picture().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), picture())
    Image.fromarray(deep[..., 0]).save(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"b{suffix}"), picture()[..., [0, 0, 0]])


def floating(path: Path, image: np.ndarray) -> None:
    if path.suffix == ".exr":
        channels = {name: np.ascontiguousarray(image[..., i]) for i, name in enumerate("RGB")}
        with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, channels) as file:
            file.write(str(path))
    else:
        cv2.imwrite(str(path), image[..., ::-1])


@pytest.mark.parametrize("suffix", [".tif", ".pfm"])
def test_floating_point(tmp_path, suffix):
    path, image = tmp_path / f"a{suffix}", picture().astype(np.float32) / 255
    floating(path, image)
    np.testing.assert_array_equal(read_image(path), picture())
    image[3, 4, 1] = np.nan
    floating(path, image)
    with pytest.raises(InputError, match="NaN"):
        read_image(path)
    floating(path, picture().astype(np.float32))
    with pytest.raises(InputError, match=r"wanted \[0, 1\]"):
        read_image(path)


def test_grey_pfm(tmp_path):
    (tmp_path / "a.pfm").write_bytes(b"Pf\n1 2\n-1.0\n" + np.float32([0, 1]).tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.pfm"), [[[255] * 3], [[0] * 3]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_of_the_camera(tmp_path, suffix, orientation):
    path, image = tmp_path / f"a{suffix}", Image.fromarray(picture())
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, quality=95)
    from PIL import ImageOps

    wanted = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    read = read_image(path)
    assert read.shape == wanted.shape
    np.testing.assert_allclose(read.astype(int), wanted, atol=8)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_thin_pictures(tmp_path, suffix, size):
    write_image(tmp_path / f"a{suffix}", picture(*size))
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), picture(*size))


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as error:
        read_image(path)
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp", ".pfm", ".exr"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_pictures_cut_off(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    if suffix in (".pfm", ".exr"):
        floating(path, picture(90, 120).astype(np.float32) / 255)
    else:
        write_image(path, picture(90, 120))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path)


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp", ".pfm", ".exr"])
def test_files_that_are_no_picture(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert "no file" in refused(path)
    path.write_bytes(b"")
    assert "empty" in refused(path)
    path.write_text("this is a text file\n" * 9)
    refused(path)
    path.unlink()
    path.mkdir()
    assert "folder" in refused(path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("cut", [1, 2, 50, 1000])
def test_a_jpeg_with_a_preview_cut_off(tmp_path, progressive, cut):
    """The end of the preview is not taken for the end of the picture."""
    preview = io.BytesIO()
    Image.fromarray(picture()).save(preview, "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0" + preview.getvalue()
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, exif=exif, progressive=progressive)
    assert read_image(path).shape == (90, 120, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert "cut off" in refused(path)


def test_a_damaged_png(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "PNG")
    contents = bytearray(buffer.getvalue())
    contents[len(contents) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(contents)
    assert "checksum" in refused(tmp_path / "a.png")


def test_suffixes_that_are_no_picture(tmp_path):
    assert "is a folder" in refused(tmp_path)
    assert "wanted one of .png, .jpg" in refused(tmp_path / "a.flo")
    for name in ("a.gif", "a", "a.exr"):
        with pytest.raises(FormatError, match=r"wanted one of \.png, \.jpg"):
            write_image(tmp_path / name, picture())


def test_pictures_too_large_for_the_format(tmp_path):
    with pytest.raises(FormatError, match=r"a\.jpg"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 70000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_real_pictures(real_data):
    paths = [*sorted((real_data / "pairs").glob("*/img1.*")), *sorted((real_data / "video").glob("*/*.png"))]
    assert paths
    for path in paths:
        np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path).convert("RGB")))
