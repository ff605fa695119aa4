"""The command line: one file per verb. A verb parses, calls the library and prints; it has no logic of its own.

Verbs import what they need inside their function, so that `opticflow --help` answers at once.
"""

import inspect
import os
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from opticflow.cli.benchmark import benchmark
from opticflow.cli.check import check
from opticflow.cli.convert import convert
from opticflow.cli.data import data
from opticflow.cli.demo import demo
from opticflow.cli.estimate import estimate
from opticflow.cli.evaluate import evaluate
from opticflow.cli.generate import generate
from opticflow.cli.models import models
from opticflow.cli.printing import flush_streams, prepare_streams, remark
from opticflow.cli.recipes import recipes
from opticflow.cli.store import store
from opticflow.cli.submit import submit
from opticflow.cli.train import train
from opticflow.cli.version import version
from opticflow.cli.view import view
from opticflow.errors import OpticflowError
from opticflow.runtime.malloc import keep_freed_memory

UsageError: Any = typer.BadParameter.__mro__[1]  # Click's, wherever this version of Typer keeps it


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # handled here, as versions of Typer treat it differently
            remark("interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="opticflow",
    cls=_Verbs,
    help="Dense optical flow from images and video: FlowNet, FlowNet 2.0, RAFT and the classical methods.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(estimate)
app.command()(view)
app.command()(convert)
app.command()(check)
app.command()(evaluate)
app.command()(submit)
app.command()(generate)
app.command()(train)
app.command()(recipes)
app.command()(version)
app.add_typer(data, name="data")
app.add_typer(benchmark, name="benchmark")
app.add_typer(models, name="models")
app.add_typer(store, name="store")


def _list_whole_sentences(group: typer.Typer) -> None:
    """Set the short help of each verb to the first paragraph of its help, which lists would cut after 45 letters."""
    for command in group.registered_commands:
        command.short_help = " ".join((inspect.getdoc(command.callback) or "").split("\n\n")[0].split())
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            inner.short_help = inner.typer_instance.info.help
            _list_whole_sentences(inner.typer_instance)


_list_whole_sentences(app)


def main() -> None:
    """Run the `opticflow` command. An expected error is one line and exit code 2, never a traceback."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # our one-line error replaces what OpenCV prints about bad files
    keep_freed_memory()
    prepare_streams()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        code = _run()
    unwritten = flush_streams()
    if unwritten is not None and not code:
        code = 1 if isinstance(unwritten, BrokenPipeError) else _refuse(f"{unwritten.strerror} (standard output)")
    sys.exit(code)


def _run() -> int:
    """Run the verb and return the exit code."""
    try:
        return app(standalone_mode=False) or 0  # Typer takes the arguments itself, to expand `*.png` on Windows
    except UsageError as error:
        message = error.format_message()
        if not message:
            return 0  # a group without a verb; its help has been printed
        return _refuse(f"{message}{'' if message[-1] in '.?!' else '.'} See `opticflow --help`.")
    except OpticflowError as error:
        return _refuse(str(error))
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror or error}{what}")
    except (KeyboardInterrupt, typer.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # Typer takes it for Ctrl-D at a prompt, but there are no prompts
            return _refuse("a file ends too early; say with which command, as this is a fault of the program")
        remark("interrupted")
        return 130


def _show_warning(message: Warning | str, *_: object) -> None:
    """Print a warning as one line, without its position in the code."""
    remark("warning: " + " ".join(str(message).split()))


def _refuse(message: str) -> int:
    remark("error: " + " ".join(message.split()))
    return 2
