"""TIFF files of several pages, made by Pillow and OpenCV."""

import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from opticflow.errors import FormatError, InputError
from opticflow.io import ImageStack, read_image

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), np.uint8)


def stack(mode: str = "RGB", **options) -> bytes:
    first, *more = [Image.fromarray(frame).convert(mode) for frame in FRAMES]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=more, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pages_are_read_in_any_order(tmp_path, mode, compression, big):
    (tmp_path / "a.tif").write_bytes(stack(mode, compression=compression, big_tiff=big))
    pages = ImageStack(tmp_path / "a.tif")
    assert len(pages) == 5
    for index in (3, 0, 4, 1, 2, 2):
        wanted = np.asarray(Image.fromarray(FRAMES[index]).convert(mode).convert("RGB"))
        np.testing.assert_array_equal(pages.read(index), wanted)


def test_pages_of_opencv_in_the_order_of_other_processors(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tiff"), [frame[..., ::-1] for frame in FRAMES])
    np.testing.assert_array_equal(ImageStack(tmp_path / "a.tiff").read(4), FRAMES[4])
    deep = [Image.fromarray(frame[..., 0].astype(np.uint16) * 257) for frame in FRAMES]
    deep[0].save(tmp_path / "b.tif", save_all=True, append_images=deep[1:])
    np.testing.assert_array_equal(ImageStack(tmp_path / "b.tif").read(2), FRAMES[2][..., [0, 0, 0]])


def test_a_picture_is_a_stack_of_one(tmp_path):
    Image.fromarray(FRAMES[0]).save(tmp_path / "a.tif")
    pages = ImageStack(tmp_path / "a.tif")
    assert len(pages) == 1
    np.testing.assert_array_equal(pages.read(0), read_image(tmp_path / "a.tif"))


def test_threads_read_one_stack(tmp_path):
    (tmp_path / "a.tif").write_bytes(stack(compression="tiff_lzw"))
    pages = ImageStack(tmp_path / "a.tif")
    with ThreadPoolExecutor(4) as pool:
        for index, page in zip([0, 1, 2, 3, 4] * 9, pool.map(pages.read, [0, 1, 2, 3, 4] * 9), strict=True):
            np.testing.assert_array_equal(page, FRAMES[index])


def test_pages_are_decoded_one_by_one(tmp_path):
    pictures = [Image.fromarray(np.full((400, 500, 3), value, np.uint8)) for value in range(20)]
    pictures[0].save(tmp_path / "a.tif", save_all=True, append_images=pictures[1:], compression="tiff_lzw")
    tracemalloc.start()
    pages = ImageStack(tmp_path / "a.tif")
    for index in range(20):
        assert (pages.read(index) == index).all()
    assert tracemalloc.get_traced_memory()[1] < 4 * pictures[0].width * pictures[0].height * 3
    tracemalloc.stop()


def test_stacks_that_cannot_be_read(tmp_path):
    (tmp_path / "a.tif").write_bytes(stack())
    pages = ImageStack(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"there is no page 5 in .*a\.tif; it has 5"):
        pages.read(5)
    contents = stack(compression="tiff_adobe_deflate")
    with Image.open(io.BytesIO(contents)) as image:
        image.seek(2)
        (start,) = image.tag_v2[273]
    (tmp_path / "b.tif").write_bytes(contents[:start] + b"\xff\xff" + contents[start + 2 :])
    pages, broken = ImageStack(tmp_path / "b.tif"), []
    for index in range(5):
        try:
            np.testing.assert_array_equal(pages.read(index), FRAMES[index])
        except FormatError as error:
            broken.append(str(error))
    assert len(broken) == 1 and "page 2 of" in broken[0]
    (tmp_path / "c.tif").write_bytes(contents[:-20])
    with pytest.raises(FormatError, match=r"c\.tif is cut off"):
        ImageStack(tmp_path / "c.tif")
    Image.fromarray(FRAMES[0]).save(tmp_path / "d.png")
    with pytest.raises(FormatError, match=r"d\.png has the suffix '\.png'"):
        ImageStack(tmp_path / "d.png")
    (tmp_path / "d.png").rename(tmp_path / "d.tif")
    with pytest.raises(FormatError, match="is not a TIFF"):
        ImageStack(tmp_path / "d.tif")


@pytest.mark.parametrize("place", [2**32, 2**63 - 1, 2**64 - 1])
def test_pages_beyond_the_end(tmp_path, place):
    contents = stack(big_tiff=True)
    (tmp_path / "a.tif").write_bytes(contents[:8] + place.to_bytes(8, "little") + contents[16:])
    with pytest.raises(FormatError, match=r"a\.tif is cut off or damaged"):
        ImageStack(tmp_path / "a.tif")


# --- cameras of fewer bits than the file has


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_white_of_a_camera(tmp_path, suffix, bits):
    white = 2**bits - 1
    numbers = np.random.default_rng(bits).integers(0, white + 1, (20, 30, 3))
    cv2.imwrite(str(tmp_path / f"a{suffix}"), numbers.astype(np.uint16)[..., ::-1])
    read = read_image(tmp_path / f"a{suffix}", white=white)
    np.testing.assert_array_equal(read, np.rint(numbers * (255 / white)))
    if suffix == ".tif":
        np.testing.assert_array_equal(ImageStack(tmp_path / "a.tif", white=white).read(0), read)
    for wrong in (int(numbers.max()) - 1, 0, 70000):
        with pytest.raises(InputError, match=f"{wrong} is given for white"):
            read_image(tmp_path / f"a{suffix}", white=wrong)


def test_white_of_a_camera_is_for_pictures_that_do_not_say(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 9), 200, np.uint8))
    (tmp_path / "a.pgm").write_bytes(b"P5 3 2 4095 " + bytes(12))
    for name in ("a.png", "a.pgm"):
        with pytest.raises(InputError, match=rf"{name} has a white of its own"):
            read_image(tmp_path / name, white=4095)


def test_a_picture_of_few_grey_levels_is_remarked_on(tmp_path, recwarn):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((9, 9), 4095, np.uint16))
    with pytest.warns(UserWarning, match="uses the lowest 12 and so is nearly black"):
        read_image(path)
    for value in (0, 4096, 65535):  # black is no sign of a camera of few bits
        cv2.imwrite(str(path), np.full((9, 9), value, np.uint16))
        read_image(path)
    cv2.imwrite(str(path), np.full((9, 9), 9, np.uint8))
    read_image(path)
    assert not recwarn
