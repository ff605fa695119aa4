"""Estimate the flow of a whole clip in constant memory: frames are read ahead and results are written in the
background.

    Clip -> Prefetch -> Estimator.pairs -> BackgroundWriter -> files, videos and the store

The clip is cut into segments of a fixed number of pairs. Each segment is estimated on its own and is one piece of the
videos and of the store, so that a resumed run gives the same results as an uninterrupted one.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from opticflow.errors import InputError, VideoError
from opticflow.estimator import Estimator
from opticflow.extract.options import ClipOptions, RunReport
from opticflow.extract.output_kinds import Video, Writing
from opticflow.extract.pairs import UntilBroken, estimate_segment, segments
from opticflow.extract.provenance import provenance_of, source_of
from opticflow.extract.recorder import Recorder
from opticflow.extract.resuming import count_pairs, names_of, pairs_there, remove_run, stamp_of, stamps_of
from opticflow.extract.run_files import RunFiles
from opticflow.extract.scale import measure_max_flow
from opticflow.extract.state import RunState
from opticflow.io import FLOW_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES, make_folder
from opticflow.io.atomic import check_target, remove_unfinished
from opticflow.io.locks import only_one
from opticflow.io.prefetch import BackgroundWriter, Prefetch
from opticflow.io.video import Clip
from opticflow.io.video.writer import refuse_too_large
from opticflow.visualize.colors import flow_limit
from opticflow.weights.digest import weights_hash

RECORD = "opticflow.json"
"""File name of a run's record in its folder."""


def run_clip(
    clip: Clip,
    estimator: Estimator,
    folder: Path,
    options: ClipOptions,
    *,
    settings: dict[str, Any],
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> RunReport:
    """Estimate the flow of a clip and write it.

    Files are overwritten or deleted only if an earlier run wrote them according to the record in the folder.

    Args:
        clip: the frames.
        estimator: the method.
        folder: the output folder; made if needed.
        options: what to compute and to write.
        settings: all else that decides the result (model, precision ...); a resumed run must have the same settings.
        resume: continue an interrupted run with these options.
        overwrite: delete what an earlier run wrote into the folder, and start from the beginning.
        progress: called with the number of pairs done and their total, if known.

    Raises:
        VideoError: a frame cannot be read; the results before it are kept.
        InputError: the folder holds a run or other files in the way, another run is writing to it, an output would
            overwrite a source, the folder is named like a file, or there is too little disk space.
        FormatError: a file cannot be written.
    """
    if folder.suffix.lower() in (*FLOW_SUFFIXES, *IMAGE_SUFFIXES, *VIDEO_SUFFIXES) and not folder.is_dir():
        raise InputError(f"{folder} is called like a file; a clip's flow goes into a folder, or its video into a .mp4")
    with _working_in(folder):
        return _run(clip, estimator, folder, options, settings, resume, overwrite, progress)


def _run(
    clip: Clip,
    estimator: Estimator,
    folder: Path,
    options: ClipOptions,
    settings: dict[str, Any],
    resume: bool,
    overwrite: bool,
    progress: Callable[[int, int | None], None],
) -> RunReport:
    begun = time.perf_counter()
    remove_unfinished(folder, {RECORD})
    asked = settings
    provenance = cache(lambda: provenance_of(source_of(clip), estimator, asked, options))
    computed = {"device": str(estimator.device), "precision": estimator.precision}
    writing = Writing(options.backward, options.half, options.error, None, clip.rate, provenance, computed)
    files = RunFiles(folder, options.saves, writing)
    files.refuse_sources(clip.sources)
    # everything that decides the result: a run with other settings cannot be resumed
    settings = {**asked, "clip": clip.name, "weights": weights_hash(estimator.network), **options.to_record()}
    earlier = _earlier_run(clip, folder, files, options, settings, resume, overwrite)
    if options.drawn:
        writing = replace(writing, max_flow=options.max_flow or measure_max_flow(clip, options))
        files = RunFiles(folder, options.saves, writing)
    keep = 0 if earlier is None else pairs_there(earlier, clip, files, options)
    state = earlier or RunState(folder / RECORD, settings)
    spent = _Spent()
    if not state.complete:
        spent = _compute(clip, estimator, files, options, state, keep, progress)
    seconds = time.perf_counter() - begun
    return RunReport(
        pairs=state.pairs_done,
        computed=spent.pairs,
        seconds=round(seconds, 3),
        estimating=round(1 - (spent.reading + spent.writing) / seconds, 3),
        reading=round(spent.reading / seconds, 3),
        writing=round(spent.writing / seconds, 3),
        decoding=round(spent.decoding, 3),
        encoding=round(spent.encoding, 3),
        max_flow=writing.max_flow and round(writing.max_flow, 3),
        cuts=state.cuts,
        damaged=state.damaged,
        left_out=state.left_out,
        outputs=files.outputs(),
    )


def _earlier_run(
    clip: Clip,
    folder: Path,
    files: RunFiles,
    options: ClipOptions,
    settings: dict[str, Any],
    resume: bool,
    overwrite: bool,
) -> RunState | None:
    """Return the record of the run in the folder that is to go on; None if a new one begins."""
    earlier = RunState.read(folder / RECORD)
    if earlier is None:
        files.refuse_foreign()
        return None
    if overwrite:
        remove_run(earlier, clip)
        files.refuse_foreign()
        return None
    if not resume:
        raise InputError(
            f"{folder} holds a run already; add --resume to go on with it, or --overwrite to begin anew in its place"
        )
    earlier.refuse_other(settings)
    # a killed run may have written a part of the next pair; files of later pairs cannot belong to the run
    files.refuse_in_the_way(names_of(clip, options, range(earlier.written + 1, count_pairs(clip, options) or 0)))
    files.remove_unfinished(next(names_of(clip, options, range(earlier.pairs_done, earlier.pairs_done + 1)), ""))
    return earlier


@dataclass
class _Spent:
    """What a run has done: pairs, seconds of waiting for frames and files, and seconds of work in the background."""

    pairs: int = 0
    reading: float = 0.0
    writing: float = 0.0
    decoding: float = 0.0
    encoding: float = 0.0


def _compute(
    clip: Clip,
    estimator: Estimator,
    files: RunFiles,
    options: ClipOptions,
    state: RunState,
    keep: int,
    progress: Callable[[int, int | None], None],
) -> _Spent:
    """Estimate and write the pairs that are not done yet; the files of the first `keep` pairs are kept."""
    spent, total = _Spent(), count_pairs(clip, options)
    # continue at the first pair whose files, or whose pieces, are missing
    pieces = [pieces.pairs_there(options.segment) for pieces in files.pieces]
    first = state.pairs_done = options.first_to_compute(min([keep, *pieces]))
    # the digest must cover exactly the pairs that count as done
    state.stamps = stamps_of(clip, options, first)
    _check_size_and_space(clip, options, total - first if total else None, files.folder)
    place = options.start + first * options.stride
    whole = not (state.damaged or state.left_out)  # behind damage, frames are counted as in the run before
    source = UntilBroken(clip.frames(place, options.end, options.step, skip_broken=options.skip_broken, seek=whole))
    with (
        # contexts end in reverse order: the queue is written out before the recorder closes the last piece
        Recorder(files, state, options.segment, stamp=partial(stamp_of, clip, options), keep=keep) as recorder,
        Prefetch(source) as frames,
        BackgroundWriter(recorder.write) as behind,
    ):
        for segment in segments(frames, options.segment, done=first, separate=options.pairs == "separate"):
            for result in estimate_segment(segment, estimator, options):
                behind.put(result)
                spent.pairs += 1
                progress(first + spent.pairs, total)
    begun_joining = time.perf_counter()
    # joined even if a frame cannot be read, so that there is a video of the frames before it
    if state.pairs_done:
        recorder.join()
    joining = time.perf_counter() - begun_joining
    spent.reading, spent.writing = frames.waited, behind.waited + joining
    spent.decoding, spent.encoding = frames.worked, behind.worked + joining
    if source.error is not None:
        raise VideoError(f"{source.error}; the {state.pairs_done} flows before it are kept") from source.error
    if state.pairs_done == 0:
        raise VideoError(f"{clip.name} has fewer than two frames in the range asked for; flow needs two")
    recorder.finish()
    return spent


def run_clip_to_video(
    clip: Clip, estimator: Estimator, path: Path, options: ClipOptions, **arguments: Any
) -> RunReport:
    """Estimate the flow of a clip and write one video. Until it is finished, the files of `run_clip` are in a hidden
    folder beside it, for `resume`.

    Raises:
        InputError: the options write more than one video, an unfinished run is in the way, or `path` is the source.
        See `run_clip`.
    """
    if len(options.saves) > 1 or not isinstance(options.outputs[0], Video) or options.backward:
        raise InputError(f"{path} can take one video; for other outputs, or both directions, give a folder")
    folder = path.with_name(f".{path.stem}.opticflow")
    if (folder / RECORD).exists() and not (arguments.get("resume") or arguments.get("overwrite")):
        raise InputError(
            f"{folder} holds an unfinished run for {path}; add --resume to go on with it, or --overwrite to begin anew"
        )
    if path.resolve() in {source.resolve() for source in clip.sources}:
        raise InputError(f"{path} is read, and would be written to; choose another name")
    video = folder / options.outputs[0].file_name
    try:
        report = run_clip(clip, estimator, folder, options, **arguments)
    except VideoError:
        if video.exists():  # the flow before the frame that cannot be read
            video.replace(path)
        raise
    video.replace(path)
    (folder / RECORD).unlink()
    with suppress(OSError):  # not empty: it holds files that are not of the run
        folder.rmdir()
    return replace(report, outputs=[str(path)])


def run_pair(clip: Clip, estimator: Estimator, path: Path, options: ClipOptions) -> RunReport:
    """Estimate the flow of a clip of two frames and write it to one file.

    Args:
        clip: the frames, two in the range of the options.
        estimator: the method.
        path: the file, of the one kind of output in `options.saves`. With `options.backward` the backward flow is
            written beside it as `NAME-backward`, and the occlusion mask as `NAME-occlusion.png`.
        options: the range of frames, and what to compute and to write. The scale of a picture without a given
            `max_flow` is the largest flow.

    Raises:
        InputError: another number of frames, a kind of output without files for pairs, or an output that is an input.
        VideoError: a frame cannot be read.
        FormatError: a file cannot be written.
    """
    begun = time.perf_counter()
    (save,) = options.saves
    names = [path.name, f"{path.stem}-backward{path.suffix}", f"{path.stem}-occlusion.png"]
    outputs = [path.with_name(name) for name in names[: 3 if options.backward else 1]]
    for output in outputs:
        if output.resolve() in {source.resolve() for source in clip.sources}:
            raise InputError(f"{output} is read, and would be written to; choose another name")
        check_target(output)
    frames = [frame.image for frame in islice(clip.frames(options.start, options.end, options.step), 3)]
    if len(frames) > 2:
        raise InputError(f"{path} is one file and {clip.name} has more than two frames; give a folder, or a .mp4")
    if len(frames) < 2:
        raise VideoError(f"{clip.name} has fewer than two frames in the range asked for; flow needs two")
    read = time.perf_counter()
    pair = next(options.estimate(estimator, frames))
    estimated = time.perf_counter()
    max_flow = options.max_flow
    if options.drawn and max_flow is None:  # both directions on one scale
        max_flow = max(flow_limit(flow, None) for flow in (pair.forward, pair.backward) if flow is not None)
    writing = Writing(options.backward, options.half, options.error, max_flow)
    for output, files in zip(outputs, RunFiles(path.parent, [save], writing).files, strict=True):
        files.write(output, pair)
    written = time.perf_counter()
    seconds = written - begun
    return RunReport(
        pairs=1,
        computed=1,
        seconds=round(seconds, 3),
        estimating=round((estimated - read) / seconds, 3),
        reading=round((read - begun) / seconds, 3),
        writing=round((written - estimated) / seconds, 3),
        decoding=round(read - begun, 3),
        encoding=round(written - estimated, 3),
        max_flow=max_flow and round(max_flow, 3),
        cuts=[options.start] * pair.cut,
        damaged=[],
        left_out=[],
        outputs=[str(output) for output in outputs],
    )


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Lock a folder, made if needed, against other runs; a new folder is removed at the end if it is empty."""
    new = not folder.exists()
    make_folder(folder)
    try:
        with only_one(folder):
            yield
    finally:
        if new:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _check_size_and_space(clip: Clip, options: ClipOptions, pairs: int | None, folder: Path) -> None:
    excerpt = next(clip.excerpts(1, options.step, start=options.start, end=options.end), None)
    if excerpt is None:
        return
    height, width = excerpt[0].shape[:2]
    if any(isinstance(output, Video) for output in options.outputs):
        refuse_too_large(height, width)
    if pairs is None:
        return
    per_pixel = sum(output.bytes_per_pixel(half=options.half) for output in options.outputs)
    needed = pairs * height * width * (per_pixel * (2 if options.backward else 1) + options.backward)
    # the folder may not exist yet, but its nearest existing parent is on the same disk
    disk = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(disk).free
    if needed > free:
        raise InputError(
            f"the flow of {pairs} pairs takes up to {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; "
            "save less (--save store, or --save video), or elsewhere"
        )
