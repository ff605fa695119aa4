"""Estimate a clip segment by segment, so that a resumed run gives the same results as an uninterrupted one."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice

from opticflow.errors import VideoError
from opticflow.estimator import Estimator, PairFlow
from opticflow.extract.options import ClipOptions
from opticflow.io.video import ClipFrame
from opticflow.shapes import Frame


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


def estimate_segment(
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


class UntilBroken:
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


def _noted(frames: Iterable[ClipFrame], begun: deque[ClipFrame]) -> Iterator[Frame]:
    """Yield the images of the frames, and append each frame to `begun` when it is taken."""
    for frame in frames:
        begun.append(frame)
        yield frame.image
