"""opticflow data"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import counted, remark, say, show_json
from opticflow.cli.progress import show_progress

data = typer.Typer(help="Check data sets on disk.", no_args_is_help=True)


@data.command("check")
def check_data(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="Name of the data set; a wrong name lists all.")],
    root: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    split: Annotated[str | None, typer.Option(help="One of its splits; by default the first.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N pairs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Read every pair of a data set and list the errors; the exit code is 1 if there are any.

    Example: `opticflow data check sintel-final ~/data/MPI-Sintel-complete`
    """
    from dataclasses import asdict

    from opticflow.data import check_dataset, open_dataset

    dataset = open_dataset(name, root, split)
    total = len(dataset)
    if limit:
        dataset = dataset[:limit]
    findings = []
    with show_progress("reading", unit="pairs") as show:
        for finding in check_dataset(dataset):
            findings.append(finding)
            show(len(findings), len(dataset))
    broken = [finding for finding in findings if finding.problem]
    for finding in broken:
        remark(f"{finding.name}: {finding.problem}")
    if as_json:
        summary = {
            "dataset": dataset.name,
            "pairs": total,
            "expected": dataset.expected,
            "read": len(findings),
            "broken": len(broken),
            "left_out": dict(dataset.left_out),
            "findings": [asdict(finding) for finding in findings],
        }
        show_json(summary)
    else:
        published = "" if dataset.expected in (None, total) else f" (published with {dataset.expected})"
        say(f"{dataset.name}: {counted(total, 'pair')}{published}, {len(findings)} read, {len(broken)} broken")
        known = [finding for finding in findings if finding.valid_share]
        if known:
            share = sum(finding.valid_share for finding in known) / len(known)
            longest = max(known, key=lambda finding: finding.longest)
            say(f"{share:.1%} of the truth known; longest vector {longest.longest:.1f} px in {longest.name}")
        for title, reason in dataset.left_out.items():
            say(f"left out: {title}: {reason}")
    if broken:
        raise typer.Exit(1)
