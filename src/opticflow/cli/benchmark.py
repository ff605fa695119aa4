"""opticflow benchmark"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from opticflow.cli.options import with_settings
from opticflow.cli.printing import counted, say, show_json
from opticflow.settings import Settings


class _Subjects(TyperGroup):
    """A command group that runs `networks` unless the first word is one of its verbs or the help option."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["networks", *args]
        return super().parse_args(ctx, args)


benchmark = typer.Typer(
    cls=_Subjects,
    help="Measure the speed and memory of models on this machine, or the speed of clips, streams and generators.",
)


Bare = Annotated[
    bool, typer.Option("--bare", help="Measure the network alone, without the usual coarse start and refinement.")
]


@benchmark.command("networks")
@with_settings
def benchmark_networks(
    *,
    models: Annotated[
        list[str] | None, typer.Argument(help="Names of `opticflow models list`.", metavar="[MODEL...]")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="Size of the frames, WxH; may be repeated.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="auto, fp32, bf16 or fp16; may be repeated.")] = None,
    settings: Settings,
    bare: Bare = False,
    rounds: Annotated[int, typer.Option(help="Number of timed pairs; the fastest counts.", min=1)] = 3,
    plain: Annotated[bool, typer.Option(help="Also time the plain form of the network, in the same process.")] = True,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the figures and a description of the machine to this file."),
    ] = None,
) -> None:
    """Measure milliseconds, frames per second and peak memory of models as `opticflow estimate` uses them, each in a
    process of its own.

    The word `networks` can be left out.

    Example: `opticflow benchmark RAFT RAFT-small --bare --size 1024x436 --size 1920x1080`
    """
    from itertools import product

    from opticflow.errors import OpticflowError
    from opticflow.estimator.composition import use_in_words
    from opticflow.estimator.speed import measure_speed

    rows, failures = [], []
    say(f"{'model':17} {'size':>10} {'format':>6} {'ms':>9} {'frames/s':>9} {'memory':>9} {'plain ms':>9} {'ratio':>6}")
    for model, where, kind in product(models or ["RAFT", "RAFT-small"], size or ["1024x436"], precision or ["auto"]):
        width, height = _size(where)
        try:
            row = measure_speed(
                model,
                width,
                height,
                settings=replace(settings, precision=kind),  # type: ignore[arg-type]
                bare=bare,
                rounds=rounds,
                compare=plain,
            )
        except OpticflowError as error:
            failures.append(error)
            say(f"{model:17} {where:>10} {kind:>6}  {error}")
            continue
        rows.append(row)
        name, use = row.model if row.trained else model, use_in_words(row.iterations, row.uses)
        compared = f"{row.plain_milliseconds:9.1f} {row.ratio:6.2f}" if row.plain_milliseconds else f"{'-':>9} {'-':>6}"
        say(
            f"{name:17} {where:>10} {row.precision:>6} {row.milliseconds:9.1f} {row.frames_per_second:9.2f} "
            f"{row.memory / 1e6:6.0f} MB {compared}{f'  ({use})' if use else ''}"
        )
    if json:
        _write_report(json, rows)
    if failures:
        raise failures[0]


@benchmark.command("clip")
@with_settings
def benchmark_clip(
    *,
    clip: Annotated[
        Path | None, typer.Argument(help="A video file or a folder of frames.", show_default="the sample clip")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A name, a checkpoint file or a run's folder.", show_default="the default model")
    ] = None,
    save: Annotated[str, typer.Option(help="Outputs to write, as for `opticflow estimate`.")] = "flo",
    end: Annotated[int | None, typer.Option(help="Index after the last frame.", show_default="all frames")] = None,
    batch: Annotated[int, typer.Option(help="Number of pairs estimated together.")] = 1,
    settings: Settings,
    bare: Bare = False,
    rounds: Annotated[int, typer.Option(help="Number of runs; the fastest counts.", min=1)] = 2,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the figures and a description of the machine to this file."),
    ] = None,
) -> None:
    """Measure where `opticflow estimate` spends its time on a clip: decoding, the network, encoding and waiting.

    Decoding and encoding run in parallel with the network, so that the times of the stages add up to more than the
    elapsed time.

    Example: `opticflow benchmark clip clip.mp4 --model RAFT-small --save flo`
    """
    from opticflow.estimator.speed import load_or_build
    from opticflow.extract import ClipOptions, parse_saves
    from opticflow.extract.demo import sample_clip
    from opticflow.extract.stages import measure_stages
    from opticflow.io.video import open_clip
    from opticflow.weights import DEFAULT_MODEL

    model = model or DEFAULT_MODEL
    options = ClipOptions(saves=parse_saves(save), end=end, batch=batch)
    estimator, trained = load_or_build(model, settings, bare=bare)
    with sample_clip() as (sample, _):
        found = measure_stages(open_clip(clip or sample), estimator, options, rounds=rounds)
    say(f"{_called(model, trained)}, {counted(found.pairs, 'pair')}: {found.wall:.2f} s by the clock")
    for name, seconds in {
        "network": found.network,
        "waiting for frames": found.waiting_for_frames,
        "waiting for files": found.waiting_for_files,
        "other": found.other,
    }.items():
        say(f"  {name:20} {seconds:8.2f} s {seconds / found.wall:6.1%}")
    say(f"beside it: decoding {found.decoding:.2f} s, encoding {found.encoding:.2f} s")
    say(f"the network does not run for {found.outside:.1%} of the time")
    say(f"the run takes {found.slowdown:.2f} times as long as the network with nothing beside it")
    if json:
        known = {"model": model, "trained": trained, "precision": estimator.precision, "saves": list(options.saves)}
        _write_report(json, [found], clip=(clip or sample).name, batch=batch, **known)


@benchmark.command("stream")
@with_settings
def benchmark_stream(
    *,
    model: Annotated[
        str | None, typer.Argument(help="A name, a checkpoint file or a run's folder.", show_default="RAFT-small")
    ] = None,
    settings: Settings,
    bare: Bare = False,
    rounds: Annotated[int, typer.Option(help="Number of runs of each variant; the fastest counts.", min=1)] = 2,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the figures and a description of the machine to this file."),
    ] = None,
) -> None:
    """Measure how reused features and warm starts change speed and accuracy, on the sample clip with its true flow.

    Example: `opticflow benchmark stream RAFT-small`
    """
    from opticflow.estimator.speed import load_or_build
    from opticflow.extract.demo import sample_clip
    from opticflow.extract.stream_speed import measure_streams
    from opticflow.io.video import read_video

    model = model or "RAFT-small"
    estimator, trained = load_or_build(model, settings, bare=bare)
    with sample_clip() as (sample, truths):
        rows = measure_streams(estimator, list(read_video(sample)), truths, rounds=rounds)
    say(f"{_called(model, trained)}, {counted(len(truths), 'pair')}")
    say(f"{'features':>10} {'start':>6} {'iterations':>10} {'s/pair':>8} {'ratio':>6} {'error':>8}")
    for row in rows:
        kept, start = "kept" if row.reuse else "anew", "warm" if row.warm_start else "cold"
        say(
            f"{kept:>10} {start:>6} {row.iterations or '-':>10} {row.seconds_per_pair:8.3f} {row.ratio:6.2f}"
            f" {row.end_point_error:5.3f} px"
        )
    if json:
        _write_report(json, rows, model=model, trained=trained, precision=estimator.precision)


@benchmark.command("generate")
def benchmark_generate(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Names of synthetic worlds; all if none is given.", metavar="[KIND...]")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Number of pairs (or frames) in each round.", min=1)] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure pairs (or frames of sequences) per second on one core, for each synthetic world at its own frame size.

    Example: `opticflow benchmark generate chairs mixed`
    """
    from dataclasses import asdict

    from opticflow.scenes.generation_speed import measure_generation_speed
    from opticflow.scenes.things_config import THINGS_WORLDS
    from opticflow.scenes.worlds import WORLDS

    results = [measure_generation_speed(kind, pairs=pairs) for kind in kinds or WORLDS]
    if json:
        show_json({result.kind: asdict(result) | {"pairs_per_second": result.pairs_per_second} for result in results})
        return
    for result in results:
        say(
            f"{result.kind:14} {result.pairs_per_second:6.1f} {'frames' if result.kind in THINGS_WORLDS else 'pairs'}"
            f" of {result.size[1]}x{result.size[0]} per second and core"
            f"   (once per process: {result.stocking_seconds:.0f} s to make the pictures and objects)"
        )


def _called(model: str, trained: bool) -> str:
    return model if trained else f"{model} without weights"


def _write_report(path: Path, rows: list[Any], **settings: Any) -> None:
    from dataclasses import asdict
    from json import dumps

    from opticflow.evaluate.environment import environment
    from opticflow.io.atomic import write_bytes

    report = {"machine": environment(), **settings, "rows": [asdict(row) for row in rows]}
    write_bytes(path, (dumps(report, indent=2) + "\n").encode())


def _size(size: str) -> tuple[int, int]:
    from opticflow.errors import InputError

    width, _, height = size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) < 10**5 and 0 < int(height) < 10**5):
        raise InputError(f"{size!r} is no size; wanted width x height in pixels, as 1024x436, below 100,000 each")
    return int(width), int(height)
