"""opticflow benchmark"""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from opticflow.cli.progress import show_json


class _Subjects(TyperGroup):
    """Words that are no subject of their own are models."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["networks", *args]
        return super().parse_args(ctx, args)


benchmark = typer.Typer(cls=_Subjects, help="Measure speed and memory on this machine: of models, or of a subject.")


@benchmark.command("networks")
def benchmark_networks(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names of `opticflow models list`.", metavar="[MODEL...]")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="Of the frames, WxH; may be repeated.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="auto, fp32, bf16 or fp16; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    rounds: Annotated[int, typer.Option(help="Timed pairs; the fastest counts.", min=1)] = 3,
    plain: Annotated[bool, typer.Option(help="Also time RAFT's plain form, in the same process.")] = True,
    max_memory: Annotated[str | None, typer.Option(help="As for `opticflow estimate`.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures and the machine here.")] = None,
) -> None:
    """Milliseconds, frames per second and peak memory of models, each measured in a process of its own.

    The word `networks` can be left out.

    Example: `opticflow benchmark RAFT RAFT-small --size 1024x436 --size 1920x1080`
    """
    from dataclasses import asdict
    from itertools import product
    from json import dumps

    from opticflow.errors import OpticflowError
    from opticflow.estimator.speed import measure_speed
    from opticflow.evaluate.environment import environment
    from opticflow.io.atomic import write_bytes

    rows, failures = [], []
    print(
        f"{'model':12} {'size':>10} {'format':>6} {'ms':>9} {'frames/s':>9} {'memory':>9} {'plain ms':>9} {'ratio':>6}"
    )
    for model, where, kind in product(models or ["RAFT", "RAFT-small"], size or ["1024x436"], precision or ["auto"]):
        width, height = _size(where)
        try:
            row = measure_speed(
                model,
                width,
                height,
                precision=kind,
                device=device,
                rounds=rounds,
                compare=plain,
                max_memory=max_memory,
            )
        except OpticflowError as error:
            failures.append(error)
            print(f"{model:12} {where:>10} {kind:>6}  {error}")
            continue
        rows.append(row)
        compared = f"{row.plain_milliseconds:9.1f} {row.ratio:6.2f}" if row.plain_milliseconds else f"{'-':>9} {'-':>6}"
        print(
            f"{model:12} {where:>10} {row.precision:>6} {row.milliseconds:9.1f} {row.frames_per_second:9.2f} "
            f"{row.memory / 1e6:6.0f} MB {compared}"
        )
    if json:
        report = {"machine": environment(), "rows": [asdict(row) for row in rows]}
        write_bytes(json, (dumps(report, indent=2) + "\n").encode())
    if failures:
        raise failures[0]


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


def _size(size: str) -> tuple[int, int]:
    from opticflow.errors import InputError

    width, _, height = size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise InputError(f"{size!r} is no size; wanted width x height in pixels, as 1024x436")
    return int(width), int(height)
