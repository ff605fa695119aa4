import threading

import pytest
import torch

from opticflow.ops.compiled import in_threads


def test_every_item_is_worked_on_once_by_threads_of_their_own(set_threads):
    set_threads(3)
    seen, workers, inside = [], set(), set()
    together = threading.Barrier(3, timeout=60)

    def work(begin, end):
        together.wait()  # would wait in vain for parts that follow each other
        seen.extend(range(begin, end))
        workers.add(threading.get_ident())
        inside.add(torch.get_num_threads())

    in_threads(10, work)
    assert sorted(seen) == list(range(10)) and len(workers) == 3
    assert inside == {1} and torch.get_num_threads() == 3


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

    with pytest.raises(ArithmeticError, match="part"):
        in_threads(10, work)
    assert torch.get_num_threads() == 2
