"""What a run writes for a clip as a whole: videos and the flow store, in pieces of one segment each.

A piece appears when it is complete, and a resumed run begins at the first piece that is missing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from opticflow.estimator import PairFlow
from opticflow.io.atomic import remove_unfinished
from opticflow.io.video import ClipFrame, VideoWriter, join_videos
from opticflow.shapes import Frame
from opticflow.store.writer import SegmentWriter, complete_until, store_files


@dataclass(frozen=True)
class Result:
    """What a run passes on for one pair."""

    number: int
    """Position of the pair in the run, from 0."""
    frame: ClipFrame
    """The first frame of the pair."""
    pair: PairFlow | None
    """The flow; None if one of the frames cannot be decoded."""
    damaged: bool
    """Whether a frame is damaged, or frames are missing between the two."""
    time: float
    """Time of the first frame in seconds, from the first frame of the run."""


class PieceWriter(AbstractContextManager, ABC):
    """Writes one piece. A context manager: the piece appears when it is left without an error."""

    @abstractmethod
    def add(self, result: Result) -> None:
        """Append a pair."""


class Pieces(ABC):
    """One output for a whole clip, and the pieces that it is made of."""

    path: Path
    """The video file, or the store."""

    @abstractmethod
    def begin(self, first: int, length: int) -> PieceWriter:
        """Return the writer of the piece that begins with the pair `first`; all but the last have `length` pairs."""

    @abstractmethod
    def pairs_there(self, length: int) -> int:
        """Return the number of pairs, from the first, that are in complete pieces of `length` pairs."""

    @abstractmethod
    def holds(self, pairs: int) -> bool:
        """Return whether the finished output of a run of so many pairs is there."""

    @abstractmethod
    def join(self) -> None:
        """Make the output of the pieces."""

    @abstractmethod
    def remove_pieces(self) -> None:
        """Remove the pieces that the finished output does not need."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the output and its pieces."""

    @abstractmethod
    def in_the_way(self) -> list[Path]:
        """Return the existing paths that a new run would have to replace."""

    @abstractmethod
    def remove_unfinished(self) -> None:
        """Remove the unfinished files that a killed run left."""


@dataclass(frozen=True)
class VideoPieces(Pieces):
    """A video of drawings. The pieces are in a hidden folder beside it until they are joined."""

    path: Path
    draw: Callable[[PairFlow], Frame]
    rate: Fraction

    @property
    def folder(self) -> Path:
        """The folder of the pieces."""
        return self.path.parent / ".parts"

    def _piece(self, number: int) -> Path:
        return self.folder / f"{self.path.stem}_{number:06d}.mp4"

    def _pieces(self) -> list[Path]:
        """Return the existing pieces up to the first missing one, because those behind a gap cannot be joined."""
        return list(takewhile(Path.exists, (self._piece(number) for number in count())))

    def begin(self, first: int, length: int) -> PieceWriter:
        self.folder.mkdir(exist_ok=True)
        return _VideoPiece(VideoWriter(self._piece(first // length), rate=self.rate), self.draw)

    def pairs_there(self, length: int) -> int:
        return len(self._pieces()) * length

    def holds(self, pairs: int) -> bool:
        return self.path.exists()

    def join(self) -> None:
        join_videos(self._pieces(), self.path)

    def remove_pieces(self) -> None:
        for path in self.folder.glob(f"{self.path.stem}_" + "[0-9]" * 6 + ".mp4"):
            path.unlink()
        remove_unfinished(self.folder)
        with suppress(OSError):  # missing, or not empty
            self.folder.rmdir()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.remove_pieces()

    def in_the_way(self) -> list[Path]:
        return [path for path in (self.path, self.folder) if path.exists() or path.is_symlink()]

    def remove_unfinished(self) -> None:
        remove_unfinished(self.path.parent, {self.path.name})


class _VideoPiece(PieceWriter):
    def __init__(self, writer: VideoWriter, draw: Callable[[PairFlow], Frame]):
        self._writer, self._draw = writer, draw

    def __enter__(self) -> "PieceWriter":
        self._writer.__enter__()
        return self

    def add(self, result: Result) -> None:
        if result.pair is not None:
            self._writer.write(self._draw(result.pair), result.time)

    def __exit__(self, *error) -> None:
        self._writer.__exit__(*error)


@dataclass(frozen=True)
class StorePieces(Pieces):
    """A flow store, whose segments are the pieces."""

    path: Path
    error: Fraction
    provenance: Callable[[], dict[str, Any]]
    computed: dict[str, str]

    def begin(self, first: int, length: int) -> PieceWriter:
        return _StorePiece(SegmentWriter(self.path, self.error, self.provenance(), computed=self.computed))

    def pairs_there(self, length: int) -> int:
        return complete_until(self.path)

    def holds(self, pairs: int) -> bool:
        return complete_until(self.path) >= pairs

    def join(self) -> None:
        pass  # the store is its segments

    def remove_pieces(self) -> None:
        remove_unfinished(self.path)

    def remove(self) -> None:
        self.remove_unfinished()
        for path in store_files(self.path):
            path.unlink()
        with suppress(OSError):  # missing, or not empty
            self.path.rmdir()

    def in_the_way(self) -> list[Path]:
        return store_files(self.path)

    def remove_unfinished(self) -> None:
        remove_unfinished(self.path)


def add_to_store(writer: SegmentWriter, index: int, frame: ClipFrame, pair: PairFlow | None, damaged: bool) -> None:
    """Append a pair, given by its first frame and its flow, to a file of a store; None is noted as left out."""
    if pair is None:
        writer.leave_out(index)
    else:
        masks = {"occluded": pair.occluded, "cut": pair.cut, "damaged": damaged}
        writer.add(index, frame.name, frame.time, pair.forward, pair.backward, **masks)


class _StorePiece(PieceWriter):
    def __init__(self, writer: SegmentWriter):
        self._writer = writer

    def __enter__(self) -> "PieceWriter":
        return self

    def add(self, result: Result) -> None:
        add_to_store(self._writer, result.number, result.frame, result.pair, result.damaged)

    def __exit__(self, kind, *error) -> None:
        if kind is None:
            self._writer.write()
