"""NumPy's files as others write them, and as nobody should."""

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from opticflow.errors import FormatError
from opticflow.io import limits, read_flow, read_flow_with_mask

FLOW = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)
KNOWN = np.random.default_rng(1).random((5, 7)) < 0.5


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as error:
        read_flow(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


def npy(shape: str, payload: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n".encode()
    return (
        b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(header)) + header + payload
    )


@pytest.mark.parametrize(
    "contents",
    [
        npy("-3, -4, 2", bytes(96)),
        npy("9223372036854775808, 0, 2"),
        npy("0, 1, 10000000000000000000000000000000"),
        npy("0, 1, 2"),
        npy("9" * 4000 + ", 2, " + "9" * 4000),
        npy("3, 4, 2", bytes(96), version=(4, 0)),
        npy("3, 4, 2", bytes(96), version=(0, 0)),
        npy("1, " * 90, bytes(4)),
        npy("3, 4, 2.0", bytes(96)),
        npy("3, 4, 2" + ", []" * 900, bytes(96)),
    ],
)
def test_headers_that_no_array_has(tmp_path, contents, recwarn):
    (tmp_path / "a.npy").write_bytes(contents)
    refused(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("flow.npy", contents)
    refused(tmp_path / "a.npz")
    assert not recwarn.list


def test_only_the_flow_of_an_archive_is_unpacked(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, flow=FLOW, other=np.zeros(50_000_000, np.uint8))
    tracemalloc.start()
    np.testing.assert_array_equal(read_flow(path), FLOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_member_that_holds_more_than_it_claims(tmp_path):
    path, buffer = tmp_path / "a.npz", io.BytesIO()
    np.save(buffer, FLOW)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flow.npy", buffer.getvalue() + bytes(50_000_000))
    contents = path.read_bytes()
    size = struct.pack("<I", len(buffer.getvalue()) + 50_000_000)
    assert size in contents
    path.write_bytes(contents.replace(size, struct.pack("<I", len(buffer.getvalue()))))
    tracemalloc.start()
    refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_without_a_bound_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("flow.npy", npy("3, 4, 2", bytes(96)))
    assert "method" in refused(tmp_path / "a.npz")


def test_a_single_array_of_any_name(tmp_path):
    np.savez(tmp_path / "a.npz", FLOW)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npz"), FLOW)
    np.savez(tmp_path / "a.npz", motion=FLOW, valid=KNOWN)
    flow, valid = read_flow_with_mask(tmp_path / "a.npz")
    np.testing.assert_array_equal(valid, KNOWN)
    np.testing.assert_array_equal(flow, np.where(KNOWN[..., None], FLOW, 0))


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", "uv.npz", ".h5"])
def test_reading_takes_no_more_than_is_allowed_for(tmp_path, monkeypatch, kind, suffix):
    """With a limit a little below the memory that reading takes, the file is refused."""
    path, flow = tmp_path / f"a{suffix}", np.random.default_rng(0).normal(size=(300, 400, 2)).astype(kind)
    if suffix == ".npy":
        np.save(path, flow)
    elif suffix == ".npz":
        np.savez(path, flow)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("flow", data=flow, chunks=(100, 400, 2), compression="gzip")
    else:
        np.savez(path, u=flow[..., 0], v=flow[..., 1])
    read_flow(path)
    tracemalloc.start()
    read_flow(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    monkeypatch.setattr(limits, "_chosen", 0.95 * peak / 1e9)
    assert "GB of memory" in refused(path)


def test_u_and_v_apart(tmp_path):
    np.savez(tmp_path / "a.npz", u=FLOW[..., 0], v=FLOW[..., 1].astype(np.float16))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npz")[..., 0], FLOW[..., 0])
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npz")[..., 1], FLOW[..., 1].astype(np.float16))
    np.savez(tmp_path / "a.npz", u=FLOW[..., 0], v=FLOW[1:, :, 1])
    assert "v of (4, 7)" in refused(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", u=FLOW[..., 0])
    assert "wanted height x width x 2" in refused(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_masks_of_numbers(tmp_path, kind):
    for white in (1, 255):
        np.savez(tmp_path / "a.npz", flow=FLOW, valid=KNOWN.astype(kind) * kind(white))
        np.testing.assert_array_equal(read_flow_with_mask(tmp_path / "a.npz")[1], KNOWN)
    np.savez(tmp_path / "a.npz", flow=FLOW, valid=KNOWN.astype(kind) + kind(1))
    assert "numbers that are 0 and 1" in refused(tmp_path / "a.npz")


def test_components_first(tmp_path):
    np.save(tmp_path / "a.npy", FLOW.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy"), FLOW)
    np.save(tmp_path / "a.npy", FLOW[None].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy"), FLOW)
    np.save(tmp_path / "a.npy", FLOW[:2, :, :])  # 2 x 7 x 2: the components are last
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy"), FLOW[:2])
    np.save(tmp_path / "a.npy", np.stack([FLOW, FLOW, FLOW]).transpose(0, 3, 1, 2))
    assert "3 flows" in refused(tmp_path / "a.npy")


@pytest.mark.parametrize("scale", [b"1.2.3", b"..", b".", b"-", b"1e", b"-0.0"])
def test_scales_of_pfm_that_are_no_numbers(tmp_path, scale):
    (tmp_path / "a.pfm").write_bytes(b"PF\n3 4\n" + scale + b"\n" + bytes(144))
    assert "PFM" in refused(tmp_path / "a.pfm") or "scale" in refused(tmp_path / "a.pfm")
