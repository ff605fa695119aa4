"""Threads that read frames ahead and write results in the background while an estimate runs."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


class Prefetch(Generic[T]):
    """An iterator over `source` that reads it in its own thread, up to `depth` items ahead. An error of the source is
    raised when its position is reached. A context manager: leaving it stops the thread."""

    def __init__(self, source: Iterable[T], depth: int = 4):
        self.waited = 0.0
        """Seconds spent waiting for the source."""
        self.worked = 0.0
        """Seconds that the source took."""
        self._queue: queue.Queue = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)

    def _read(self, source: Iterable[T]) -> None:
        try:
            iterator = iter(source)
            while True:
                begun = time.perf_counter()
                item = next(iterator, _END)
                self.worked += time.perf_counter() - begun
                if not self._offer((item, None)) or item is _END:
                    return
        except BaseException as error:  # passed on, to be raised in the reader's thread
            self._offer((_END, error))

    def _offer(self, item) -> bool:
        while not self._stop.is_set():
            try:
                # with a timeout, so that the thread notices when its reader has left
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __enter__(self) -> "Prefetch[T]":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        # the thread may be waiting on a full queue; it checks this flag at the next timeout
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            begun = time.perf_counter()
            item, error = self._queue.get()
            self.waited += time.perf_counter() - begun
            if error is not None:
                raise error
            if item is _END:
                return
            yield item


class BackgroundWriter(Generic[T]):
    """Calls `consume` on each item in its own thread, in order, up to `depth` items behind. An error of `consume` is
    raised at the next `put` or at the end. A context manager: leaving it waits until everything is consumed."""

    def __init__(self, consume: Callable[[T], None], depth: int = 4):
        self.waited = 0.0
        """Seconds spent waiting for the consumer."""
        self.worked = 0.0
        """Seconds that the consumer took."""
        self._consume = consume
        self._queue: queue.Queue = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._error is None:  # after an error the rest is dropped, so that nobody waits on a full queue
                begun = time.perf_counter()
                try:
                    self._consume(item)
                except BaseException as error:
                    self._error = error
                self.worked += time.perf_counter() - begun

    def put(self, item: T) -> None:
        """Pass an item to the thread; wait while its queue is full."""
        begun = time.perf_counter()
        if self._error is not None:
            raise self._error
        self._queue.put(item)
        self.waited += time.perf_counter() - begun

    def __enter__(self) -> "BackgroundWriter[T]":
        self._thread.start()
        return self

    def __exit__(self, kind, *_) -> None:
        begun = time.perf_counter()
        self._queue.put(_END)
        self._thread.join()
        self.waited += time.perf_counter() - begun
        if kind is None and self._error is not None:
            raise self._error
