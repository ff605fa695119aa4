"""HDF5 files whose flow is not in them, or not all of it, or more than it claims."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from opticflow.errors import FormatError
from opticflow.io import read_flow

FLOW = np.random.default_rng(0).normal(size=(12, 9, 2)).astype(np.float32)


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as error:
        read_flow(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file that a flow file must not bring into sight."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["flow"] = np.full((12, 9, 2), 7, np.float32)
        file.create_group("group")["flow"] = np.full((12, 9, 2), 7, np.float32)
    return tmp_path / "other.h5"


def test_external_storage_is_not_read(tmp_path, other):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_dataset("flow", FLOW.shape, "f4", external=[(str(other), 0, FLOW.nbytes)])
    assert "another file" in refused(tmp_path / "a.flo5")


@pytest.mark.parametrize("link", ["flow", "group"])
def test_links_to_other_files_are_not_followed(tmp_path, other, link):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file["elsewhere"] = h5py.ExternalLink(str(other), "/group")
        file["flow"] = h5py.ExternalLink(str(other), "/flow") if link == "flow" else h5py.SoftLink("/elsewhere/flow")
    assert "link" in refused(tmp_path / "a.flo5")


def test_a_virtual_data_set_does_not_end_the_process(tmp_path, other):
    """In a process of its own, because reading it can end with a segmentation fault."""
    layout = h5py.VirtualLayout(FLOW.shape, "f4")
    layout[:] = h5py.VirtualSource(str(other), "flow", FLOW.shape)
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_virtual_dataset("flow", layout)
    code = "import sys; from opticflow.io import read_flow; read_flow(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.flo5"], capture_output=True, text=True, env={**os.environ}
    )
    assert ended.returncode == 1 and "FormatError" in ended.stderr and "another file" in ended.stderr


@pytest.mark.parametrize("written", [0, 6])
def test_pieces_that_were_never_written_are_not_zero_flow(tmp_path, written):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        stored = file.create_dataset("flow", FLOW.shape, "f4", chunks=(6, 9, 2), compression="gzip")
        if written:
            stored[:written] = FLOW[:written]
    assert f"{written // 6} of the 2 pieces" in refused(tmp_path / "a.flo5")


def test_a_whole_flow_that_was_never_written(tmp_path):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_dataset("flow", FLOW.shape, "f4")
    assert "never written" in refused(tmp_path / "a.flo5")


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (5, 4, 2)}, {"compression": "lzf"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}],
)
def test_every_way_to_store_it_is_read(tmp_path, options):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_dataset("flow", data=FLOW, **options)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo5"), FLOW)


def test_a_piece_that_unpacks_to_more_than_it_claims(tmp_path):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        stored = file.create_dataset("flow", FLOW.shape, "f4", chunks=FLOW.shape, compression="gzip")
        stored.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(1 << 27)))
    assert "more than the 864 bytes" in refused(tmp_path / "a.flo5")


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".flo5"])
def test_other_names_and_orders(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with h5py.File(path, "w") as file:
        file["motion"] = FLOW.transpose(2, 0, 1)
    np.testing.assert_array_equal(read_flow(path), FLOW)
    with h5py.File(path, "a") as file:
        file["depth"] = FLOW[..., 0]
    assert "depth, motion" in refused(path)
