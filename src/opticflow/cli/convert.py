"""opticflow convert"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import say


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A flow file, a folder, a store or a part of one.", show_default=False),
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="DST", help="The file, folder or NAME.flows to write.", show_default=False),
    ],
    to: Annotated[
        str | None, typer.Option(metavar="SUFFIX", help="Format for a folder, such as .npz.", show_default=False)
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Half precision (.npz and .exr).")] = False,
    error: Annotated[
        str, typer.Option(metavar="PX", help="Largest rounding error of a store in pixels: 1/64, 1/16 ...")
    ] = "1/64",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of the same names in the folder.")
    ] = False,
) -> None:
    """Convert flow between .flo, KITTI .png, .pfm, .npz, .npy, .flo5, .exr and the store, and report what was lost.

    Example: `opticflow convert flow.flo flow.npz --half`

    Example: `opticflow convert clip_flo clip.flows --error 1/16`

    Example: `opticflow convert clip.flows#17 frame_17.flo`
    """
    from opticflow.store import parse_error
    from opticflow.store.conversion import convert as convert_files

    exact = parse_error(error)
    for done in convert_files(source, target, suffix=to, half=half, error=exact, overwrite=overwrite):
        lost = f"rounded by at most {done.largest_change:.2g} px" if done.largest_change else "nothing lost"
        unknown = f"; {done.unknown} of {done.pixels} pixels unknown, kept so" if done.unknown else ""
        say(f"{done.source} -> {done.target}: {lost}{unknown}")
