"""opticflow check"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import say, show_json


def check(
    flow: Annotated[Path, typer.Argument(help="A flow file, a folder of them, a store or a part of one.")],
    first: Annotated[
        Path,
        typer.Argument(metavar="FRAME1", help="The first frame; or a folder of frames, or the video."),
    ],
    second: Annotated[Path | None, typer.Argument(metavar="[FRAME2]", help="The second frame; not for clips.")] = None,
    backward: Annotated[Path | None, typer.Option(help="Flow from the second frame to the first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check flow without ground truth: errors against the frames, and which convention it follows.

    The exit code is 1 if the flow is found to break opticflow's convention (pixels, u right, v down,
    frame1(x) = frame2(x + flow(x))), or to have another size than the frames.

    Example: `opticflow check flow.flo frame1.png frame2.png --backward back.flo`

    Example: `opticflow check clip.flows clip.mp4`
    """
    from opticflow.evaluate.check import check as run
    from opticflow.evaluate.shots import shots

    found = run(shots(flow, first, second, backward))
    if as_json:
        show_json(found.to_json())
    else:
        for line in found.lines():
            say(line)
    if found.fault:
        raise typer.Exit(1)
