"""opticflow generate"""

import re
from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import counted, say, show_json
from opticflow.cli.progress import show_progress


def generate(
    kind: Annotated[
        str,
        typer.Argument(
            help="chairs, chairs-sdhom, mixed, fast, drive, still, swift, things, things-near or drive-3d.",
            metavar="KIND",
        ),
    ],
    number: Annotated[int, typer.Option("-n", "--number", help="Number of pairs or sequences.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    size: Annotated[
        str | None, typer.Option(help="Width and height of the frames, such as 640x480.", show_default="as published")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Number of processes. The files do not depend on it.")] = 1,
    backgrounds: Annotated[
        Path | None, typer.Option(help="A folder of pictures for the backgrounds.", show_default="procedural ones")
    ] = None,
    objects: Annotated[
        Path | None,
        typer.Option(help="A folder of RGBA cut-outs for the objects.", show_default="procedural chairs"),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.png and report.json: histograms of up to 200 pairs.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Complete the data set of an interrupted run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Make a synthetic data set with exact flow, in the file layout of the published data set.

    The layout is that of FlyingThings3D for things, things-near and drive-3d (an item is a sequence of ten or seven
    frames), of ChairsSDHom for chairs-sdhom, and of FlyingChairs for all others. Occlusion and instance maps are in
    folders of their own. After Ctrl-C or a crash, `--resume` keeps the finished items and makes the others.

    Example: `opticflow generate chairs -n 100 -o chairs`

    Example: `opticflow generate mixed -n 5000 -o mixed --seed 1 --jobs 2 --report`
    """
    from opticflow.scenes.generation import Order, amount, estimate_size
    from opticflow.scenes.generation import generate as write_set
    from opticflow.scenes.statistics import write_report
    from opticflow.scenes.worlds import make_world

    world = make_world(kind, seed, _size(size), backgrounds=backgrounds, objects=objects)
    height, width = world.size
    folders = [str(folder.absolute()) if folder else None for folder in (backgrounds, objects)]
    order = Order(kind, seed, height, width, backgrounds=folders[0], objects=folders[1])
    plan = estimate_size(order, output, number, resume=resume)
    if not quiet and not json:
        say(f"{len(plan.missing)} of {number} to make, about {amount(plan.bytes)}; {amount(plan.free)} are free")
    with show_progress(f"generate {kind}", unit="items", quiet=quiet) as progress:
        write_set(order, output, number, jobs=jobs, resume=resume, progress=progress)
    summary = {"kind": kind, "folder": output, "items": number, "made": len(plan.missing), "seed": seed}
    if report:
        with show_progress("report", unit="pairs", quiet=quiet) as progress:
            summary["report"] = write_report(world, output, number, progress=progress).as_json()
    if json:
        show_json(summary)
    elif not quiet:
        say(f"{output}: {counted(number, 'item')} of {kind}, {len(plan.missing)} of them made now")


def _size(text: str | None) -> tuple[int, int] | None:
    """Parse height and width."""
    from opticflow.errors import InputError

    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise InputError(f"--size is {text!r}; wanted WIDTHxHEIGHT in pixels, such as 640x480")
    return int(match[2]), int(match[1])
