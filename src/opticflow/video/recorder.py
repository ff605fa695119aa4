"""Writes the pairs of a run: files at once, the video piece by piece, and the record of what is done."""

import shutil
from contextlib import ExitStack
from fractions import Fraction

from opticflow.estimator import PairFlow
from opticflow.video.clip import ClipFrame
from opticflow.video.outputs import FlowFiles
from opticflow.video.state import RunState
from opticflow.video.writer import VideoWriter, join_videos


class Recorder:
    """Takes the pairs of a run in order. A context manager: left by an error, it drops the unfinished piece of video,
    and left without a pair it leaves nothing.

    Args:
        files: names and formats.
        state: the record, brought up to date with each pair.
        rate: frames per second of the video.
        segment: pairs in a piece of the video.
    """

    def __init__(self, files: FlowFiles, state: RunState, rate: Fraction, segment: int):
        self._files, self._state, self._rate, self._segment = files, state, rate, segment
        self._writers: dict[str, VideoWriter] = {}
        self._pieces = ExitStack()
        self._parts = files.folder / ".parts"

    def __enter__(self) -> "Recorder":
        self._files.create_folders()
        if self._state.pairs_done == 0:
            shutil.rmtree(self._parts, ignore_errors=True)
        self._state.save()
        return self

    def __exit__(self, *error) -> None:
        self._pieces.__exit__(*error)
        if self._state.pairs_done == 0:
            self._clear()

    def write(self, result: tuple[ClipFrame, PairFlow]) -> None:
        """Write what belongs to the pair that starts with this frame."""
        frame, pair = result
        self._files.write(frame.name, pair)
        if "video" in self._files.saves:
            if self._state.pairs_done % self._segment == 0:
                self._begin_piece()
            for direction, flow in zip(self._files.directions, (pair.forward, pair.backward), strict=False):
                if flow is not None:
                    self._writers[direction].write(self._files.picture(flow), frame.time)
        if pair.cut and frame.index not in self._state.cuts:
            self._state.cuts.append(frame.index)
        self._state.pairs_done += 1
        self._state.save()

    def join_videos(self) -> None:
        """Put the pieces together."""
        if "video" in self._files.saves:
            for direction in self._files.directions:
                join_videos(sorted(self._parts.glob(f"flow{direction}_*.mp4")), self._files.video(direction))

    def finish(self) -> None:
        """Close the record."""
        shutil.rmtree(self._parts, ignore_errors=True)
        self._state.complete = True
        self._state.save()

    def _clear(self) -> None:
        """Nothing came of the run: leave nothing behind."""
        shutil.rmtree(self._parts, ignore_errors=True)
        self._state.path.unlink(missing_ok=True)
        for folder in (*{path.parent for path in self._files.paths("x")}, self._files.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _begin_piece(self) -> None:
        self._pieces.close()
        self._parts.mkdir(exist_ok=True)
        piece = self._state.pairs_done // self._segment
        self._writers = {
            direction: self._pieces.enter_context(
                VideoWriter(self._parts / f"flow{direction}_{piece:06d}.mp4", rate=self._rate)
            )
            for direction in self._files.directions
        }
