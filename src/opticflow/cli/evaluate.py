"""opticflow evaluate"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.options import with_settings
from opticflow.cli.printing import SafeConsole, remark
from opticflow.cli.progress import show_progress
from opticflow.settings import Settings


@with_settings
def evaluate(
    *,
    models: Annotated[str, typer.Argument(metavar="MODEL[,MODEL...]", help="Names or checkpoint files.")],
    dataset: Annotated[
        str, typer.Argument(help="chairs, sintel-clean, kitti-2015, pairs ...; a wrong name lists them.")
    ],
    root: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    split: Annotated[str | None, typer.Option(help="One of its splits; by default the first.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Benchmark whose averages are computed; by default that of the data set.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Evaluate only the first N pairs.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write a page with pictures to this file.")] = None,
    cases: Annotated[int, typer.Option(min=0, help="Number of pairs shown on the page, largest errors first.")] = 20,
    settings: Settings,
) -> None:
    """Measure the errors of models against ground truth, averaged as in a benchmark, and print how they are averaged.

    Example: `opticflow evaluate DIS,Farneback pairs ~/pairs --html report.html`
    """
    import json
    import shlex
    import sys

    from opticflow.data import open_dataset
    from opticflow.errors import DatasetError, InputError
    from opticflow.estimator import load
    from opticflow.evaluate import EvaluatedModel, page
    from opticflow.evaluate import evaluate as run
    from opticflow.evaluate.tables import heading, sequence_table, total_table
    from opticflow.io.atomic import check_target, write_bytes
    from opticflow.metrics import PROTOCOLS

    if protocol is not None and protocol not in PROTOCOLS:
        raise InputError(f"there is no protocol {protocol!r}; known are {', '.join(PROTOCOLS)}")
    names = [name for name in models.split(",") if name]
    if not names:
        raise InputError("no model is named; wanted MODEL or MODEL,MODEL")
    for target in filter(None, (json_file, html_file)):
        check_target(target)
    data = open_dataset(dataset, root, split)
    data = data[:limit] if limit else data
    contenders = [EvaluatedModel.of(name, load(name, **vars(settings))) for name in names]
    with show_progress("evaluating", unit="pairs") as show:
        report = run(
            contenders,
            data,
            PROTOCOLS[protocol or data.protocol],
            root=str(root),
            command=shlex.join(["opticflow", *sys.argv[1:]]),
            cases=cases if html_file else 0,
            progress=lambda done, name: show(done, len(data)),
        )
    if json_file:
        write_bytes(json_file, json.dumps(report.to_json(), indent=1).encode())
    if html_file:
        write_bytes(html_file, page(report).encode(errors="backslashreplace"))  # names need not be UTF-8
    console = SafeConsole()
    console.print(heading(report), markup=False, highlight=False, soft_wrap=True)
    console.print(sequence_table(report, console.width))
    console.print(total_table(report))
    if report.interrupted:
        remark(f"interrupted: the figures are of {report.done} of {report.pairs} pairs")
        raise typer.Exit(130)
    if report.broken:
        first = report.broken[0].problem
        raise DatasetError(
            f"{len(report.broken)} of {report.pairs} pairs could not be evaluated and are in no figure: {first}"
        )
