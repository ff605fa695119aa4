"""Conversion between every two formats."""

import numpy as np
import pytest

from opticflow.errors import FormatError, InputError
from opticflow.io import FLOW_SUFFIXES, read_flow, write_flow
from opticflow.store.conversion import convert


def some_flow() -> np.ndarray:
    flow = (np.random.default_rng(0).integers(-3000, 3000, (5, 4, 2)) / 64).astype(np.float32)
    flow[1, 2] = np.nan
    return flow


@pytest.mark.parametrize("source", FLOW_SUFFIXES)
@pytest.mark.parametrize("target", FLOW_SUFFIXES)
def test_every_format_into_every_other(tmp_path, source, target):
    write_flow(tmp_path / f"a{source}", some_flow())
    (done,) = convert(tmp_path / f"a{source}", tmp_path / f"b{target}")
    np.testing.assert_array_equal(read_flow(tmp_path / f"b{target}"), some_flow())
    assert (done.largest_change, done.unknown, done.pixels) == (0, 1, 20)


def test_what_is_lost_is_measured(tmp_path):
    flow = np.full((2, 2, 2), 100.01, np.float32)
    write_flow(tmp_path / "a.flo", flow)
    (kitti,) = convert(tmp_path / "a.flo", tmp_path / "a.png")
    assert kitti.largest_change == pytest.approx(abs(round(100.01 * 64) / 64 - 100.01), abs=1e-4)
    (half,) = convert(tmp_path / "a.flo", tmp_path / "a.npz", half=True)
    assert half.largest_change == pytest.approx(abs(float(np.float16(100.01)) - 100.01), abs=1e-4)


def test_folders(tmp_path):
    for number in range(3):
        write_flow(tmp_path / f"{number}.flo", some_flow() + number)
    done = list(convert(tmp_path, tmp_path / "new" / "folder", suffix="PFM"))
    assert [one.target.name for one in done] == ["0.pfm", "1.pfm", "2.pfm"]
    np.testing.assert_array_equal(read_flow(tmp_path / "new" / "folder" / "2.pfm"), some_flow() + 2)


def test_a_broken_file_is_named_and_what_came_before_is_kept(tmp_path):
    write_flow(tmp_path / "1.flo", some_flow())
    (tmp_path / "2.flo").write_bytes(b"PIEH")
    with pytest.raises(FormatError, match=r"2\.flo is cut off"):
        list(convert(tmp_path, tmp_path / "out", suffix=".npy"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1.npy"]


def test_what_makes_no_sense_is_refused(tmp_path):
    path = tmp_path / "a.flo"
    write_flow(path, some_flow())
    before = path.read_bytes()
    (tmp_path / "link.flo").symlink_to(path)
    for source, target, suffix, words in (
        (path, path, None, "would replace"),
        (path, tmp_path / "link.flo", None, "would replace"),
        (path, tmp_path, None, "is a folder"),
        (path, tmp_path / "b.flo", ".npz", "is a file"),
        (tmp_path, tmp_path / "b", None, "say which format"),
        (tmp_path, tmp_path, "flo", "would replace"),
        (tmp_path, path, "npz", "is a file"),
    ):
        with pytest.raises(InputError, match=words):
            list(convert(source, target, suffix=suffix))
    with pytest.raises(FormatError, match="no flow format"):
        list(convert(tmp_path, tmp_path / "b", suffix="floo"))
    with pytest.raises(FormatError, match="no file"):
        list(convert(tmp_path / "c.flo", tmp_path / "b.flo"))
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.flo", "link.flo"]
