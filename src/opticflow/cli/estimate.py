"""opticflow estimate"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opticflow.cli.options import with_settings
from opticflow.cli.printing import remark, say, show_json
from opticflow.cli.progress import show_progress
from opticflow.settings import Settings

if TYPE_CHECKING:
    from opticflow.extract import RunReport, Target

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
            help="A folder; also a .mp4 or .flows; for two frames also a flow file or a picture.",
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
            help="What is written, a list of: flo, kitti, pfm, npz ...; color, arrows, overlay, magnitude, "
            "side-by-side; video, arrows-video, overlay-video ...; store.",
            show_default="what the output's suffix says, or video",
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
            help="Length of flow, in pixels, at the end of the scale of drawings.",
            show_default="measured on excerpts of the clip",
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store .npz and .exr in half precision.")] = False,
    error: Annotated[
        str, typer.Option(metavar="PX", help="Largest rounding error of the store in pixels: 1/64, 1/16 ...")
    ] = "1/64",
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

    `--save` chooses what is written to a folder: flow files in `flo/`, `kitti/` ..., pictures in `color/`, `overlay/`
    ..., a colour video `flow.mp4`, other videos `overlay.mp4` ..., the flow store `flows/`. With `--backward` there
    are also `flo-backward/` ..., and masks in `occlusion/`. Frames are not written to disk. A run that was interrupted
    by Ctrl-C continues with `--resume`; nothing is lost. Existing files are neither overwritten nor deleted, except
    those of an earlier run with `--overwrite`.

    Example: `opticflow estimate clip.mp4 -o flow --save flo,video`

    Example: `opticflow estimate clip.mp4 -o clip.flows --error 1/16`

    Example: `opticflow estimate clip.mp4 -o overlay.mp4 --save overlay-video`

    Example: `opticflow estimate frame1.png frame2.png -o flow.flo`

    Example: `opticflow estimate frame1.png frame2.png -o colours.png`
    """
    import opticflow
    from opticflow.errors import InputError
    from opticflow.extract import ClipOptions, find_target, parse_saves, run_to
    from opticflow.io.video import open_clip
    from opticflow.store import parse_error
    from opticflow.weights import DEFAULT_MODEL

    model = model or DEFAULT_MODEL
    if deterministic:
        settings = _one_way(settings, batch)
    settings = opticflow.estimator.resolve(model, settings)
    estimator = opticflow.load(model, **vars(settings))
    record = {"model": model, **settings.record(), "iterations": estimator.settings.iterations}
    record |= {"deterministic": True} if deterministic else {}
    record |= {} if white is None else {"white": white}
    clip = open_clip(sources[0] if len(sources) == 1 else sources, white=white)
    two = len(sources) == 2
    name = sources[0].stem if two and save is None else clip.name
    target = find_target(name, output, None if save is None else parse_saves(save), two_pictures=two)
    if output is None and target.is_pair and target.path.exists() and not overwrite:
        raise InputError(f"{target.path} is there already; add --overwrite to replace it, or name the output with -o")
    options = ClipOptions(
        saves=target.saves,
        start=start,
        end=end,
        step=step,
        pairs=pairs,  # type: ignore[arg-type]
        backward=backward,
        batch=batch,
        warm_start=warm_start,
        reuse=reuse,
        max_flow=max_flow,
        half=half,
        error=parse_error(error),
        skip_broken=skip_broken,
    )
    try:
        with show_progress("estimating", quiet=quiet or json) as progress:
            how = {"resume": resume, "overwrite": overwrite, "progress": progress}
            report = run_to(target, clip, estimator, options, settings=record, **how)
    except KeyboardInterrupt:
        remark("interrupted; the same command with --resume goes on")
        raise typer.Exit(130) from None
    if json:
        show_json({**record, **vars(report)})
    elif not quiet:
        _report(report, target, backward)


def _one_way(settings: Settings, batch: int) -> Settings:
    """Return settings that fix the order of all sums, and limit this process to one thread."""
    import torch

    from opticflow.errors import InputError

    if settings.device not in ("auto", "cpu") or settings.precision not in ("auto", "fp32") or batch != 1:
        raise InputError("--deterministic is fp32 on the CPU, pair by pair; leave --device, --precision, --batch out")
    torch.set_num_threads(1)
    return replace(settings, device="cpu", precision="fp32")


def _report(report: "RunReport", target: "Target", backward: bool) -> None:
    from opticflow.store.format import in_words

    pairs, computed, seconds = report.pairs, report.computed, report.seconds
    resumed = f" ({pairs - computed} of them before)" if computed < pairs else ""
    rate = f", {computed / seconds:.1f} a second" if seconds > 0 and computed > 1 else ""
    of_each = " in both directions" if backward else ""
    say(f"{pairs} flow{'s' if pairs > 1 else ''}{of_each}{resumed} in {seconds:.1f} s{rate}")
    if not target.is_pair:
        shares = ", ".join(f"{name} {getattr(report, name):.0%}" for name in ("reading", "estimating", "writing"))
        say(f"time: {shares}{f' · full colour at {report.max_flow:.1f} px' if report.max_flow else ''}")
    elif report.max_flow:
        say(f"colours, full at {report.max_flow:.1f} px; for flow itself give a .flo, .npz ..., or --save kitti")
    if report.damaged:
        say(f"frames are damaged or missing after frame {in_words(report.damaged)}; flow there may be wrong")
    if report.left_out:
        say(f"left out, as frames are broken: the pairs after frame {in_words(report.left_out)}")
    if report.cuts:
        say(f"the scene changes after frame {in_words(report.cuts)}; flow across a cut means nothing")
    for path in report.outputs:
        say(path)
