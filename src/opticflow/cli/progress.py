"""Progress of long commands: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from opticflow.cli.printing import remark, visible

ShowProgress = Callable[[int, int | None], None]
_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def show_progress(what: str, *, unit: str = "frames", quiet: bool = False) -> Iterator[ShowProgress]:
    """Return a function that takes the number of items done and their total, if known, and shows them on standard
    error."""
    console = Console(stderr=True)
    if quiet:
        yield lambda done, total: None
    elif console.is_terminal:
        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=None, rate="")

            def show(done: int, total: int | None) -> None:
                speed = progress.tasks[task].speed
                progress.update(task, completed=done, total=total, rate=f"{speed:.1f} {unit}/s" if speed else "")

            yield show
    else:
        yield _Lines(what, unit)


class _Bytes:
    """The progress bar of a download, with pooch's interface; silent where standard error is no terminal."""

    def __init__(self, progress: Progress, what: str):
        self._progress = progress
        self._task = progress.add_task(what, total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, total: float) -> None:
        self._progress.update(self._task, total=total)

    def update(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        pass


@contextmanager
def show_bytes(what: str) -> Iterator[_Bytes]:
    """Return a progress bar for a download on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Bytes(progress, escape(visible(what)))


class _Lines:
    """Prints a line at intervals."""

    def __init__(self, what: str, unit: str):
        self.what, self.unit = what, unit
        self.begun = self.shown = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = done - 1
        if now - self.shown < _SECONDS_BETWEEN_LINES:
            return
        self.shown = now
        rate = (done - self.first) / (now - self.begun)
        of = f" of {total}, {(total - done) / rate:.0f} s left" if total and rate else ""
        remark(f"{self.what}: {done}{of}, {rate:.1f} {self.unit}/s")
