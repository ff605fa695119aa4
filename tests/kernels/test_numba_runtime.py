import errno
import sys
import threading
from typing import Any

import pytest
import torch

from opticflow.kernels.numba_runtime import compiled, in_threads


def test_every_item_is_worked_on_once_by_threads_of_their_own(set_threads):
    set_threads(3)
    seen, workers, inside = [], set(), set()
    together = threading.Barrier(3, timeout=60)

    def work(begin, end):
        together.wait()  # would wait in vain for parts that follow each other
        seen.extend(range(begin, end))
        workers.add(threading.get_ident())
        inside.add(torch.get_num_threads())

    in_threads(10, work, calls_torch=True)
    assert sorted(seen) == list(range(10)) and len(workers) == 3
    assert inside == {1} and torch.get_num_threads() == 3


@pytest.mark.parametrize("calls_torch", [False, True])
def test_threads_that_begin_meanwhile_have_the_number_of_the_process(set_threads, calls_torch):
    set_threads(3)
    in_threads(3, lambda begin, end: None)
    seen = []

    def work(begin, end):
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()

    in_threads(3, work, calls_torch=calls_torch)
    assert seen == [3, 3, 3]


def test_few_items_leave_the_number_of_threads_as_it_was(set_threads):
    set_threads(3)
    parts = []
    in_threads(2, lambda begin, end: parts.append((begin, end)))
    in_threads(1, lambda begin, end: parts.append((begin, end)))
    assert sorted(parts) == [(0, 1), (0, 1), (1, 2)] and torch.get_num_threads() == 3


@pytest.mark.parametrize("faulty", [0, 5])
def test_a_fault_in_any_part_is_raised(set_threads, faulty):
    set_threads(2)

    def work(begin, end):
        if begin == faulty:
            raise ArithmeticError("part")

    for calls_torch in (False, True):
        with pytest.raises(ArithmeticError, match="part"):
            in_threads(10, work, calls_torch=calls_torch)
    assert torch.get_num_threads() == 2


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """A function that doubles a number, to be compiled, with a cache in `tmp_path`."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "doubling.py").write_text("def twice(x):\n    return x + x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "doubling", raising=False)
    return __import__("doubling").twice


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("contents", [b"", b"cut", b"\x80\x04N.", b"\x80\x04]\x94."])
def test_a_damaged_cache_is_no_cache(twice, tmp_path, suffix, contents):
    assert compiled(twice)(3) == 6
    (file,) = (tmp_path / "cache").rglob(f"*.{suffix}")
    whole = file.read_bytes()
    file.write_bytes(contents or whole[: len(whole) // 2])
    assert compiled(twice)(3) == 6
    again: Any = compiled(twice)
    assert again(3) == 6 and sum(again.stats.cache_hits.values()) == 1  # it was written anew


def test_a_cache_that_cannot_be_written_is_no_cache(twice, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        assert compiled(twice)(3) == 6
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert compiled(twice)(4) == 8
