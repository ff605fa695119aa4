"""OpenEXR as cameras and renderers write it, damaged files, and many threads."""

import io
import subprocess
import sys
import zlib

import numpy as np
import OpenEXR
import pytest

from opticflow.errors import FormatError
from opticflow.io import read_flow, read_image, write_flow

FLOW = np.random.default_rng(0).normal(size=(70, 50, 2)).astype(np.float32)


def exr(values: np.ndarray, names: str = "RG", compression=OpenEXR.ZIP_COMPRESSION, **header) -> bytes:
    buffer = io.BytesIO()
    channels = {name: np.ascontiguousarray(values[..., i]) for i, name in enumerate(names)}
    with OpenEXR.File({"compression": compression, "type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "DWAA"])
def test_every_compression_is_read_as_by_openexr(tmp_path, compression, kind):
    contents = exr(FLOW.astype(kind), compression=getattr(OpenEXR, f"{compression}_COMPRESSION"))
    (tmp_path / "a.exr").write_bytes(contents)
    with OpenEXR.File(io.BytesIO(contents), separate_channels=True) as file:
        wanted = np.stack([file.channels()[name].pixels for name in "RG"], -1).astype(np.float32)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.exr"), wanted)


def test_tiles(tmp_path):
    contents = exr(FLOW, type=OpenEXR.tiledimage, tiles=OpenEXR.TileDescription())
    (tmp_path / "a.exr").write_bytes(contents)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.exr"), FLOW)


def test_threads_do_not_take_stdout_away(tmp_path):
    """In a process of its own: what is lost, is lost for good."""
    write_flow(tmp_path / "a.exr", FLOW)
    (tmp_path / "bad.exr").write_bytes((tmp_path / "a.exr").read_bytes()[:-30])
    script = """
import os, sys, threading
import opticflow
from opticflow.io import read_flow
def state():
    return [os.fstat(1).st_ino, os.fstat(2).st_ino, sys.stdout, sys.stderr]
before = state()
def work():
    for name in ("a.exr", "bad.exr") * 20:
        try:
            read_flow(name)
        except opticflow.OpticflowError:
            pass
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
written = 0
while any(thread.is_alive() for thread in threads):
    written += os.write(1, b".")
assert state() == before
print("heard", written)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == ""
    dots, written = ended.stdout.split("heard ")
    assert dots == "." * int(written)


def test_damaged_blocks_are_refused_in_silence(tmp_path, capfd):
    contents = bytearray(exr(FLOW.round()))
    contents[len(contents) // 2] ^= 0x5A
    (tmp_path / "a.exr").write_bytes(contents)
    with pytest.raises(FormatError, match=r"a\.exr is damaged"):
        read_flow(tmp_path / "a.exr")
    assert capfd.readouterr() == ("", "")


def test_a_block_that_unpacks_to_more(tmp_path):
    contents = exr(np.zeros((16, 50, 2), np.float32))
    start = contents.index(b"\x78", len(contents) - 60)
    bomb = zlib.compress(bytes(10_000_000))
    size = len(contents) - start
    assert contents[start - 4 : start] == size.to_bytes(4, "little")
    (tmp_path / "a.exr").write_bytes(contents[: start - 4] + len(bomb).to_bytes(4, "little") + bomb)
    with pytest.raises(FormatError, match="damaged"):
        read_flow(tmp_path / "a.exr")


def test_pictures_are_scene_linear(tmp_path):
    """Against the formula of IEC 61966-2-1, in float64."""
    light = np.random.default_rng(1).random((40, 30, 3)) ** 3 * 4 - 0.1
    clipped = np.clip(light.astype(np.float32).astype(np.float64), 0, 1)
    wanted = 255 * np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    (tmp_path / "a.exr").write_bytes(exr(light.astype(np.float32), "RGB"))
    assert np.abs(read_image(tmp_path / "a.exr") - wanted).max() < 0.501
    (tmp_path / "a.exr").write_bytes(exr(light[..., :1].astype(np.float32), "Y"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.exr"), np.rint(wanted[..., :1]).repeat(3, 2))
    light[3, 4, 0] = np.nan
    (tmp_path / "a.exr").write_bytes(exr(light.astype(np.float32), "RGB"))
    with pytest.raises(FormatError, match="NaN"):
        read_image(tmp_path / "a.exr")
