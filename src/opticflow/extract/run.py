"""Estimate the flow of a whole clip in constant memory: frames are read ahead and results are written in the
background.

    Clip -> Prefetch -> Estimator.pairs -> BackgroundWriter -> files and video

The clip is cut into segments of a fixed number of pairs. Each segment is estimated on its own and is one piece of the
video, so that a resumed run gives the same results as an uninterrupted one.
"""

import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import partial, reduce
from itertools import chain, groupby, islice, takewhile
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from opticflow.errors import InputError, VideoError
from opticflow.estimator import Estimator, PairFlow
from opticflow.extract.outputs import SAVES, FlowFiles, bytes_per_pair
from opticflow.extract.recorder import Recorder
from opticflow.extract.state import RunState, add_stamp
from opticflow.io import FLOW_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES, make_folder
from opticflow.io.atomic import remove_unfinished
from opticflow.io.locks import only_one
from opticflow.io.prefetch import BackgroundWriter, Prefetch
from opticflow.io.video import Clip, ClipFrame
from opticflow.io.video.writer import refuse_too_large
from opticflow.shapes import Frame
from opticflow.visualize import robust_max_flow
from opticflow.weights.digest import weights_hash

LARGEST = 2**31 - 1
"""Largest frame index, and largest step between frames."""
LARGEST_BATCH = 1024
RECORD = "opticflow.json"
"""File name of a run's record in its folder."""
SEGMENT = 32
"""Smallest number of pairs in a segment."""


@dataclass(frozen=True)
class ClipOptions:
    """Options for running an Estimator over a clip."""

    saves: tuple[str, ...] = ("video",)
    """Kinds of output; see `outputs.SAVES`."""
    start: int = 0
    """Index of the first frame."""
    end: int | None = None
    """Index after the last frame."""
    step: int = 1
    """Take every step-th frame; the flow is between the frames taken."""
    pairs: Literal["overlapping", "separate"] = "overlapping"
    """Which frames form pairs. `overlapping`: each frame and the next one. `separate`: the first and the second, the
    third and the fourth and so on, for cameras for particle image velocimetry, which pause between two pairs."""
    backward: bool = False
    """Also estimate the flow from each frame to the one before, and the occlusions that follow from both directions."""
    batch: int = 1
    """Number of pairs estimated together."""
    warm_start: bool = False
    """Start each estimate from the previous flow."""
    reuse: bool = True
    """Encode each frame once instead of once per pair."""
    max_flow: float | None = None
    """The flow magnitude, in pixels, that is drawn at full saturation; measured on excerpts of the clip if None."""
    half: bool = False
    """Store `.npz` in half precision."""
    skip_broken: bool = False
    """Continue after frames that cannot be decoded; the pairs that they belong to are left out."""

    def __post_init__(self):
        for name, most in (("step", LARGEST), ("batch", LARGEST_BATCH), ("start", LARGEST), ("end", LARGEST)):
            least, given = int(name in ("step", "batch")), getattr(self, name)
            if name == "end" and given is None:
                continue
            if not (isinstance(given, int) and least <= given <= most):
                raise InputError(f"{name} is {given}; wanted {least} to {most}")
        if self.end is not None and self.end <= self.start:
            raise InputError(f"start is {self.start} and end is {self.end}; wanted 0 <= start < end")
        if not {*self.saves} <= {*SAVES}:
            raise InputError(f"cannot save {', '.join(map(str, self.saves))}; known are {', '.join(SAVES)}")
        if self.pairs not in ("overlapping", "separate"):
            raise InputError(f"pairs are {self.pairs!r}; wanted overlapping or separate")
        for name in ("step", "batch", "warm_start"):
            if self.pairs == "separate" and getattr(self, name) != getattr(type(self), name):
                raise InputError(f"{name.replace('_', '-')} is for overlapping pairs; leave it out for separate ones")
        if self.max_flow is not None and not self.max_flow > 0:
            raise InputError(f"max-flow is {self.max_flow}; wanted pixels above 0")
        if self.max_flow is not None and not self.painted:
            raise InputError("max-flow is for colours; save color or video too, or leave it out")
        if self.half and "npz" not in self.saves:
            raise InputError("half is for npz; save that, or leave it out")

    @property
    def painted(self) -> bool:
        """Whether one of the outputs shows colours."""
        return bool({"color", "video"} & {*self.saves})

    @property
    def stride(self) -> int:
        """Number of frames from the start of a pair to the start of the next."""
        return 2 if self.pairs == "separate" else self.step

    @property
    def segment(self) -> int:
        """Number of pairs in a segment: a whole number of batches."""
        return -(-SEGMENT // self.batch) * self.batch

    def estimate(self, estimator: Estimator, frames: Iterable[Frame]) -> Iterator[PairFlow]:
        """Yield the flow of each pair of these frames; see `Estimator.pairs`."""
        return estimator.pairs(
            frames, batch=self.batch, backward=self.backward, warm_start=self.warm_start, reuse=self.reuse
        )

    def first_to_compute(self, done: int) -> int:
        """Return the first pair that a run with `done` finished pairs must compute.

        With video or warm starts, a segment is computed from its start.
        """
        whole = self.segment if "video" in self.saves or self.warm_start else self.batch
        # rounded down: the pairs of an interrupted segment are computed again
        return done // whole * whole


@dataclass(frozen=True)
class RunReport:
    """The result of a run. `cuts`, `damaged` and `left_out` give pairs by the index of their first frame."""

    pairs: int
    """Number of pairs in the chosen range of the clip."""
    computed: int
    """Number of pairs processed in this run; less than `pairs` if it continued an earlier run."""
    seconds: float
    estimating: float
    """Share of the time spent in the network and around it."""
    reading: float
    """Share of the time spent waiting for frames."""
    writing: float
    """Share of the time spent waiting for files."""
    decoding: float
    """Seconds of work on reading frames, mostly in parallel with the estimate."""
    encoding: float
    """Seconds of work on files and video, mostly in parallel with the estimate."""
    max_flow: float | None
    """The flow magnitude, in pixels, that is drawn at full saturation; None if nothing is drawn."""
    cuts: list[int]
    """Pairs with a scene cut between their two frames."""
    damaged: list[int]
    """Pairs with a damaged frame, or with frames missing between their two frames."""
    left_out: list[int]
    """Pairs without flow, because one of their frames cannot be decoded."""
    outputs: list[str]
    """Files and folders written."""


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
    # everything that decides the result: a run with other settings cannot be resumed
    settings = {**settings, "clip": clip.name, "weights": weights_hash(estimator.network)}
    settings |= {**vars(options), "saves": list(options.saves)}
    del settings["skip_broken"]  # it does not change the results before a broken frame
    earlier = RunState.read(folder / RECORD)
    files = FlowFiles(folder, options.saves, None, options.half, options.backward)
    files.refuse_sources(clip.sources)
    total = _count_pairs(clip, options)
    if earlier is None:
        files.refuse_foreign()
    elif overwrite:
        _remove_run(earlier, clip)
        files.refuse_foreign()
    elif not resume:
        raise InputError(
            f"{folder} holds a run already; add --resume to go on with it, or --overwrite to begin anew in its place"
        )
    else:
        earlier.refuse_other(settings)
        # a killed run may have written a part of the next pair; files of later pairs cannot belong to the run
        names = _names(clip, options, range(earlier.written + 1, total or 0))
        files.refuse_in_the_way(names)
        files.remove_unfinished(next(_names(clip, options, range(earlier.pairs_done, earlier.pairs_done + 1)), ""))
    max_flow = (options.max_flow or measure_max_flow(clip, options)) if options.painted else None
    files = replace(files, max_flow=max_flow)
    computed, keep, reading, writing, decoding, encoding = 0, 0, 0.0, 0.0, 0.0, 0.0
    state = RunState(folder / RECORD, settings)
    if resume and earlier is not None:
        state, keep = earlier, _pairs_there(earlier, clip, files, options)
    if not state.complete:
        # continue at the first pair whose files, or whose piece of the video, are missing
        first = state.pairs_done = options.first_to_compute(min(keep, *_pairs_in_pieces(files, options.segment)))
        # the digest must cover exactly the pairs that count as done
        state.stamps = _stamps(clip, options, first)
        _check_size_and_space(clip, options, total - first if total else None, folder)
        source = _UntilBroken(
            clip.frames(
                options.start + first * options.stride, options.end, options.step, skip_broken=options.skip_broken
            )
        )
        stamp = partial(_stamp, clip, options)
        with (
            # contexts end in reverse order: the queue is written out before the recorder closes the last piece
            Recorder(files, state, clip.rate, options.segment, stamp=stamp, keep=keep) as recorder,
            Prefetch(source) as frames,
            BackgroundWriter(recorder.write) as behind,
        ):
            for segment in segments(frames, options.segment, done=first, separate=options.pairs == "separate"):
                for result in _estimate(segment, estimator, options):
                    behind.put(result)
                    computed += 1
                    progress(first + computed, total)
        reading, writing, decoding, encoding = frames.waited, behind.waited, frames.worked, behind.worked
        # joined even if a frame cannot be read, so that there is a video of the frames before it
        if state.pairs_done:
            begun_joining = time.perf_counter()
            recorder.join_videos()
            joining = time.perf_counter() - begun_joining
            writing, encoding = writing + joining, encoding + joining
        if source.error is not None:
            raise VideoError(f"{source.error}; the {state.pairs_done} flows before it are kept") from source.error
        if state.pairs_done == 0:
            raise VideoError(f"{clip.name} has fewer than two frames in the range asked for; flow needs two")
        recorder.finish()
    seconds = time.perf_counter() - begun
    return RunReport(
        pairs=state.pairs_done,
        computed=computed,
        seconds=round(seconds, 3),
        estimating=round(1 - (reading + writing) / seconds, 3),
        reading=round(reading / seconds, 3),
        writing=round(writing / seconds, 3),
        decoding=round(decoding, 3),
        encoding=round(encoding, 3),
        max_flow=max_flow and round(max_flow, 3),
        cuts=state.cuts,
        damaged=state.damaged,
        left_out=state.left_out,
        outputs=files.outputs(),
    )


def run_clip_to_video(
    clip: Clip, estimator: Estimator, path: Path, options: ClipOptions, **arguments: Any
) -> RunReport:
    """Estimate the flow of a clip and write one colour video. Until it is finished, the files of `run_clip` are in a
    hidden folder beside it, for `resume`.

    Raises:
        InputError: the options write more than the video, an unfinished run is in the way, or `path` is the source.
        See `run_clip`.
    """
    if options.saves != ("video",) or options.backward:
        raise InputError(f"{path} can take one video; for other outputs, or both directions, give a folder")
    folder = path.with_name(f".{path.stem}.opticflow")
    if (folder / RECORD).exists() and not (arguments.get("resume") or arguments.get("overwrite")):
        raise InputError(
            f"{folder} holds an unfinished run for {path}; add --resume to go on with it, or --overwrite to begin anew"
        )
    if path.resolve() in {source.resolve() for source in clip.sources}:
        raise InputError(f"{path} is read, and would be written to; choose another name")
    video = folder / "flow.mp4"
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


def measure_max_flow(clip: Clip, options: ClipOptions, places: int = 16) -> float:
    """Return one colour scale for a whole clip, in pixels, before its flow is known.

    It is a robust maximum of fast classical flow (DIS on small frames) at up to `places` places of the clip. It is at
    least 1 pixel, so that a static clip does not show noise.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flows = []
    for pair in clip.excerpts(places, options.step, start=options.start, end=options.end):
        height, width = pair[0].shape[:2]
        # frames of at most 512 pixels along the longer side are enough for a scale, and fast
        factor = min(1.0, 512 / max(height, width))
        size = max(32, round(width * factor)), max(32, round(height * factor))  # width, height
        # two images, h x w, uint8
        greys = [cv2.cvtColor(cv2.resize(f, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for f in pair]
        # h x w x 2, in pixels of the small frames
        flow = dis.calc(greys[0], greys[1], None)  # type: ignore[call-overload]
        # back to pixels of the full frames
        flows.append(flow * np.array([width / size[0], height / size[1]], np.float32))
    return max(1.0, robust_max_flow(flows))


def segments(
    frames: Iterable[ClipFrame], length: int, *, done: int = 0, separate: bool = False
) -> Iterator[Iterator[ClipFrame]]:
    """Split the frames into segments of up to `length` pairs; the last frame of a segment is the first of the next.

    If pairs are separate, each segment is one pair. Otherwise the first segment is shorter if a part of it is among the
    `done` pairs. Each segment must be read to its end before the next one.
    """
    iterator = iter(frames)
    if separate:
        # the same iterator twice: frames 0 and 1, then 2 and 3; a last single frame is dropped
        yield from (iter(pair) for pair in zip(iterator, iterator, strict=False))
        return
    last = next(iterator, None)
    pairs = length - done % length
    while last is not None and (following := next(iterator, None)) is not None:
        ends = [following]

        def run(first=last, second=following, rest=pairs - 1, ends=ends) -> Iterator[ClipFrame]:
            yield first
            yield second
            for frame in islice(iterator, rest):
                ends[0] = frame
                yield frame

        yield run()
        last, pairs = ends[0], length


def _estimate(
    segment: Iterator[ClipFrame], estimator: Estimator, options: ClipOptions
) -> Iterator[tuple[ClipFrame, PairFlow | None, bool]]:
    """Yield for each pair its first frame, its flow (None if a frame is lost), and whether it is damaged."""
    last = None  # a frame whose successor has not been seen
    # flow is only estimated within consecutive frames none of which is lost
    for lost, run in groupby(segment, key=lambda frame: frame.lost):
        # the pair of the last frame before this group and its first frame: one of the two is lost
        if last is not None:
            yield last, None, False
        frames = iter(run)
        head = [] if lost else list(islice(frames, 2))
        if len(head) < 2:
            *others, last = *head, *frames
            for frame in others:
                yield frame, None, False
            continue
        begun: deque[ClipFrame] = deque()
        for pair in options.estimate(estimator, _noted(chain(head, frames), begun)):
            # the estimator may take several frames ahead; the oldest two belong to this pair
            first, second = begun.popleft(), begun[0]
            yield first, pair, first.damaged or second.damaged or second.after_gap
        last = begun.pop()


def _noted(frames: Iterable[ClipFrame], begun: deque[ClipFrame]) -> Iterator[Frame]:
    """Yield the images of the frames, and append each frame to `begun` when it is taken."""
    for frame in frames:
        begun.append(frame)
        yield frame.image


def _pairs_there(state: RunState, clip: Clip, files: FlowFiles, options: ClipOptions) -> int:
    """Return how many pairs of an earlier run, from the first, still have all their files.

    If some are missing, the run is marked as not complete.

    Raises:
        InputError: the pairs were made from other frames.
    """
    try:
        # a change of a source file changes its stamp, and then the digest
        same = state.stamps == _stamps(clip, options, state.pairs_done)
    except IndexError:
        same = False
    if not same:
        raise InputError(f"{state.path} belongs to a run over other frames; start anew without --resume")
    # pairs without flow have no files
    left_out = {(index - options.start) // options.stride for index in state.left_out}

    def is_there(pair: int) -> bool:
        names = _names(clip, options, [pair])
        return pair in left_out or all(path.exists() for name in names for path in files.paths(name))

    there = sum(1 for _ in takewhile(is_there, range(state.pairs_done)))
    state.complete = state.complete and there == state.pairs_done and all(video.exists() for video in files.videos)
    return there


def _pairs_in_pieces(files: FlowFiles, segment: int) -> list[int]:
    """Return how many pairs the pieces of each video contain; a number without limit if there is no video."""
    return (
        [len(files.pieces(direction)) * segment for direction in files.directions] if files.has_video else [sys.maxsize]
    )


def _stamp(clip: Clip, options: ClipOptions, index: int) -> str:
    """Return the stamp of the source files of the pair that starts at frame `index`."""
    return f"{clip.stamp(index)} {clip.stamp(index + options.step)}"


def _stamps(clip: Clip, options: ClipOptions, pairs: int) -> str:
    """Return the digest of the stamps of the first `pairs` pairs."""
    stamps = (_stamp(clip, options, options.start + pair * options.stride) for pair in range(pairs))
    return reduce(add_stamp, stamps, "")


def _names(clip: Clip, options: ClipOptions, pairs: Iterable[int]) -> Iterator[str]:
    """Yield the names of the files of these pairs, up to the first pair that the clip does not have."""
    with suppress(IndexError):
        for pair in pairs:
            yield clip.frame_name(options.start + pair * options.stride)


def _remove_run(state: RunState, clip: Clip) -> None:
    """Remove what a run over this clip has written."""
    kept = {field.name for field in fields(ClipOptions)} & state.settings.keys()
    try:
        options = ClipOptions(**{**{key: state.settings[key] for key in kept}, "saves": tuple(state.settings["saves"])})
    except (KeyError, TypeError, InputError) as error:
        raise InputError(f"{state.path} is damaged; choose another folder") from error
    files = FlowFiles(state.path.parent, options.saves, None, options.half, options.backward)
    # one pair more, because a killed run may have written files that its record does not count
    names = list(_names(clip, options, range(state.written + 1)))
    files.remove_unfinished(names[-1] if names else "")
    files.remove(names)
    state.path.unlink()


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


class _UntilBroken:
    """An iterator that ends at the first frame that cannot be read and keeps the error, so that the frames before it
    can be processed."""

    def __init__(self, frames: Iterator[ClipFrame]):
        self._frames = frames
        self.error: VideoError | None = None

    def __iter__(self) -> Iterator[ClipFrame]:
        try:
            yield from self._frames
        except VideoError as error:
            self.error = error


def _count_pairs(clip: Clip, options: ClipOptions) -> int | None:
    if clip.count is None and options.end is None:
        return None
    # if only one of the clip's length and `end` is known, it is used for both
    end = min(clip.count or options.end or 0, options.end or clip.count or 0)
    # rounded up: the first frame always counts
    frames = max(0, -(-(end - options.start) // options.step))
    return frames // 2 if options.pairs == "separate" else max(0, frames - 1)


def _check_size_and_space(clip: Clip, options: ClipOptions, pairs: int | None, folder: Path) -> None:
    excerpt = next(clip.excerpts(1, options.step, start=options.start, end=options.end), None)
    if excerpt is None:
        return
    height, width = excerpt[0].shape[:2]
    if "video" in options.saves:
        refuse_too_large(height, width)
    if pairs is None:
        return
    needed = pairs * bytes_per_pair(options.saves, height, width, backward=options.backward, half=options.half)
    # the folder may not exist yet, but its nearest existing parent is on the same disk
    disk = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(disk).free
    if needed > free:
        raise InputError(
            f"the flow of {pairs} pairs takes up to {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; "
            "save less (--save video, or --save npz --half), or elsewhere"
        )
