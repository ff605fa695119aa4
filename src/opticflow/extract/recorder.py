"""Write the results of a run: the files of each pair, the video in pieces, and the record of the run."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

from opticflow.estimator import PairFlow
from opticflow.extract.outputs import FlowFiles
from opticflow.extract.state import RunState
from opticflow.io.video import ClipFrame
from opticflow.io.video.writer import VideoWriter, join_videos


class Recorder:
    """Writes the pairs of a run in order. A context manager: after an error it drops the unfinished piece of video, and
    if nothing useful was done it leaves no files.

    Args:
        files: names and formats of the outputs.
        state: the record of the run, updated with each pair.
        rate: frames per second of the video.
        segment: number of pairs in a piece of the video.
        stamp: returns the stamp of the source files of the pair that begins at a frame index.
        keep: number of pairs, from the first, whose files exist and are kept.
    """

    def __init__(
        self,
        files: FlowFiles,
        state: RunState,
        rate: Fraction,
        segment: int,
        *,
        stamp: Callable[[int], str],
        keep: int = 0,
    ):
        self._files, self._state, self._rate, self._segment = files, state, rate, segment
        self._stamp, self._keep = stamp, keep
        self._writers: dict[str, VideoWriter] = {}
        self._pieces = ExitStack()
        self._made: list[Path] = []

    def __enter__(self) -> "Recorder":
        if self._state.pairs_done == 0:
            self._files.remove_pieces()
        self._state.save()
        self._made = self._files.create_folders()
        return self

    def __exit__(self, kind, *error) -> None:
        self._pieces.__exit__(kind, *error)
        files, done = self._files, self._state.pairs_done
        # without files of pairs, only a complete piece of the video is of use to a later run
        nothing = done == 0 or (kind and done < self._segment) if files.only_video else self._state.written == 0
        if nothing and not any(video.exists() for video in files.videos):
            self._clear()

    def write(self, result: tuple[ClipFrame, PairFlow | None, bool]) -> None:
        """Write a pair, given by its first frame, its flow (None if it has none), and whether it is damaged."""
        frame, pair, damaged = result
        if pair is not None:
            self._files.write(frame.name, pair, keep=self._state.pairs_done < self._keep)
        if self._state.pairs_done == 0:
            self._state.begins = frame.time
        if self._files.has_video:
            # a segment begins: each one is a separate piece of the video
            if self._state.pairs_done % self._segment == 0:
                self._begin_piece()
            flows = (pair.forward, pair.backward) if pair is not None else ()
            for direction, flow in zip(self._files.directions, flows, strict=False):
                if flow is not None:
                    self._writers[direction].write(self._files.picture(flow), frame.time - self._state.begins)
        remarks = (
            (self._state.cuts, pair is not None and pair.cut),
            (self._state.damaged, pair is not None and damaged),
            (self._state.left_out, pair is None),
        )
        # a resumed run computes some pairs again, which must not be listed twice
        for pairs, belongs in remarks:
            if belongs and frame.index not in pairs:
                pairs.append(frame.index)
        # the files are complete before the record counts the pair
        self._state.advance(self._stamp(frame.index))
        if self._state.pairs_done % self._segment == 0:
            self._pieces.close()  # the piece is complete before the record counts it
        self._state.save()

    def join_videos(self) -> None:
        """Join the pieces of the videos."""
        if self._files.has_video:
            for direction in self._files.directions:
                join_videos(self._files.pieces(direction), self._files.video(direction))

    def finish(self) -> None:
        """Remove the pieces and mark the record as complete."""
        self._files.remove_pieces()
        self._state.complete = True
        self._state.save()

    def _clear(self) -> None:
        """Remove the pieces, the record and the new folders of a run without results."""
        self._files.remove_pieces()
        self._state.path.unlink(missing_ok=True)
        for folder in self._made:
            with suppress(OSError):  # not empty
                folder.rmdir()

    def _begin_piece(self) -> None:
        self._files.parts.mkdir(exist_ok=True)
        piece = self._state.pairs_done // self._segment
        self._writers = {
            direction: self._pieces.enter_context(VideoWriter(self._files.piece(direction, piece), rate=self._rate))
            for direction in self._files.directions
        }
