"""How much memory reading a file may take: the limit, and that no reader takes more than it says."""

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from opticflow.errors import FormatError, InputError
from opticflow.io import (
    IMAGE_SUFFIXES,
    contents,
    exr,
    hdf5,
    image_files,
    kitti,
    limits,
    middlebury,
    numpy_files,
    pfm,
    pnm,
    read_flow,
    read_image,
    write_flow,
)


@pytest.fixture(autouse=True)
def limit_as_before(monkeypatch):
    monkeypatch.setattr(limits, "_chosen", None)
    monkeypatch.delenv(limits.VARIABLE, raising=False)


def test_the_limit_is_set_by_variable_and_from_python(monkeypatch):
    assert limits.read_limit() == 1
    monkeypatch.setenv(limits.VARIABLE, "2.5")
    assert limits.read_limit() == 2.5
    limits.set_read_limit(0.25)
    assert limits.read_limit() == 0.25
    limits.set_read_limit(None)
    for text in ("much", "0", "-1", "nan"):
        monkeypatch.setenv(limits.VARIABLE, text)
        with pytest.raises(InputError, match=rf"{limits.VARIABLE} is '{text}'"):
            limits.read_limit()
    with pytest.raises(InputError, match="above 0"):
        limits.set_read_limit(float("nan"))


@pytest.mark.parametrize("suffix", [".flo", ".png", ".pfm", ".npz", ".npy", ".flo5", ".exr"])
def test_flow_over_the_limit_is_refused(tmp_path, suffix):
    path, flow = tmp_path / f"a{suffix}", np.zeros((300, 200, 2), np.float32)
    write_flow(path, flow)
    np.testing.assert_array_equal(read_flow(path), flow)
    limits.set_read_limit(1e-3)
    with pytest.raises(FormatError, match=rf"a\{suffix} .*(bytes|pixels|array|flow).*GB.*{limits.VARIABLE}"):
        read_flow(path)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_pictures_over_the_limit_are_refused(tmp_path, suffix):
    path, picture = tmp_path / f"a{suffix}", np.full((500, 600, 3), 90, np.uint8)
    if suffix == ".pfm":
        path.write_bytes(b"PF\n600 500\n-1\n" + bytes(12 * picture[..., 0].size))
    elif suffix == ".exr":
        write_flow(path, np.zeros((500, 600, 2), np.float32))
    else:
        Image.fromarray(picture).save(path, "PPM" if suffix in (".pgm", ".pbm", ".pnm") else None)
    if suffix != ".exr":  # there it is a flow, without a blue channel
        assert read_image(path).shape == picture.shape
    limits.set_read_limit(1.2e-3)
    with pytest.raises(FormatError, match=rf"a\{suffix} .*GB.*{limits.VARIABLE}|not B"):
        read_image(path)


def peak_memory(path, read) -> int:
    """Bytes that reading takes at most at once, without what codecs take and give back below Python."""
    tracemalloc.start()
    read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("suffix", [".flo", ".png", ".pfm", ".npz", ".npy", ".flo5", ".exr"])
def test_reading_flow_takes_no_more_than_is_allowed_for(tmp_path, suffix, monkeypatch):
    path, asked = tmp_path / f"a{suffix}", []
    write_flow(path, np.random.default_rng(0).normal(size=(700, 600, 2)).astype(np.float32))
    for module in (contents, exr, hdf5, kitti, middlebury, numpy_files, pfm):
        monkeypatch.setattr(module, "check_memory", lambda what, needed: asked.append(needed))
    peak = peak_memory(path, read_flow)
    assert peak < 1.1 * max(asked) < 2 * peak


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm", ".16.png", ".16.tif", ".float.tif"]
)
def test_reading_a_picture_takes_no_more_than_is_allowed_for(tmp_path, suffix, monkeypatch):
    path, asked = tmp_path / f"a{suffix}", []
    picture = np.random.default_rng(0).integers(0, 256, (1400, 600, 3), np.uint8)
    if "16" in suffix:
        picture = picture.astype(np.uint16) * 257
    elif "float" in suffix:
        picture = (picture / 255).astype(np.float32)
    cv2.imwrite(str(path), picture)
    for module in (contents, image_files, pnm):
        monkeypatch.setattr(module, "check_memory", lambda what, needed: asked.append(needed))
    assert peak_memory(path, read_image) < 1.15 * max(asked)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured by way of /proc")
@pytest.mark.parametrize(
    "name", ["flow.png", "flow.npz", "flow.exr", "8.png", "16.png", "16.tif", "float.tif", "8.webp"]
)
def test_the_memory_of_the_process_stays_within_what_is_allowed_for(tmp_path, name):
    """With all that decoders take below Python, and for flow that is unknown everywhere."""
    path, shape = tmp_path / name, (1500, 1400, 3)
    if "flow" in name:
        write_flow(path, np.full((*shape[:2], 2), np.nan, np.float32))
    else:
        white = {"8": np.uint8(255), "16": np.uint16(65535), "float": np.float32(1)}[path.stem]
        cv2.imwrite(
            str(path), (cv2.resize(np.eye(9), shape[1::-1])[..., None] * np.ones(3) * white).astype(white.dtype)
        )
    script = """
import sys
from opticflow import io
from opticflow.io import contents, exr, image_files, kitti, numpy_files
def kilobytes(name):
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith(name)))
read = io.read_flow if "flow" in sys.argv[1] else io.read_image
asked = []
for module in (contents, exr, image_files, kitti, numpy_files):
    module.check_memory = lambda what, needed: asked.append(needed)
read(sys.argv[2])  # what is loaded at first use is no cost of the file
before = kilobytes("VmRSS")
read(sys.argv[1])
print(max(asked), 1024 * (kilobytes("VmHWM") - before))
"""
    small = tmp_path / f"small.{name}"
    if "flow" in name:
        write_flow(small, np.zeros((9, 9, 2), np.float32))
    else:
        cv2.imwrite(str(small), np.full((9, 9, 3), 1, cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype))
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script, path, small], capture_output=True, text=True)
    asked, used = map(int, ended.stdout.split())
    assert used < 1.1 * asked + 4e6


def test_a_small_file_of_a_huge_picture_is_refused(tmp_path):
    """The checks of a PNG all hold: it is one colour, and packs a thousand to one."""
    rows = 14000

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, block = zlib.compressobj(9), bytes(rows * 60)
    first, again = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    packed = first + 1399 * again + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", rows, rows, 16, 2, 0, 0, 0))
    contents = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(contents)
    assert len(contents) < 1_300_000
    for read in (read_flow, read_image):
        with pytest.raises(FormatError, match=r"14000 x 14000 pixels, which takes .* GB"):
            read(tmp_path / "a.png")


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "a.flo")
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match=r"a\.flo is a device or a pipe"):
        read_flow(tmp_path / "a.flo")
    with pytest.raises(FormatError, match=r"a\.png is a device or a pipe"):
        read_image(tmp_path / "a.png")
    with pytest.raises(FormatError, match="cannot read"):
        read_flow(str(tmp_path / "a\0b.flo"))
