"""opticflow estimate"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from opticflow.cli.options import with_settings
from opticflow.cli.printing import remark, say, show_json
from opticflow.cli.progress import show_progress
from opticflow.settings import Settings

Sources = Annotated[
    list[Path],
    typer.Argument(
        help="A video file, a folder of frames, two pictures, or a list of pictures.",
        metavar="CLIP|FOLDER|FRAME1 FRAME2",
    ),
]


@with_settings
def estimate(
    *,
    sources: Sources,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="A folder; for a clip also a .mp4; for two pictures also a flow file or a picture.",
            show_default="a name made from the input",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A name of `opticflow models list`, or a checkpoint file.", show_default="the default model"),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            help="What is written to a folder: flo, kitti, pfm, npz, flo5, exr, color, video.", show_default="video"
        ),
    ] = None,
    settings: Settings,
    start: Annotated[int, typer.Option(help="Index of the first frame.")] = 0,
    end: Annotated[int | None, typer.Option(help="Index after the last frame.", show_default="all frames")] = None,
    step: Annotated[int, typer.Option(help="Take every N-th frame.")] = 1,
    white: Annotated[
        int | None,
        typer.Option(help="Value of white in 16-bit pictures: 4095 for 12 bits.", show_default="65535"),
    ] = None,
    pairs: Annotated[
        str,
        typer.Option(help="overlapping: 0-1, 1-2 ...; or separate: 0-1, 2-3 ..., as PIV cameras record them."),
    ] = "overlapping",
    backward: Annotated[
        bool, typer.Option("--backward", help="Also estimate backward flow and occlusion masks.")
    ] = False,
    batch: Annotated[int, typer.Option(help="Number of pairs estimated together.")] = 1,
    warm_start: Annotated[
        bool, typer.Option("--warm-start", help="Start each estimate from the previous flow.")
    ] = False,
    reuse: Annotated[
        bool, typer.Option(help="Encode each frame once for both of its pairs; the flow is the same.")
    ] = True,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic", help="Give the same flow, bit for bit, on any number of processors: fp32, one thread."
        ),
    ] = False,
    max_flow: Annotated[
        float | None,
        typer.Option(
            help="Length of flow, in pixels, that is drawn in full colour.",
            show_default="measured on excerpts of the clip",
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store .npz in half precision.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the files of an earlier run, and start again.")
    ] = False,
    skip_broken: Annotated[
        bool,
        typer.Option("--skip-broken", help="Continue after frames that cannot be decoded; their pairs are left out."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Estimate the flow of a clip, a folder of frames, or two pictures.

    `--save` chooses what is written to a folder: flow files in `flo/`, `kitti/` ..., pictures in `color/`, a colour
    video `flow.mp4`; with `--backward` also `flo-backward/` ..., and masks in `occlusion/`. Frames are not written to
    disk. A run that was interrupted by Ctrl-C continues with `--resume`; nothing is lost. Existing files are neither
    overwritten nor deleted, except those of an earlier run with `--overwrite`.

    Example: `opticflow estimate clip.mp4 -o flow --save flo,video`

    Example: `opticflow estimate frame1.png frame2.png -o flow.flo`

    Example: `opticflow estimate frame1.png frame2.png -o colours.png`
    """
    import opticflow
    from opticflow.weights import DEFAULT_MODEL

    model = model or DEFAULT_MODEL
    if deterministic:
        settings = _one_way(settings, batch)
    settings = opticflow.estimator.resolve(model, settings)
    estimator = opticflow.load(model, **vars(settings))
    record = {"model": model, **settings.record(), "iterations": estimator.settings.iterations}
    record |= {"deterministic": True} if deterministic else {}
    record |= {} if white is None else {"white": white}
    options = {
        "start": start,
        "end": end,
        "step": step,
        "pairs": pairs,
        "backward": backward,
        "batch": batch,
        "warm_start": warm_start,
        "reuse": reuse,
        "max_flow": max_flow,
        "half": half,
        "skip_broken": skip_broken,
    }
    if len(sources) == 2 and save is None and (output is None or output.suffix) and not resume:
        summary = _estimate_pair(estimator, sources, output, options, overwrite, white)
    else:
        summary = _estimate_clip(
            estimator, sources, output, save, record, options, resume, overwrite, quiet=quiet or json
        )
    if json:
        show_json({**record, **summary})
    elif not quiet:
        _report({**summary, "backward": backward})


def _one_way(settings: Settings, batch: int) -> Settings:
    """Return settings that fix the order of all sums, and limit this process to one thread."""
    import torch

    from opticflow.errors import InputError

    if settings.device not in ("auto", "cpu") or settings.precision not in ("auto", "fp32") or batch != 1:
        raise InputError("--deterministic is fp32 on the CPU, pair by pair; leave --device, --precision, --batch out")
    torch.set_num_threads(1)
    return replace(settings, device="cpu", precision="fp32")


def _estimate_pair(
    estimator, sources: list[Path], output: Path | None, options: dict[str, Any], overwrite: bool, white: int | None
) -> dict[str, Any]:
    from opticflow.errors import InputError
    from opticflow.extract import ClipOptions
    from opticflow.extract.pair import run_pair

    usual = vars(ClipOptions())
    for name in ("start", "end", "step", "pairs", "batch", "warm_start", "reuse", "skip_broken"):
        if options[name] != usual[name]:
            raise InputError(f"--{name.replace('_', '-')} is for clips; leave it out for two pictures")
    ClipOptions(**{**options, "half": False, "max_flow": None})
    kept = {name: options[name] for name in ("backward", "half", "max_flow")}
    target = output or Path(f"{sources[0].stem}.flo")
    if output is None and target.exists() and not overwrite:
        raise InputError(f"{target} is there already; add --overwrite to replace it, or name the output with -o")
    report = run_pair(sources[0], sources[1], estimator, target, **kept, white=white)
    return {"pairs": 1, "computed": 1, **vars(report)}


def _estimate_clip(
    estimator,
    sources: list[Path],
    output: Path | None,
    save: str | None,
    record: dict[str, Any],
    options,
    resume,
    overwrite,
    *,
    quiet,
) -> dict[str, Any]:
    from opticflow.extract import ClipOptions, parse_saves, run_clip, run_clip_to_video
    from opticflow.io.video import open_clip

    clip = open_clip(sources[0] if len(sources) == 1 else sources, white=record.get("white"))
    chosen = ClipOptions(saves=parse_saves("video" if save is None else save), **options)
    target = output or Path(f"{clip.name}-flow")
    run = run_clip_to_video if target.suffix.lower() == ".mp4" and not target.is_dir() else run_clip
    try:
        with show_progress("estimating", quiet=quiet) as progress:
            how = {"resume": resume, "overwrite": overwrite, "progress": progress}
            report = run(clip, estimator, target, chosen, settings=record, **how)
    except KeyboardInterrupt:
        remark("interrupted; the same command with --resume goes on")
        raise typer.Exit(130) from None
    return vars(report)


def _report(summary: dict[str, Any]) -> None:
    pairs, computed, seconds = summary["pairs"], summary["computed"], summary["seconds"]
    resumed = f" ({pairs - computed} of them before)" if computed < pairs else ""
    rate = f", {computed / seconds:.1f} a second" if seconds > 0 and computed > 1 else ""
    of_each = " in both directions" if summary["backward"] else ""
    say(f"{pairs} flow{'s' if pairs > 1 else ''}{of_each}{resumed} in {seconds:.1f} s{rate}")
    if "estimating" in summary:
        shares = ", ".join(f"{name} {summary[name]:.0%}" for name in ("reading", "estimating", "writing"))
        painted = f" · full colour at {summary['max_flow']:.1f} px" if summary["max_flow"] else ""
        say(f"time: {shares}{painted}")
        if summary["damaged"]:
            say(f"frames are damaged or missing after frame {_listed(summary['damaged'])}; flow there may be wrong")
        if summary["left_out"]:
            say(f"left out, as frames are broken: the pairs after frame {_listed(summary['left_out'])}")
        if summary["cuts"]:
            say(f"the scene changes after frame {_listed(summary['cuts'])}; flow across a cut means nothing")
    elif summary["max_flow"]:
        say(f"colours, full at {summary['max_flow']:.1f} px; for flow itself give a .flo, .npz ..., or --save kitti")
    for path in summary["outputs"]:
        say(path)


def _listed(numbers: list[int]) -> str:
    """Format numbers as `1, 4 to 9, 20`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join(" to ".join(map(str, run)) for run in runs)
