"""opticflow benchmark"""

from typing import Annotated

import typer

from opticflow.cli.progress import show_json

benchmark = typer.Typer(help="Measure the speed of this machine.", no_args_is_help=True)


@benchmark.command("generate")
def benchmark_generate(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Worlds; all if none is named.", metavar="[KIND...]")
    ] = None,
    pairs: Annotated[int, typer.Option(help="How many pairs a round makes.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Pairs per second and core of each synthetic world, at its own size; of `things` frames of sequences.

    Example: `opticflow benchmark generate chairs mixed`
    """
    from dataclasses import asdict

    from opticflow.scenes.speed import measure_speed
    from opticflow.scenes.worlds import WORLDS

    results = [measure_speed(kind, pairs=pairs) for kind in kinds or WORLDS]
    if json:
        show_json({result.kind: asdict(result) | {"pairs_per_second": result.pairs_per_second} for result in results})
        return
    for result in results:
        print(
            f"{result.kind:14} {result.pairs_per_second:6.1f} {'frames' if result.kind == 'things' else 'pairs'}"
            f" of {result.size[1]}x{result.size[0]} per second and core"
            f"   (once per process: {result.stocking_seconds:.0f} s to make the pictures and objects)"
        )
