"""Find the convention that a flow file follows, from the frames alone.

Many faults of flow files are conventions: u and v exchanged, a sign, the direction of time, units. Each such fault has
a cure, a simple change of the numbers. This module applies every cure it knows, warps with the result, and finds the
one for which the frames agree best.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from opticflow.errors import InputError
from opticflow.shapes import FlowArray, Frame

Grey = Float32[np.ndarray, "height width"]
AnyFlow = Float32[np.ndarray, "flow_height flow_width 2"]
SIGN, BACKWARD = "sign flipped", "backward"
NO_MOTION, ZERO = "no motion", "zero flow"


@dataclass(frozen=True)
class Hypothesis:
    """One convention that a flow may follow."""

    name: str
    fault: str
    """Description of what is wrong if the hypothesis holds; empty for nothing."""
    cure: Callable[[FlowArray], FlowArray]
    """Function that converts the flow, at the frames' size, to this package's convention."""
    reverse: bool = False
    """Whether the result starts in the second frame and points to the first."""


def _times(u: float, v: float) -> Callable[[FlowArray], FlowArray]:
    return lambda flow: flow * np.array([u, v], np.float32)


def hypotheses(height: int, width: int) -> list[Hypothesis]:
    """Return all hypotheses for frames of this size; the first is that nothing is wrong."""
    # H x W x 2: the x and y of each pixel
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    scales = {
        2.0: "half of what they should be, as from frames of half the size",
        4.0: "a quarter of what they should be, as of flow left at 1/4 resolution",
        8.0: "an eighth of what they should be, as of flow left at 1/8 resolution",
        20.0: "a twentieth of what they should be, as FlowNet's output before it is multiplied by 20",
        0.5: "twice what they should be, as from frames of double the size",
        0.25: "four times what they should be",
        0.125: "eight times what they should be",
        0.05: "twenty times what they should be, as if multiplied by FlowNet's 20 once too often",
    }
    return [
        Hypothesis("correct", "", lambda flow: flow),
        Hypothesis("u and v swapped", "the channels are (v, u); wanted (u, v)", lambda flow: flow[..., ::-1]),
        Hypothesis("swapped and negated", "the channels are (-v, -u); wanted (u, v)", lambda flow: -flow[..., ::-1]),
        Hypothesis(SIGN, "both components have the wrong sign", _times(-1, -1)),
        Hypothesis("u flipped", "u points left; wanted right", _times(-1, 1)),
        Hypothesis("v flipped", "v points up; wanted down", _times(1, -1)),
        Hypothesis(
            BACKWARD,
            "the flow leads from the second frame to the first; give it as --backward",
            lambda flow: flow,
            True,
        ),
        Hypothesis(
            "upside down",
            "the rows are in reverse order, as of a PFM file read from the top",
            lambda flow: flow[::-1],
        ),
        Hypothesis(
            "upside down, v flipped",
            "the rows are in reverse order and v points up: the flow of frames turned upside down",
            lambda flow: flow[::-1] * np.array([1, -1], np.float32),
        ),
        Hypothesis("mirrored", "the columns are in reverse order", lambda flow: flow[:, ::-1]),
        Hypothesis(
            "normalised to [-1, 1]",
            "the vectors are in half frame sizes, as grid_sample takes them; wanted pixels",
            _times(width / 2, height / 2),
        ),
        Hypothesis(
            "fraction of the size",
            "the vectors are in fractions of the frame's width and height; wanted pixels",
            _times(width, height),
        ),
        Hypothesis("absolute", "the values are target positions x + u, y + v; wanted (u, v)", lambda flow: flow - grid),
        *(
            Hypothesis(
                f"scaled by 1/{factor:g}" if factor > 1 else f"scaled by {1 / factor:g}",
                f"the vectors are {words}",
                _times(factor, factor),
            )
            for factor, words in scales.items()
        ),
        Hypothesis(NO_MOTION, "it explains the frames no better than no flow at all", lambda flow: flow * 0),
    ]


@dataclass(frozen=True)
class Verdict:
    """The hypothesis that explains the frames best, and its margin."""

    name: str
    """Name of the hypothesis; `correct` if nothing is wrong, `zero flow` if the given flow is zero and the frames do
    not agree under it, `undecided` if no hypothesis explains the frames."""
    margin: float
    """How much larger the misfit of the next best hypothesis is, as a share of the smallest misfit: 0.5 means one and a
    half times as large."""
    runner_up: str
    misfits: Mapping[str, float]
    """Misfit of each hypothesis: 0 for frames that agree, about 1 for unrelated frames."""
    sure: bool
    """Whether the margin is large enough to rely on."""

    def fault(self, height: int, width: int) -> str:
        """Description of what is wrong with the flow of frames of this size; empty if nothing is."""
        if self.name == ZERO:
            return "it says that nothing moves, and the frames do not agree with that"
        if self.name == NO_MOTION and self.misfits[NO_MOTION] < STILL:
            return "the frames do not move, and the flow does not fit them"
        return next((h.fault for h in hypotheses(height, width) if h.name == self.name), "")


LIKELY = 0.03
"""A fault is reported only if its cure fits better than the given flow by this share."""
SURE = 0.05
"""A verdict is sure if the next best hypothesis fits worse by this share."""
SURE_OF_TWINS = 0.25
"""The same between the wrong sign and the wrong direction, which differ little."""
RELATED = 0.8
"""A verdict is given only if its misfit is below this; above, no hypothesis explains the frames."""
STILL = 0.25
"""Frames whose misfit under zero flow is below this are static."""
SAME = 0.01
"""A cure that changes the flow by less than this, in pixels on average, is not tested."""
TEXTURE = 0.5
"""Frames whose detail is weaker than this, in grey levels, do not allow a verdict."""


def match_size(flow: AnyFlow, height: int, width: int) -> tuple[FlowArray, str]:
    """Resize a flow to the frames' size without changing its values, and return the fault if that was needed."""
    found = flow.shape[:2]
    if found == (height, width):
        return flow, ""
    if found == (width, height):
        return (
            np.ascontiguousarray(flow.swapaxes(0, 1)),
            f"the flow is {found[1]}x{found[0]}, the frames are {width}x{height}: height and width are exchanged",
        )
    ratio_y, ratio_x = height / found[0], width / found[1]
    if not 0.8 < ratio_y / ratio_x < 1.25:
        raise InputError(
            f"the flow is {found[1]}x{found[0]}, the frames are {width}x{height}; wanted one size, or equal proportions"
        )
    resized = np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return resized, f"the flow is {found[1]}x{found[0]}, the frames are {width}x{height}; wanted one size"


def misfits(flow: FlowArray, first: Frame, second: Frame) -> dict[str, float]:
    """Return the misfit of each hypothesis. See `Verdict.misfits`.

    The frames are compared after subtracting their local mean, so that a change of light does not count, and
    differences are capped, so that occlusions count little. Pixels that a hypothesis moves out of the frame count as
    unrelated. Flow with the wrong sign and flow in the wrong direction differ only in the frame where the vectors
    start. These two are compared only on the pixels that stay inside the frame, because the margin that leaves it does
    not distinguish them. A cure that does not change the flow is left out.

    Args:
        flow: at the frames' size; NaN where unknown.
        first: the first frame.
        second: the second.
    """
    before, after = _detail(first), _detail(second)  # H x W each, grey levels around zero
    # three times the mean detail of the two frames; never zero
    cap = 3 * float(np.abs(before).mean() + np.abs(after).mean()) / 2 + 1e-6
    unrelated = _unrelated(before, after, cap)
    if unrelated < TEXTURE:
        return {hypothesis.name: 1.0 for hypothesis in hypotheses(*before.shape)}
    found, inside_only = {}, {}
    for hypothesis in hypotheses(*before.shape):
        cured = np.ascontiguousarray(hypothesis.cure(flow), dtype=np.float32)  # H x W x 2, pixels
        # tiny vectors, such as fractions of the frame size, are not zero flow
        tiny = hypothesis.name == NO_MOTION and np.nan_to_num(flow).any()
        if found and not hypothesis.reverse and not tiny and _unchanged(cured, flow):
            continue  # for example a constant flow turned upside down
        # backward flow lies in the second frame, so the frames change places
        source, target = (after, before) if hypothesis.reverse else (before, after)
        name = hypothesis.name
        found[name], inside_only[name] = _misfit(cured, source, target, cap, unrelated)
    if inside_only.get(SIGN):
        # the ratio from the inner pixels alone, on the scale of the other hypotheses
        found[BACKWARD] = found[SIGN] * inside_only[BACKWARD] / inside_only[SIGN]
    return found


def judge(pair_misfits: Mapping[str, float]) -> Verdict:
    """Return the verdict from the misfits of one pair, or from their means over several.

    A cure must fit better than zero flow. If zero flow is not among the misfits, the given flow is zero itself; the
    verdict is then `correct` or `zero flow`.
    """
    ordered = sorted(pair_misfits, key=pair_misfits.__getitem__)
    best = ordered[0]
    # in doubt, the given flow is correct
    if pair_misfits["correct"] <= (1 + LIKELY) * pair_misfits[best]:
        best = "correct"
    elif pair_misfits.get(NO_MOTION, np.inf) <= (1 + LIKELY) * pair_misfits[best]:
        best = NO_MOTION
    runner_up = next(name for name in ordered if name != best)
    margin = max(0.0, pair_misfits[runner_up] / max(pair_misfits[best], 1e-9) - 1)
    if NO_MOTION not in pair_misfits:
        zero = pair_misfits["correct"] >= STILL
        return Verdict(ZERO if zero else "correct", margin, runner_up, dict(pair_misfits), True)
    related = pair_misfits[best] < RELATED
    sure = related and margin > (SURE_OF_TWINS if {best, runner_up} == {SIGN, BACKWARD} else SURE)
    return Verdict(best if related else "undecided", margin, runner_up, dict(pair_misfits), sure)


def _detail(frame: Frame) -> Grey:
    # H x W, grey levels
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # a difference of Gaussians of 1 and 8 pixels removes noise and slow changes of light
    return cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 8.0)


def _unrelated(before: Grey, after: Grey, cap: float) -> float:
    """Return the mean capped difference of the frames at unrelated pixels."""
    height, width = before.shape
    # large shifts, so that pixels of different places are compared
    shifts = [(height // 2, width // 2), (height // 3, width // 4), (height // 4, width // 3)]
    return float(np.mean([np.minimum(np.abs(before - np.roll(after, s, (0, 1))), cap).mean() for s in shifts])) + 1e-6


def _misfit(flow: FlowArray, source: Grey, target: Grey, cap: float, unrelated: float) -> tuple[float, float]:
    """Return the misfit over all known pixels, and over those that stay inside the frame.

    Large frames are sampled on a regular grid: about a hundred thousand pixels are enough for a mean.
    """
    height, width = source.shape
    step = max(1, round((height * width / 100_000) ** 0.5))
    # h x w each, on the grid of sampled pixels
    y, x = np.mgrid[0:height:step, 0:width:step].astype(np.float32)
    flow, source = flow[::step, ::step], source[::step, ::step]
    known = np.isfinite(flow).all(-1)  # h x w
    x, y = x + np.where(known, flow[..., 0], 0), y + np.where(known, flow[..., 1], 0)
    inside = known & (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    # far beyond the frame, the arithmetic of remap overflows
    warped = cv2.remap(target, np.clip(x, -1, width), np.clip(y, -1, height), cv2.INTER_LINEAR)
    # a warp that samples only a few points has little detail, so it differs less from any image
    elsewhere = np.roll(source, (source.shape[0] // 2, source.shape[1] // 2), (0, 1))
    own = _mean(np.minimum(np.abs(warped - elsewhere), cap)[inside])
    # h x w: 0 where frames agree, about 1 where they are unrelated or the target is outside
    difference = np.where(inside, np.minimum(np.abs(warped - source), cap) / (min(own, unrelated) + 1e-6), 1.0)
    return _mean(difference[known]), _mean(difference[inside])


def _unchanged(cured: FlowArray, flow: FlowArray) -> bool:
    change = np.abs(cured - flow)
    change = change[np.isfinite(change)]
    return bool(change.size and change.mean() < SAME)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0
