"""Write the results of a run: the files of each pair, the pieces of videos and stores, and the record of the run."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from opticflow.estimator import PairFlow
from opticflow.extract.pieces import PieceWriter, Result
from opticflow.extract.run_files import RunFiles
from opticflow.extract.state import RunState
from opticflow.io.video import ClipFrame


class Recorder:
    """Writes the pairs of a run in order. A context manager: after an error it drops the unfinished pieces, and if
    nothing useful was done it leaves no files.

    Args:
        files: the outputs.
        state: the record of the run, updated with each pair.
        segment: number of pairs in a piece of a video or a store.
        stamp: returns the stamp of the source files of the pair that begins at a frame index.
        keep: number of pairs, from the first, whose files exist and are kept.
    """

    def __init__(self, files: RunFiles, state: RunState, segment: int, *, stamp: Callable[[int], str], keep: int = 0):
        self._files, self._state, self._segment = files, state, segment
        self._stamp, self._keep = stamp, keep
        self._writers: list[PieceWriter] = []
        self._open = ExitStack()
        self._made: list[Path] = []

    def __enter__(self) -> "Recorder":
        if self._state.pairs_done == 0:
            self._files.remove_pieces()
        self._state.save()
        self._made = self._files.create_folders()
        return self

    def __exit__(self, kind, *error) -> None:
        self._open.__exit__(kind, *error)
        files, done = self._files, self._state.pairs_done
        # without files of pairs, only complete pieces are of use to a later run
        nothing = self._state.written == 0 if files.files else done == 0 or (kind and done < self._segment)
        if nothing and not any(pieces.holds(1) for pieces in files.pieces):
            self._clear()

    def write(self, found: tuple[ClipFrame, PairFlow | None, bool]) -> None:
        """Write a pair, given by its first frame, its flow (None if it has none), and whether it is damaged."""
        frame, pair, damaged = found
        state = self._state
        if pair is not None:
            self._files.write(frame.name, pair, keep=state.pairs_done < self._keep)
        if state.pairs_done == 0:
            state.begins = frame.time
        if state.pairs_done % self._segment == 0:
            self._writers = [
                self._open.enter_context(pieces.begin(state.pairs_done, self._segment)) for pieces in self._files.pieces
            ]
        for writer in self._writers:
            writer.add(Result(state.pairs_done, frame, pair, damaged, frame.time - state.begins))
        remarks = (
            (state.cuts, pair is not None and pair.cut),
            (state.damaged, pair is not None and damaged),
            (state.left_out, pair is None),
        )
        # a resumed run computes some pairs again, which must not be listed twice
        for pairs, belongs in remarks:
            if belongs and frame.index not in pairs:
                pairs.append(frame.index)
        # the files are complete before the record counts the pair
        state.advance(self._stamp(frame.index))
        if state.pairs_done % self._segment == 0:
            self._open.close()  # the pieces are complete before the record counts them
        state.save()

    def join(self) -> None:
        """Make the outputs for the clip as a whole of their pieces."""
        for pieces in self._files.pieces:
            pieces.join()

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
