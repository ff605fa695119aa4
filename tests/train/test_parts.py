"""Tensors in files of a limited size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opticflow.errors import WeightsError
from opticflow.train.parts import read_parts, write_parts

TENSORS = {
    "large": torch.arange(30_000, dtype=torch.float32).view(100, 300),
    "transposed": torch.randn(64, 40).T,
    "number": torch.tensor(3),
    "bytes": torch.arange(200, dtype=torch.uint8),
    "empty": torch.zeros(0, 4),
}


@given(limit=st.sampled_from([None, 30_000, 50_000, 110_000, 10**6]))
def test_what_was_written_is_read_and_no_file_is_larger(tmp_path_factory, limit):
    folder = tmp_path_factory.mktemp("parts")
    files = write_parts(TENSORS, folder, "state", limit)
    assert sorted(folder.iterdir()) == sorted(files)
    assert all(limit is None or file.stat().st_size <= limit for file in files)
    found = read_parts(folder, "state")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


def test_a_missing_part_is_named(tmp_path):
    files = write_parts(TENSORS, tmp_path, "state", 50_000)
    files[1].unlink()
    with pytest.raises(WeightsError, match=f"state-2-of-{len(files)}"):
        read_parts(tmp_path, "state")


def test_a_damaged_part_is_named(tmp_path):
    (file,) = write_parts(TENSORS, tmp_path, "state")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="state-1-of-1"):
        read_parts(tmp_path, "state")
