"""Files appear whole or not at all."""

import errno
import os
import subprocess
import sys

import pytest

from opticflow.errors import FormatError
from opticflow.io import atomic_path
from opticflow.io.atomic import remove_unfinished, write_bytes


def test_the_final_name_appears_at_the_end(tmp_path):
    target = tmp_path / "a.flo"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert temporary.parent == tmp_path and temporary.name.startswith(".")
        assert not list(tmp_path.glob("*.flo"))
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_the_suffix_can_be_kept(tmp_path):
    with atomic_path(tmp_path / "a.mp4", keep_suffix=True) as temporary:
        temporary.touch()
        assert temporary.suffix == ".mp4" and temporary.name.startswith(".")


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file(tmp_path, failure):
    target = tmp_path / "a.flo"
    target.write_bytes(b"old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise failure
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_disk_full_is_one_line(tmp_path):
    refusal = pytest.raises(FormatError, match=r"cannot write .*a\.flo: No space left")
    with refusal as error, atomic_path(tmp_path / "a.flo") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_file_that_may_not_grow(tmp_path):
    program = """
import resource, signal, sys
from opticflow.errors import FormatError
from opticflow.io.atomic import remove_unfinished, write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(sys.argv[1], bytes(5000))
except FormatError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.flo")], capture_output=True, text=True, check=True
    )
    assert "File too large" in run.stdout
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_through_a_link_that_others_left(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "0" * 2 * size)  # were the name known after all
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    with atomic_path(tmp_path / "a.flo") as temporary:
        pass
    (tmp_path / "a.flo").unlink()
    temporary.symlink_to(victim)
    with pytest.raises(FormatError, match="cannot write"):
        write_bytes(tmp_path / "a.flo", b"new")
    assert victim.read_bytes() == b"mine"


def test_names_differ_and_leftovers_go(tmp_path):
    with atomic_path(tmp_path / "a.flo") as first, atomic_path(tmp_path / "a.flo") as second:
        assert first != second
        (tmp_path / ".a.flo.part").touch()  # of no known form
        remove_unfinished(tmp_path, {"b.flo"})
        assert first.exists()
        remove_unfinished(tmp_path)
        assert not first.exists() and not second.exists() and (tmp_path / ".a.flo.part").exists()
        first.touch(), second.touch()


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions")
def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "usual").touch()
    with atomic_path(tmp_path / "a") as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT, 0o600))
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_errors_about_other_files_are_not_ours(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.flo"):
        (tmp_path / "other").read_bytes()


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(FormatError, match="no folder"):
        write_bytes(tmp_path / "missing" / "a.flo", b"x")
    with pytest.raises(FormatError, match="is a folder or"):
        write_bytes(tmp_path, b"x")
    with pytest.raises(FormatError, match="cannot write"):
        write_bytes(tmp_path / ("a" * 300), b"x")
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match="no folder"):
        write_bytes(tmp_path / "file" / "a.flo", b"x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_closed_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FormatError, match="Permission denied"):
            write_bytes(tmp_path / "a.flo", b"x")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="no such devices")
def test_devices_are_left_alone():
    with pytest.raises(FormatError, match="not a regular file"):
        write_bytes(os.devnull, b"x")


def test_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.flo"
    link.symlink_to(tmp_path / "real" / "a.flo")
    write_bytes(link, b"x")
    assert link.is_symlink() and (tmp_path / "real" / "a.flo").read_bytes() == b"x"
