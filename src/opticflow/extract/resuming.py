"""What a resumed run finds: which pairs of the clip are done, and whether they are of the same frames."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from functools import reduce
from itertools import takewhile

from opticflow.errors import InputError
from opticflow.extract.options import ClipOptions
from opticflow.extract.output_kinds import Writing
from opticflow.extract.run_files import RunFiles
from opticflow.extract.state import RunState, add_stamp
from opticflow.io.video import Clip


def count_pairs(clip: Clip, options: ClipOptions) -> int | None:
    """Return the number of pairs in the range, by the declared length of the clip; None if that is unknown."""
    if clip.count is None and options.end is None:
        return None
    # if only one of the clip's length and `end` is known, it is used for both
    end = min(clip.count or options.end or 0, options.end or clip.count or 0)
    # rounded up: the first frame always counts
    frames = max(0, -(-(end - options.start) // options.step))
    return frames // 2 if options.pairs == "separate" else max(0, frames - 1)


def names_of(clip: Clip, options: ClipOptions, pairs: Iterable[int]) -> Iterator[str]:
    """Yield the names of the files of these pairs, up to the first pair that the clip does not have."""
    with suppress(IndexError):
        for pair in pairs:
            yield clip.frame_name(options.start + pair * options.stride)


def stamp_of(clip: Clip, options: ClipOptions, index: int) -> str:
    """Return the stamp of the source files of the pair that starts at frame `index`."""
    return f"{clip.stamp(index)} {clip.stamp(index + options.step)}"


def stamps_of(clip: Clip, options: ClipOptions, pairs: int) -> str:
    """Return the digest of the stamps of the first `pairs` pairs."""
    stamps = (stamp_of(clip, options, options.start + pair * options.stride) for pair in range(pairs))
    return reduce(add_stamp, stamps, "")


def pairs_there(state: RunState, clip: Clip, files: RunFiles, options: ClipOptions) -> int:
    """Return how many pairs of an earlier run, from the first, still have all their files.

    If some are missing, the run is marked as not complete.

    Raises:
        InputError: the pairs were made from other frames.
    """
    try:
        # a change of a source file changes its stamp, and then the digest
        same = state.stamps == stamps_of(clip, options, state.pairs_done)
    except IndexError:
        same = False
    if not same:
        raise InputError(f"{state.path} belongs to a run over other frames; start anew without --resume")
    # pairs without flow have no files
    left_out = {(index - options.start) // options.stride for index in state.left_out}

    def is_there(pair: int) -> bool:
        names = names_of(clip, options, [pair])
        return pair in left_out or all(path.exists() for name in names for path in files.paths(name))

    there = sum(1 for _ in takewhile(is_there, range(state.pairs_done)))
    state.complete = (
        state.complete and there == state.pairs_done and all(pieces.holds(state.pairs_done) for pieces in files.pieces)
    )
    return there


def remove_run(state: RunState, clip: Clip) -> None:
    """Remove what a run over this clip has written."""
    kept = {field.name for field in fields(ClipOptions)} & state.settings.keys()
    try:
        options = ClipOptions(**{**{key: state.settings[key] for key in kept}, "saves": tuple(state.settings["saves"])})
    except (KeyError, TypeError, InputError) as error:
        raise InputError(f"{state.path} is damaged; choose another folder") from error
    files = RunFiles(state.path.parent, options.saves, Writing(options.backward, options.half))
    # one pair more, because a killed run may have written files that its record does not count
    names = list(names_of(clip, options, range(state.written + 1)))
    files.remove_unfinished(names[-1] if names else "")
    files.remove(names)
    state.path.unlink()
