"""How much memory reading a file may take: the limit, and that no reader takes more than it says."""

import os

import numpy as np
import pytest

from opticflow.errors import FormatError, InputError
from opticflow.io import limits, read_flow, read_image, write_flow


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


@pytest.mark.parametrize("suffix", [".flo", ".pfm", ".npz", ".npy", ".flo5"])
def test_flow_over_the_limit_is_refused(tmp_path, suffix):
    path, flow = tmp_path / f"a{suffix}", np.zeros((300, 200, 2), np.float32)
    write_flow(path, flow)
    np.testing.assert_array_equal(read_flow(path), flow)
    limits.set_read_limit(1e-3)
    with pytest.raises(FormatError, match=rf"a\{suffix} .*(bytes|pixels|array|flow).*GB.*{limits.VARIABLE}"):
        read_flow(path)


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "a.flo")
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match=r"a\.flo is a device or a pipe"):
        read_flow(tmp_path / "a.flo")
    with pytest.raises(FormatError, match=r"a\.png is a device or a pipe"):
        read_image(tmp_path / "a.png")
    with pytest.raises(FormatError, match="cannot read"):
        read_flow(str(tmp_path / "a\0b.flo"))
