"""opticflow demo"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import say, show_json
from opticflow.cli.progress import show_progress


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("opticflow-demo"),
    model: Annotated[
        str | None, typer.Option(help="A name of `opticflow models list`.", show_default="the default model")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Estimate the flow of the sample clip in the package, and report the error.

    Example: `opticflow demo`
    """
    import opticflow
    from opticflow.extract.demo import run_demo
    from opticflow.weights import DEFAULT_MODEL

    model = model or DEFAULT_MODEL
    estimator = opticflow.load(model)
    with show_progress("estimating", quiet=quiet or json) as progress:
        report = run_demo(estimator, output, model=model, progress=progress)
    run = report.run
    if json:
        show_json(
            {
                "model": model,
                "video": report.video,
                "still": report.still,
                "pairs": run.pairs,
                "seconds": run.seconds,
                "end_point_error": round(report.end_point_error, 4),
                "zero_error": round(report.zero_error, 4),
            }
        )
    elif not quiet:
        say(f"{model}: {run.pairs} flows in {run.seconds:.1f} s, {run.pairs / run.seconds:.1f} frames per second")
        say(
            f"end-point error {report.end_point_error:.2f} px; the frames move by {report.zero_error:.2f} px on average"
        )
        say(f"colour video: {report.video}")
        say(f"frame, estimate and truth: {report.still}")
