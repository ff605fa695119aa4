"""The command line: one file per verb. A verb parses, calls the library and prints; it has no logic of its own.

Verbs import what they need inside their function, so that `opticflow --help` answers at once.
"""

import os
import sys
from typing import Any

import typer

from opticflow.cli.benchmark import benchmark
from opticflow.cli.check import check
from opticflow.cli.convert import convert
from opticflow.cli.data import data
from opticflow.cli.demo import demo
from opticflow.cli.estimate import estimate
from opticflow.cli.evaluate import evaluate
from opticflow.cli.generate import generate
from opticflow.cli.models import models
from opticflow.cli.recipes import recipes
from opticflow.cli.submit import submit
from opticflow.cli.train import train
from opticflow.cli.version import version
from opticflow.cli.view import view
from opticflow.errors import OpticflowError
from opticflow.ops.kept_memory import keep_freed_memory

UsageError: Any = typer.BadParameter.__mro__[1]  # Click's, wherever this version of Typer keeps it

app = typer.Typer(
    name="opticflow",
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


def main() -> None:
    """The `opticflow` command. An expected error is one line and exit code 2; never a traceback."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what its decoders have to say of a bad file is in our line
    keep_freed_memory()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except UsageError as error:
        sys.exit(_refuse(f"{error.format_message()} See `opticflow --help`."))
    except OpticflowError as error:
        sys.exit(_refuse(str(error)))
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        sys.exit(_refuse(f"{error.strerror or error}{what}"))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2
