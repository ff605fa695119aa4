"""Write the flow of a store in other forms: flow files, pictures, videos, and JPEG for two-stream networks."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from opticflow.errors import InputError
from opticflow.estimator import PairFlow
from opticflow.extract.output_kinds import Writing
from opticflow.extract.outputs import OUTPUTS
from opticflow.extract.pieces import Result
from opticflow.extract.run_files import RunFiles
from opticflow.io import make_folder
from opticflow.io.atomic import write_bytes
from opticflow.io.video import ClipFrame
from opticflow.shapes import FlowArray, as_flow
from opticflow.store import FlowSequence
from opticflow.visualize import robust_max_flow

JPEG = "jpeg"
"""The form of two-stream networks: two grey JPEGs for each flow."""
EXPORTS = (*(name for name, output in OUTPUTS.items() if output.exportable), JPEG)
"""What a store can be exported to: the outputs of a run that need no frames, and JPEG."""
_QUALITY = 95

Grey = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class TwoStream:
    """How flow becomes grey pictures for two-stream networks, as denseflow and mmaction2 write them."""

    bound: float = 20.0
    """Length in pixels that is white, and its negative is black; longer components are clipped."""
    short_side: int | None = None
    """Resize the flow to this length of the shorter side, and its values with it."""
    rate: Fraction | None = None
    """Take as many pairs a second, the nearest ones; each flow stays that of neighbouring frames."""

    def __post_init__(self):
        if not 0 < self.bound < 1e6:
            raise InputError(f"the bound is {self.bound}; wanted pixels above 0")
        if self.short_side is not None and not 1 <= self.short_side <= 16384:
            raise InputError(f"the short side is {self.short_side}; wanted 1 to 16384 pixels")
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"the rate is {self.rate}; wanted pairs a second above 0")


@dataclass
class Exported:
    """The result of an export."""

    pairs: int = 0
    """Number of pairs written."""
    outputs: list[str] = field(default_factory=list)
    """Files and folders written."""
    max_flow: float | None = None
    """The flow magnitude, in pixels, at the end of the scale of drawings; None if nothing is drawn."""
    clipped: float | None = None
    """Share of the pixels whose flow is beyond the bound of the JPEGs; None without JPEGs."""


def export(
    flows: FlowSequence,
    folder: Path,
    saves: Sequence[str],
    *,
    two_stream: TwoStream | None = None,
    half: bool = False,
    max_flow: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Exported:
    """Write the flow of a store, or of a folder of flow files, in other forms.

    Args:
        flows: the flow; see `opticflow.store.open_flows`.
        folder: the output folder; made if needed. `jpeg` is written into it, the other forms into subfolders and videos
            as `opticflow estimate` writes them.
        saves: which of `EXPORTS`.
        two_stream: how JPEGs are written.
        half: store flow files in half precision, in the formats that have it.
        max_flow: the flow magnitude, in pixels, at the end of the scale of drawings; measured on the flow if None.
        overwrite: replace existing files.
        progress: called with the number of pairs done and their total.

    Raises:
        InputError: a form that is not known, or files in the way.
        FormatError: a file cannot be read or written.
    """
    unknown = [save for save in saves if save not in EXPORTS]
    if unknown or not saves:
        raise InputError(f"cannot export {', '.join(unknown) or 'nothing'}; known are {', '.join(EXPORTS)}")
    pictures = two_stream or TwoStream()
    rows = [save for save in saves if save != JPEG]
    drawn = any(OUTPUTS[save].drawn for save in rows)
    if drawn and max_flow is None:
        max_flow = robust_max_flow(flows.read(number) for number in range(len(flows)))
    writing = Writing(flows.backward is not None, half, max_flow=max_flow if drawn else None, rate=flows.rate)
    files = RunFiles(folder, rows, writing)
    chosen = _at_rate(flows, pictures.rate) if JPEG in saves else []
    targets = [path for name in flows.names for path in files.paths(name)] + [pieces.path for pieces in files.pieces]
    targets += [path for place in range(len(chosen)) for path in _jpegs(folder, place, flows)] if JPEG in saves else []
    if not overwrite:
        for path in targets:
            if path.exists():
                raise InputError(f"{path} is there already; add --overwrite to replace it, or give another folder")
    files.create_folders()
    found = Exported(outputs=files.outputs(), max_flow=writing.max_flow)
    clipped, place = 0.0, 0
    with ExitStack() as opened:
        writers = [opened.enter_context(pieces.begin(0, len(flows))) for pieces in files.pieces]
        for number in range(len(flows)):
            pair = _pair(flows, number)
            if rows:
                files.write(flows.names[number], pair)
            frame = ClipFrame(number, flows.names[number], float(number / flows.rate), pair.first)
            for writer in writers:
                writer.add(Result(number, frame, pair, False, frame.time))
            while place < len(chosen) and chosen[place] == number:
                clipped += _write_jpegs(_jpegs(folder, place, flows), pair, pictures)
                place += 1
            found.pairs += 1
            progress(found.pairs, len(flows))
    for pieces in files.pieces:
        pieces.join()
        pieces.remove_pieces()
    if JPEG in saves:
        found.clipped = clipped / max(1, len(chosen))
        found.outputs.append(str(folder))
        _describe(folder, flows, pictures, found.clipped, len(chosen))
    return found


def to_grey(flow: FlowArray, bound: float) -> tuple[Grey, Grey]:
    """Return the grey pictures of u and v: 255 (c + bound) / (2 bound), rounded and clipped to 0 ... 255.

    This is the formula of denseflow (`convertFlowToImage`), the tool of temporal segment networks (Wang et al., ECCV
    2016). Unknown flow is drawn as no motion.
    """
    known, _ = as_flow(flow)
    levels = np.clip(np.rint((known + np.float32(bound)) * np.float32(255 / (2 * bound))), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels[..., 0]), np.ascontiguousarray(levels[..., 1])


def _pair(flows: FlowSequence, number: int) -> PairFlow:
    forward = flows.read(number)
    backward = flows.backward.read(number) if flows.backward else None
    white = np.full((*forward.shape[:2], 3), 255, np.uint8)
    occluded = flows.occluded(number) if flows.occluded else None
    return PairFlow(number, white, white, forward, backward, occluded, False)


def _at_rate(flows: FlowSequence, rate: Fraction | None) -> list[int]:
    """Return the numbers of the flows that are taken, in order."""
    if rate is None:
        return list(range(len(flows)))
    if rate > flows.rate:
        raise InputError(f"the rate is {rate} pairs a second and the clip has {flows.rate}; wanted at most that")
    count = int(len(flows) * rate / flows.rate)
    return [round(place * flows.rate / rate) for place in range(count)]


def _jpegs(folder: Path, place: int, flows: FlowSequence) -> list[Path]:
    """Return the two files of a flow; four with backward flow."""
    names = ["flow_x", "flow_y", *(["flow_x_backward", "flow_y_backward"] if flows.backward else [])]
    return [folder / f"{name}_{place:05d}.jpg" for name in names]


def _write_jpegs(paths: list[Path], pair: PairFlow, how: TwoStream) -> float:
    """Write the pictures of a pair, and return the share of the pixels whose forward flow is clipped."""
    clipped = 0.0
    for index, flow in enumerate(flow for flow in (pair.forward, pair.backward) if flow is not None):
        flow = _resized(flow, how.short_side)
        if index == 0:
            with np.errstate(invalid="ignore"):
                clipped = float((np.abs(flow) > how.bound).any(-1).mean())
        for path, grey in zip(paths[2 * index : 2 * index + 2], to_grey(flow, how.bound), strict=True):
            _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            write_bytes(path, data.tobytes())
    return clipped


def _resized(flow: FlowArray, short_side: int | None) -> Float32[np.ndarray, "new_height new_width 2"]:
    """Return the flow at another size; its values are in pixels of that size."""
    height, width = flow.shape[:2]
    if short_side is None or min(height, width) == short_side:
        return flow
    factor = short_side / min(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    known, _ = as_flow(flow)
    small = cv2.resize(known, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    return small.reshape(size[1], size[0], 2) * np.array([size[0] / width, size[1] / height], np.float32)


def _describe(folder: Path, flows: FlowSequence, how: TwoStream, clipped: float, count: int) -> None:
    """Write beside the pictures what they mean."""
    text = {
        "flow": "component = value * 2 * bound / 255 - bound, in pixels of the pictures; u in flow_x, v in flow_y",
        "bound": how.bound,
        "clipped": clipped,
        "short_side": how.short_side,
        "rate": str(how.rate or flows.rate),
        "jpeg_quality": _QUALITY,
        "pairs": count,
        "source": flows.source.name,
    }
    make_folder(folder)
    write_bytes(folder / "flow.json", (json.dumps(text, indent=1) + "\n").encode())
