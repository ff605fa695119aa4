"""opticflow view"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import say


def view(
    flow: Annotated[Path, typer.Argument(help="A flow file, a folder, a store or a part of one.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Picture, folder or .mp4 to write; NAME.STYLE.png beside the flow if not given.",
            show_default=False,
        ),
    ] = None,
    style: Annotated[str, typer.Option(help="color, arrows, overlay, magnitude or side-by-side.")] = "color",
    max_flow: Annotated[
        float | None, typer.Option(help="Length in pixels at the end of the scale.", show_default=False)
    ] = None,
    percentile: Annotated[
        float | None,
        typer.Option(
            help="Without --max-flow: percent of known pixels the scale covers; 100 for a file, 99 for a folder.",
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        Path | None,
        typer.Option(help="Picture under an overlay or arrows; for a clip its folder or video.", show_default=False),
    ] = None,
    legend: Annotated[bool, typer.Option("--legend", help="Add a legend that explains the scale.")] = False,
) -> None:
    """Draw flow as a picture; the flow of a clip on one scale, so that colours do not flicker.

    `clip.flows#17` is pair 17 of a store, `clip.flows#3:9` are the pairs 3 to 8, and `clip.flows#backward,3:9` is their
    backward flow.

    Example: `opticflow view flow.flo -o flow.png --legend`

    Example: `opticflow view flow/flo -o flow.mp4 --style magnitude`

    Example: `opticflow view clip.flows -o overlay.mp4 --style overlay --frame clip.mp4`
    """
    from opticflow.visualize.drawings import Drawings, draw_files

    drawings = Drawings(flow, style=style, max_flow=max_flow, percentile=percentile, frame=frame, with_legend=legend)
    if output is not None and output.suffix.lower() == ".mp4" and not output.is_dir():
        from opticflow.visualize.video import draw_video

        drawn = draw_video(drawings, output)
    else:
        drawn = draw_files(drawings, output)
    where = drawn.pictures[0]
    if len(drawn.pictures) > 1:
        where = f"{len(drawn.pictures)} pictures in {where.parent}"
    say(f"{where} (scale: 0 to {drawn.max_flow:.4g} px)")
