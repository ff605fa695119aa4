"""Threads beside the estimate."""

import threading
import time

import pytest

from opticflow.io.prefetch import BackgroundWriter, Prefetch


def test_prefetch_keeps_the_order_and_raises_in_place():
    def source():
        yield from range(5)
        raise ValueError("broken")

    seen = []
    with Prefetch(source(), depth=2) as items, pytest.raises(ValueError, match="broken"):
        seen.extend(items)
    # list.extend keeps what it got before the error
    assert seen == list(range(5))


def test_prefetch_reads_no_further_than_its_depth():
    taken = []

    def source():
        for i in range(100):
            taken.append(i)
            yield i

    with Prefetch(source(), depth=3) as items:
        assert next(iter(items)) == 0
    assert len(taken) <= 6


def test_behind_consumes_everything_before_it_is_left():
    seen = []
    with BackgroundWriter(seen.append, depth=2) as behind:
        for i in range(50):
            behind.put(i)
    assert seen == list(range(50))


def test_both_count_the_work_and_not_the_waiting():
    took = {"source": 0.0, "consumer": 0.0}

    def work(who):
        begun = time.perf_counter()
        time.sleep(0.02)
        took[who] += time.perf_counter() - begun

    def source():
        for i in range(4):
            work("source")
            yield i

    with Prefetch(source(), depth=1) as items, BackgroundWriter(lambda item: work("consumer"), depth=1) as behind:
        for item in items:
            time.sleep(0.3)
            behind.put(item)
    assert items.worked == pytest.approx(took["source"], abs=0.2)
    assert behind.worked == pytest.approx(took["consumer"], abs=0.2)


def test_an_error_of_the_consumer_reaches_the_caller():
    def refuse(item):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), BackgroundWriter(refuse, depth=1) as behind:
        for i in range(10):
            behind.put(i)
    assert threading.active_count() < 10
