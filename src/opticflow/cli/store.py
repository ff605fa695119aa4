"""opticflow store"""

from pathlib import Path
from typing import Annotated

import typer

from opticflow.cli.printing import counted, say, show_json
from opticflow.cli.progress import show_progress

store = typer.Typer(
    help="Look at, check, pack, join and export flow stores.", no_args_is_help=True, rich_markup_mode="markdown"
)

Source = Annotated[
    str, typer.Argument(metavar="STORE", help="A store NAME.flows, or a packed one.", show_default=False)
]
Local = Annotated[
    Path, typer.Argument(metavar="STORE", help="A store NAME.flows, or a packed one.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


@store.command("info")
def store_info(
    source: Source,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print what a store holds, how exact it is, and where its flow comes from.

    Example: `opticflow store info clip.flows`
    """
    from opticflow.store import open_store
    from opticflow.store.format import in_words

    opened = open_store(source)
    size = opened.place.size(opened.files)
    flo = len(opened) * (2 if opened.head.backward else 1) * (8 * opened.height * opened.width + 12)
    found = {
        "pairs": len(opened),
        "missing": opened.missing,
        "left_out": opened.left_out,
        "damaged": opened.damaged,
        "files": len(opened.files),
        "bytes": size,
        "flo_bytes": flo,
        **opened.head.to_json(),
    }
    if json:
        show_json(found)
        return
    directions = "forward and backward flow, with masks" if opened.head.backward else "forward flow"
    say(f"{counted(len(opened), 'pair')} of {opened.width}x{opened.height}: {directions}")
    say(f"largest error: {opened.error} px; size: {size / 1e6:.2f} MB, {flo / size:.1f} times less than .flo")
    for name in ("missing", "left_out", "damaged"):
        if found[name]:
            say(f"{name.replace('_', ' ')}: pairs {in_words(found[name])}")
    for name, value in opened.provenance.items():
        words = ", ".join(f"{key} {word}" for key, word in value.items()) if isinstance(value, dict) else value
        say(f"{name}: {words}")


@store.command("check")
def store_check(source: Local, quiet: Quiet = False) -> None:
    """Compare everything in a store with its checksums, and list what is damaged, with the pairs that are lost.

    The exit code is 1 if something is wrong.

    Example: `opticflow store check clip.flows`
    """
    from opticflow.store import check_store

    with show_progress("checking", unit="files", quiet=quiet) as progress:
        found = check_store(source, progress=progress)
    for damage in found:
        say(damage)
    if found:
        raise typer.Exit(1)
    if not quiet:
        say(f"{source} is whole")


@store.command("pack")
def store_pack(
    source: Local,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file NAME.flows.mkv.", show_default="beside the store"),
    ] = None,
) -> None:
    """Join a complete store into one file, which is read like the store. Nothing is encoded again.

    Example: `opticflow store pack clip.flows -o clip.flows.mkv`
    """
    from opticflow.store import pack_store

    target = output or source.with_name(f"{source.name}.mkv")
    pack_store(source, target)
    say(f"{target} ({target.stat().st_size / 1e6:.2f} MB)")


@store.command("compact")
def store_compact(source: Local, quiet: Quiet = False) -> None:
    """Join the small files of a store that was filled on demand. Nothing is encoded again.

    Example: `opticflow store compact clip.flows`
    """
    from opticflow.store import compact_store, open_store

    with show_progress("joining", unit="files", quiet=quiet) as progress:
        joined = compact_store(source, progress=progress)
    if not quiet:
        say(f"{counted(joined, 'file')} joined; {source} has {counted(len(open_store(source).files), 'file')}")


@store.command("export")
def store_export(
    source: Annotated[
        Path, typer.Argument(metavar="STORE", help="A store or a part of one, or a folder of flow.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.", show_default=False)],
    save: Annotated[
        str, typer.Option(help="What is written, a list of: flo, kitti, npz ...; color, magnitude; video; jpeg.")
    ],
    bound: Annotated[float, typer.Option(help="jpeg: length of flow in pixels that is white.")] = 20.0,
    short_side: Annotated[
        int | None, typer.Option(help="jpeg: length of the shorter side in pixels.", show_default="as it is")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="jpeg: pairs a second.", show_default="all pairs")] = None,
    half: Annotated[bool, typer.Option("--half", help="Half precision (.npz and .exr).")] = False,
    max_flow: Annotated[
        float | None,
        typer.Option(help="Length in pixels at the end of the scale of drawings.", show_default="measured on the flow"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Write the flow of a store as flow files, pictures or videos, or as JPEG for two-stream networks.

    `jpeg` writes `flow_x_00000.jpg`, `flow_y_00000.jpg` ... into the folder, as denseflow and mmaction2 name them, and
    beside them `flow.json` with the bound and the share of the pixels that it clips.

    Example: `opticflow store export clip.flows -o frames/clip --save jpeg --bound 20`

    Example: `opticflow store export clip.flows#0:100 -o out --save flo,video`
    """
    from fractions import Fraction

    from opticflow.extract.export import TwoStream, export
    from opticflow.store import open_flows

    saves = tuple(dict.fromkeys(word.strip().lower() for word in save.split(",") if word.strip()))
    how = TwoStream(bound, short_side, None if rate is None else Fraction(rate).limit_denominator(1001))
    with show_progress("exporting", unit="pairs", quiet=quiet or json) as progress:
        found = export(
            open_flows(source),
            output,
            saves,
            two_stream=how,
            half=half,
            max_flow=max_flow,
            overwrite=overwrite,
            progress=progress,
        )
    if json:
        show_json(vars(found))
    elif not quiet:
        beyond = f"of the pixels beyond the bound of {bound:g} px"
        clipped = "" if found.clipped is None else f"; {found.clipped:.2%} {beyond}"
        say(f"{counted(found.pairs, 'pair')} exported{clipped}")
        for path in found.outputs:
            say(path)
