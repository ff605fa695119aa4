"""Check flow without ground truth: whether the frames agree with it, whether it is self-consistent, and which
convention it follows."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from opticflow.errors import InputError
from opticflow.evaluate.conventions import ZERO, Verdict, hypotheses, judge, match_size, misfits
from opticflow.ops.consistency import occlusion
from opticflow.ops.warp import leaves_frame, warp
from opticflow.shapes import Frame, flow_tensor


@dataclass(frozen=True)
class FlowCheck:
    """The result of checking the flow of one pair or of a clip without ground truth. All means are over pixels."""

    pairs: int
    known: float
    """Share of the pixels with known flow."""
    mean_length: float
    """Mean length of the flow, in pixels."""
    photometric: float
    """Photometric error: mean absolute difference between the first frame and the second frame warped to it, in grey
    levels from 0 to 255. It is measured where the flow is known, stays inside the frame and, if the backward flow is
    given, is not occluded."""
    compared: float
    """Share of the pixels over which `photometric` is averaged."""
    photometric_without_motion: float
    """The same difference, at the same pixels, for zero flow."""
    forward_backward: float | None
    """Mean length of f(x) + b(x + f(x)) in pixels, at the same pixels; None without backward flow."""
    occluded: float | None
    """Share of the known pixels that the forward-backward check finds occluded; None without backward flow."""
    steadiness: float | None
    """Mean length in pixels of the change of flow along its own path, from each pair to the next; None for one pair."""
    verdict: Verdict
    fault: str
    """Description of what is wrong with the flow, its size included; empty if nothing is."""
    size_faults: list[str] = field(default_factory=list)
    """Descriptions of what is wrong with the flow's size; empty if it is the frames' size. Otherwise the verdict is for
    the flow resized to the frames."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "pairs": self.pairs,
            "known": self.known,
            "mean_length_px": self.mean_length,
            "photometric_error": self.photometric,
            "photometric_error_without_motion": self.photometric_without_motion,
            "compared": self.compared,
            "forward_backward_error_px": self.forward_backward,
            "occluded": self.occluded,
            "steadiness_px": self.steadiness,
            "verdict": {
                "name": self.verdict.name,
                "fault": self.fault,
                "sure": self.verdict.sure,
                "margin": self.verdict.margin,
                "runner_up": self.verdict.runner_up,
                "misfits": dict(self.verdict.misfits),
            },
            "size_faults": self.size_faults,
        }

    def lines(self) -> list[str]:
        """Return the result as lines of text, the verdict last."""
        lines = [
            f"pairs: {self.pairs}; flow known at {self.known:.1%} of the pixels, mean length {self.mean_length:.2f} px",
            f"photometric error: {self.photometric:.2f} grey levels at {self.compared:.1%} of the pixels "
            f"({self.photometric_without_motion:.2f} if nothing moved)",
        ]
        if self.forward_backward is not None:
            lines.append(f"forward-backward error: {self.forward_backward:.2f} px; {self.occluded:.1%} occluded")
        if self.steadiness is not None:
            lines.append(f"steadiness: flow changes by {self.steadiness:.2f} px along its path from pair to pair")
        verdict = self.verdict
        words = f"{verdict.name}: {self.fault}" if self.fault else verdict.name
        if verdict.name == "undecided":
            doubt = "the flow does not explain the frames under any convention; are they a pair, with texture?"
            return [*lines, f"verdict: {words}{'; ' if self.fault else ': '}{doubt}"]
        if verdict.name == ZERO:
            return [*lines, f"verdict: {words}"]
        if not verdict.sure:
            words += f"; not sure, it may be {verdict.runner_up}"
        return [*lines, f"verdict: {words} (next best, {verdict.runner_up}, fits {verdict.margin:.0%} worse)"]


@dataclass(frozen=True)
class FlowPair:
    """A pair of frames with flow between them, to be checked."""

    first: Frame
    second: UInt8[np.ndarray, "second_height second_width 3"]
    flow: Float32[np.ndarray, "flow_height flow_width 2"]
    """From the first frame to the second; NaN where unknown; of the frames' size or aspect ratio."""
    backward: Float32[np.ndarray, "backward_height backward_width 2"] | None = None
    """From the second frame to the first."""


class _Mean:
    """A mean over the pixels of many images."""

    def __init__(self):
        self.sum, self.count = 0.0, 0

    def add(self, values: Tensor) -> None:
        # float64, because a clip may have 10^9 pixels
        self.sum += float(values.double().sum())
        self.count += values.numel()

    @property
    def value(self) -> float:
        return self.sum / self.count if self.count else float("nan")


def check(shots: Iterable[FlowPair]) -> FlowCheck:
    """Check the flow of one or more pairs; several pairs must be consecutive.

    Raises:
        InputError: there is no pair, the sizes of frames or flows do not match, or a flow is known nowhere.
    """
    names = ("known", "length", "photometric", "still", "compared", "round", "occluded", "steady")
    means = {name: _Mean() for name in names}
    found: list[dict[str, float]] = []
    size_faults: list[str] = []
    previous: Tensor | None = None
    height = width = 0
    for shot in shots:
        height, width = shot.first.shape[:2]
        if shot.second.shape != shot.first.shape:
            raise InputError(
                f"the frames are {width}x{height} and {shot.second.shape[1]}x{shot.second.shape[0]}; wanted one size"
            )
        flow, size_fault = match_size(shot.flow, height, width)
        if size_fault and size_fault not in size_faults:
            size_faults.append(size_fault)
        if not np.isfinite(flow).all(-1).any():
            raise InputError("the flow is known nowhere, so there is nothing to check")
        found.append(misfits(flow, shot.first, shot.second))
        previous = _measure(shot, flow_tensor(flow), previous, means)
    if not found:
        raise InputError("there is no pair to check")
    tried = [h.name for h in hypotheses(height, width) if any(h.name in one for one in found)]
    # a cure that changed nothing was not tested; it has the misfit of the given flow
    verdict = judge({name: float(np.mean([one.get(name, one["correct"]) for one in found])) for name in tried})
    if size_faults:
        # the verdict is for the resized flow, not for the given one
        verdict = replace(verdict, sure=False)
    fault = "; ".join(filter(None, [*size_faults, verdict.fault(height, width)]))

    def optional(name: str) -> float | None:
        return means[name].value if means[name].count else None

    return FlowCheck(
        len(found),
        means["known"].value,
        means["length"].value,
        means["photometric"].value,
        means["compared"].value,
        means["still"].value,
        optional("round"),
        optional("occluded"),
        optional("steady"),
        verdict,
        fault,
        size_faults,
    )


def _measure(shot: FlowPair, flow: Tensor, previous: Tensor | None, means: dict[str, _Mean]) -> Tensor:
    """Add one pair to the means, and return its flow for the next pair."""
    known = flow.isfinite().all(1)[0]  # H x W
    filled = flow.nan_to_num(0.0, 0.0, 0.0)  # 1 x 2 x H x W, pixels
    # 1 x 3 x H x W each, grey levels from 0 to 255
    first, second = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() for frame in (shot.first, shot.second))
    # H x W; pixels whose target lies outside the second frame cannot be compared
    usable = known & ~leaves_frame(filled)[0]
    if shot.backward is not None:
        backward, _ = match_size(shot.backward, *known.shape)  # H x W x 2, pixels
        reverse = flow_tensor(backward).nan_to_num(0.0, 0.0, 0.0)
        hidden = occlusion(filled, reverse)[0]  # H x W
        means["occluded"].add(hidden[known])
        usable &= ~hidden
        # length of f(x) + b(x + f(x)), which is zero for flows that agree
        means["round"].add((filled + warp(reverse, filled)).square().sum(1).sqrt()[0][usable])
    means["known"].add(known)
    means["compared"].add(usable)
    means["length"].add(filled.square().sum(1).sqrt()[0][known])
    means["photometric"].add((warp(second, filled) - first).abs().mean(1)[0][usable])
    means["still"].add((second - first).abs().mean(1)[0][usable])
    if previous is not None:
        start = previous.nan_to_num(0.0, 0.0, 0.0)
        # flow at the point to which the previous pair moved the pixel, compared with the previous flow
        change = (warp(flow, start) - previous).square().sum(1).sqrt()[0]
        means["steady"].add(change[change.isfinite() & ~leaves_frame(start)[0]])
    return flow
