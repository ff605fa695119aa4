"""The flow of a clip on demand: a pair is estimated when it is asked for first, and kept in a store."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from opticflow.errors import InputError, VideoError
from opticflow.estimator import Estimator, load, resolve
from opticflow.extract.options import ClipOptions
from opticflow.extract.pairs import estimate_segment, segments
from opticflow.extract.pieces import add_to_store
from opticflow.extract.provenance import provenance_of, source_of
from opticflow.extract.resuming import count_pairs
from opticflow.io import make_folder
from opticflow.io.video import open_clip
from opticflow.settings import Settings, settings_by_name
from opticflow.store import USUAL_ERROR, FlowReader, FlowStore, parse_error
from opticflow.store.format import LENGTH
from opticflow.store.writer import SegmentWriter, has_files
from opticflow.weights import DEFAULT_MODEL

_LOCKS = ".locks"


class FlowClip(FlowReader):
    """The flow of a clip, estimated when it is asked for.

    It reads like a `FlowStore`. Pairs that are not in the store yet are estimated and written to it, so that they are
    estimated once, also if several processes or PyTorch's `DataLoader` workers, forked or spawned, share the store.
    Neighbouring pairs that are asked for together are estimated as one stream.

    Args:
        clip: a video, a folder or a list of pictures; see `opticflow.io.video.open_clip`.
        model: a name of `opticflow.list_models`, or a checkpoint file; the default model if not given. It is loaded
            when the first pair is estimated.
        store: folder of the store, made if it is not there; call it `NAME.flows`.
        error: largest rounding error of a flow component in pixels, a power of two.
        backward: also estimate backward flow and occlusion.
        start: index of the first frame.
        end: index after the last frame.
        step: take every step-th frame; the flow is between the frames taken.
        pairs: `overlapping`, or `separate` for frames 0 and 1, 2 and 3 and so on.
        skip_broken: leave out the pairs of frames that cannot be decoded, instead of raising an error.
        settings: by keyword, the fields of `Settings`, such as `device="cpu"`.

    Raises:
        InputError: settings that cannot be used, or a store of other flow.
        VideoError: the clip cannot be opened, or a frame cannot be read.

    Example:
        >>> flows = opticflow.FlowClip("clip.mp4", "DIS", store="cache.flows")
        >>> len(flows), flows[1].forward.shape
        (2, (64, 96, 2))
        >>> flows.stack(0, 2).shape
        (4, 64, 96)
    """

    @settings_by_name(Settings)
    def __init__(
        self,
        clip: str | PathLike[str] | Sequence[str | PathLike[str]],
        model: str | PathLike[str] | None = None,
        *,
        store: str | PathLike[str],
        error: float | str | Fraction = USUAL_ERROR,
        backward: bool = False,
        start: int = 0,
        end: int | None = None,
        step: int = 1,
        pairs: Literal["overlapping", "separate"] = "overlapping",
        skip_broken: bool = False,
        settings: Settings,
    ):
        one = isinstance(clip, str | PathLike)
        self._clip = open_clip(Path(clip) if one else [Path(path) for path in clip])  # type: ignore[union-attr,arg-type]
        self._model = str(model) if model is not None else DEFAULT_MODEL
        self._settings = resolve(self._model, settings)
        self.path = Path(store)
        self._options = ClipOptions(
            saves=("store",),
            start=start,
            end=end,
            step=step,
            pairs=pairs,
            backward=backward,
            error=parse_error(error),
            skip_broken=skip_broken,
        )
        self._source = source_of(self._clip)
        self._store: FlowStore | None = None
        self._estimator: Estimator | None = None
        self._check_store()

    @property
    def error(self) -> Fraction:
        """Largest rounding error of a flow component, in pixels."""
        return self._options.error

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the flow comes from: program, method, weights, settings, source. It loads the model."""
        return provenance_of(self._source, self._loaded(), self._record, self._options)

    @cached_property
    def _pairs(self) -> int:
        pairs = count_pairs(self._clip, self._options)
        if pairs is None:  # the file does not say how many frames it has
            frames = sum(1 for _ in self._clip.frames(self._options.start, self._options.end, self._options.step))
            pairs = frames // 2 if self._options.pairs == "separate" else max(0, frames - 1)
        return pairs

    def __len__(self) -> int:
        return self._pairs

    def __repr__(self) -> str:
        return f"FlowClip({self._clip.name!r}, {self._model!r}, store={str(self.path)!r}: {len(self)} pairs)"

    def read(self, indices: list[int]) -> FlowStore:
        """Return the store with these pairs in it; those that are missing are estimated.

        Raises:
            VideoError: a frame cannot be read.
        """
        for run in _runs(self._missing(indices)):
            self._fill(run)
        if self._store is None:
            raise VideoError(f"{self._clip.name} has no pair of frames that can be decoded among those asked for")
        return self._store

    @property
    def _record(self) -> dict[str, Any]:
        """The settings as `opticflow estimate` records them, so that both fill the same store."""
        iterations = self._estimator.settings.iterations if self._estimator else self._settings.iterations
        return {"model": self._model, **self._settings.record(), "iterations": iterations}

    def _missing(self, indices: list[int]) -> list[int]:
        """Return which of these pairs are not in the store."""
        if self._store is None:
            self._store = FlowStore(self.path) if has_files(self.path) else None
        elif not all(self._store.holds(index) for index in indices):
            self._store.refresh()
        return [index for index in indices if self._store is None or not self._store.holds(index)]

    def _fill(self, run: range) -> None:
        """Estimate the pairs of a run that nobody else has estimated in the meantime."""
        make_folder(self.path / _LOCKS)
        locks = [self.path / _LOCKS / f"{index:06d}" for index in run]
        with ExitStack() as held:
            for lock in locks:  # in ascending order, so that two processes never wait for each other
                held.enter_context(FileLock(lock))
            for missing in _runs(self._missing(list(run))):
                self._estimate(missing)
            for lock in locks:  # who waits for one finds the pairs in the store
                with suppress(OSError):
                    lock.unlink()
        self._missing(list(run))

    def _estimate(self, run: range) -> None:
        options, provenance = self._options, self.provenance
        computed = {"device": str(self._loaded().device), "precision": self._loaded().precision}
        lock = FileLock(self.path / _LOCKS / "index")
        writer = SegmentWriter(self.path, options.error, provenance, computed=computed, lock=lock)
        first, index = options.start + run.start * options.stride, run.start
        last = options.start + (run.stop - 1) * options.stride + (1 if options.pairs == "separate" else options.step)
        frames = self._clip.frames(first, last + 1, options.step, skip_broken=options.skip_broken)
        for segment in segments(frames, len(run), separate=options.pairs == "separate"):
            for frame, pair, damaged in estimate_segment(segment, self._loaded(), options):
                add_to_store(writer, index, frame, pair, damaged)
                index += 1
        if index < run.stop:
            raise VideoError(f"{self._clip.name} ends before pair {index}, although it declares {len(self)} pairs")
        writer.write()

    def _loaded(self) -> Estimator:
        if self._estimator is None:
            self._estimator = load(self._model, **vars(self._settings))
        return self._estimator

    def _check_store(self) -> None:
        """Raise an error if the store holds other flow than this clip would have."""
        if not has_files(self.path):
            return
        self._store = FlowStore(self.path)
        head = self._store.head
        wanted = provenance_of(self._source, None, self._record, self._options)
        different = [
            f"{name} was {head.provenance.get(name)!r} and is {wanted.get(name)!r}"
            for name in sorted({*wanted, *head.provenance})
            # known only when the model is loaded; files of different heads are refused then
            if name not in ("weights", "iterations") and head.provenance.get(name) != wanted.get(name)
        ]
        if head.error != self.error or head.backward != self._options.backward:
            different.append("error or backward are others")
        if different:
            raise InputError(f"{self.path} holds other flow ({', '.join(different)}); give another store")

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_estimator": None, "_store": copy.copy(self._store)}


def _runs(indices: list[int]) -> Iterator[range]:
    """Split ascending indices into runs of neighbours in the same block of 32."""
    run: range | None = None
    for index in sorted({*indices}):
        if run is not None and index == run.stop and index % LENGTH:
            run = range(run.start, index + 1)
            continue
        if run is not None:
            yield run
        run = range(index, index + 1)
    if run is not None:
        yield run
