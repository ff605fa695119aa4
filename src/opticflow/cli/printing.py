"""Terminal output: results go to standard output, remarks to standard error.

Names of files and texts in them are not trusted, so control characters are printed as escapes such as `\\x1b`: no name
can colour, move or clear what a terminal shows. A character that the terminal's encoding lacks is printed as an escape,
too (`prepare_streams`).
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

# control characters, line separators, marks that reverse the direction of text, and bytes that are no UTF-8
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_unwritten: list[OSError] = []  # errors of writing to standard output


def prepare_streams() -> None:
    """Make standard output and error take every character, in whatever encoding they are."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        _flush(stream)  # `reconfigure` flushes the stream, too, but raises if that fails
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def flush_streams() -> OSError | None:
    """Write out what was printed; a stream that fails takes nothing more.

    Returns:
        The first error of standard output since the last call, or None.
    """
    for stream in filter(None, (sys.stderr, sys.stdout)):
        _flush(stream)
    wrong = _unwritten[0] if _unwritten else None
    _unwritten.clear()
    return wrong


def _flush(stream: Any) -> None:
    with _failures_kept(_unwritten if stream is sys.stdout else []) as failures:
        stream.flush()
    if failures:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # otherwise the interpreter reports the same error again at its end
        os.close(nowhere)


@contextlib.contextmanager
def _failures_kept(failures: list[OSError]) -> Iterator[list[OSError]]:
    """Record the error of a stream that cannot be written, so that the work goes on."""
    try:
        yield failures
    except OSError as error:
        failures.append(error)


def visible(text: object) -> str:
    """Return the text with control characters as escapes."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def counted(number: int, noun: str) -> str:
    """Format a number with its noun: `1 pair`, `2,000 pairs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(text: object) -> None:
    """Print one line on standard output; if that fails, the work goes on and `flush_streams` reports it."""
    _print(visible(text))


def remark(text: object, *, start: str = "", end: str = "\n") -> None:
    """Print one line on standard error; if that fails, the work goes on.

    Args:
        start: printed as it is, before the text.
        end: printed as it is, after the text.
    """
    with _failures_kept([]):
        print(start + visible(text), end=end, file=sys.stderr, flush=True)


class SafeConsole(Console):
    """Rich's console with the same handling of control characters and of failing output."""

    def print(self, *objects: Any, **options: Any) -> None:
        with _failures_kept(_unwritten):
            super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str("\n".join(map(visible, text.split("\n"))), **options)


def show_json(report: dict[str, Any]) -> None:
    """Print a report as JSON on standard output."""
    _print(json.dumps(report, indent=2, default=str))


def _print(text: str) -> None:
    with _failures_kept(_unwritten):
        print(text)
