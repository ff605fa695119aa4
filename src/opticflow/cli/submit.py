"""opticflow submit"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.options import with_settings
from opticflow.cli.printing import counted, say
from opticflow.cli.progress import show_progress
from opticflow.settings import Settings


@with_settings
def submit(
    *,
    model: Annotated[str, typer.Argument(help="A name or a checkpoint file.")],
    benchmark: Annotated[str, typer.Argument(help="sintel, kitti-2015 or spring.")],
    root: Annotated[Path, typer.Argument(help="Folder of the data set, with its test split.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the submission.")],
    check_only: Annotated[bool, typer.Option("--check", help="Estimate nothing; check the existing files.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Estimate only the first N pairs, to try it out.")] = None,
    settings: Settings,
) -> None:
    """Write a submission for a benchmark's server, and check the number, size and range of its files.

    The exit code is 1 if the check finds a fault.

    Example: `opticflow submit RAFT kitti-2015 ~/data/kitti -o submission`
    """
    from opticflow.estimator import load
    from opticflow.evaluate.submission import benchmark as find
    from opticflow.evaluate.submission import check_submission, planned, write_submission

    chosen = find(benchmark)
    total = len(planned(chosen, root))
    if not check_only:
        estimator = load(model, **vars(settings))
        count = min(total, limit or total)
        with show_progress("estimating", unit="pairs") as show:
            for done, _ in enumerate(write_submission(benchmark, root, output, estimator, limit=limit), start=1):
                show(done, count)
    faults = list(check_submission(benchmark, root, output, limit=limit))
    for fault in faults[:20]:
        say(fault)
    if faults:
        say(f"{counted(len(faults), 'fault')}; the server would not take this")
        raise typer.Exit(1)
    if limit is not None and limit < total:
        say(f"{limit} of {total} files in {output}, of the right names, sizes and range; the others are left to do")
        return
    say(f"{counted(total, 'file')} in {output}, of the right names, sizes and range")
    say(f"next: {chosen.next_step.format(folder=output)}")
