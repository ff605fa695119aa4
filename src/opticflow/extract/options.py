"""What a run over a clip computes and writes, and what it reports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from opticflow.errors import InputError
from opticflow.estimator import Estimator, PairFlow
from opticflow.extract.output_kinds import Output
from opticflow.extract.outputs import OUTPUTS
from opticflow.shapes import Frame
from opticflow.store import USUAL_ERROR, parse_error

LARGEST = 2**31 - 1
"""Largest frame index, and largest step between frames."""
LARGEST_BATCH = 1024
SEGMENT = 32
"""Smallest number of pairs in a segment."""


@dataclass(frozen=True)
class ClipOptions:
    """Options for running an Estimator over a clip."""

    saves: tuple[str, ...] = ("video",)
    """Kinds of output; see `outputs.OUTPUTS`."""
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
    """The flow magnitude, in pixels, at the end of the scale of drawings; measured on excerpts of the clip if None."""
    half: bool = False
    """Store flow files in half precision, in the formats that have it."""
    error: Fraction = USUAL_ERROR
    """Largest rounding error of the flow store, in pixels: a power of two."""
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
        if not {*self.saves} <= {*OUTPUTS}:
            raise InputError(f"cannot save {', '.join(map(str, self.saves))}; known are {', '.join(OUTPUTS)}")
        if self.pairs not in ("overlapping", "separate"):
            raise InputError(f"pairs are {self.pairs!r}; wanted overlapping or separate")
        for name in ("step", "batch", "warm_start"):
            if self.pairs == "separate" and getattr(self, name) != getattr(type(self), name):
                raise InputError(f"{name.replace('_', '-')} is for overlapping pairs; leave it out for separate ones")
        if self.max_flow is not None and not self.max_flow > 0:
            raise InputError(f"max-flow is {self.max_flow}; wanted pixels above 0")
        if self.max_flow is not None and not self.drawn:
            raise InputError("max-flow is for drawings; save color or video too, or leave it out")
        if self.half and not any(output.has_half for output in self.outputs):
            known = ", ".join(name for name, output in OUTPUTS.items() if output.has_half)
            raise InputError(f"half is for {known}; save one of them, or leave it out")
        object.__setattr__(self, "error", parse_error(self.error))
        if self.error != USUAL_ERROR and "store" not in self.saves:
            raise InputError("error is for the store; save that, or leave it out")

    @property
    def outputs(self) -> list[Output]:
        """The kinds of output."""
        return [OUTPUTS[save] for save in self.saves]

    @property
    def drawn(self) -> bool:
        """Whether flow is drawn in one of the outputs."""
        return any(output.drawn for output in self.outputs)

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

        With warm starts, or outputs that are made in pieces, a segment is computed from its start.
        """
        pieces = any(output.in_pieces for output in self.outputs)
        whole = self.segment if pieces or self.warm_start else self.batch
        # rounded down: the pairs of an interrupted segment are computed again
        return done // whole * whole

    def to_record(self) -> dict[str, Any]:
        """Return the options that decide the result, as plain values for the record of a run."""
        record = {**vars(self), "saves": list(self.saves), "error": str(self.error)}
        del record["skip_broken"]  # it does not change the results before a broken frame
        if "store" not in self.saves:
            del record["error"]
        return record


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
    """The flow magnitude, in pixels, at the end of the scale of drawings; None if nothing is drawn."""
    cuts: list[int]
    """Pairs with a scene cut between their two frames."""
    damaged: list[int]
    """Pairs with a damaged frame, or with frames missing between their two frames."""
    left_out: list[int]
    """Pairs without flow, because one of their frames cannot be decoded."""
    outputs: list[str]
    """Files and folders written."""
