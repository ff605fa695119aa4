"""The entry point of the `opticflow` command and of `python -m opticflow`: it handles Ctrl-C and closed streams before
all imports.

Ctrl-C raises `KeyboardInterrupt`, so that unfinished files are removed. During an import and after the verb has ended
there is nothing to remove, and a half-imported package would raise other errors: there the process ends at once.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _open_closed_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell has it ignored, as with nohup
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _interrupt_lost
    from opticflow.cli import main as run

    try:
        run()
    except KeyboardInterrupt:
        _end()
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, _end)


def _open_closed_streams() -> None:
    """Connect closed standard streams to the null device; otherwise the next file opened would take their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _interrupt(signum: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            _end()
        frame = frame.f_back
    raise KeyboardInterrupt


def _interrupt_lost(unraisable: Any) -> None:
    """End the process when Ctrl-C arrives in a destructor or a C callback, where Python ignores exceptions."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(unraisable)


def _end(*_: object) -> NoReturn:
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
