"""The format "opticflow flow store 1": how flow becomes integers, and what each file of a store says of itself.

`docs/flow-store.md` specifies it for those who write a reader of their own.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from opticflow.errors import FormatError, InputError
from opticflow.shapes import FlowArray, MaskArray, as_flow

FORMAT = "opticflow flow store 1"
TAG = "OPTICFLOW"
"""Name of the tag in each file that holds its description."""
STORE_SUFFIX = ".flows"
PACKED_SUFFIX = ".flows.mkv"
USUAL_ERROR = Fraction(1, 64)
LENGTH = 32
"""Usual number of pairs in a segment."""
ZERO = 32768
"""The integer that stands for a flow component of 0 pixels."""

UNKNOWN_FORWARD, UNKNOWN_BACKWARD, HIDDEN_NEXT, HIDDEN_BEFORE, CUT = 1, 2, 4, 8, 16
FLAGS = {
    UNKNOWN_FORWARD: "the forward flow is unknown",
    UNKNOWN_BACKWARD: "the backward flow is unknown",
    HIDDEN_NEXT: "the pixel of the first frame is hidden in the second",
    HIDDEN_BEFORE: "the pixel of the second frame is hidden in the first",
    CUT: "the scene changes between the two frames (set for all pixels)",
}
CONVENTIONS = {
    "flow": "pixels, u to the right, v down; first(x) = second(x + forward(x)), second(x) = first(x + backward(x))",
    "value": f"flow = (value - {ZERO}) * step; a frame is 2 * height rows of 16-bit values, u above v",
    "pairs": "index, name, time in milliseconds, flags of all pixels combined, BLAKE2b-64 of CodecPrivate and packet "
    "for each stream",
}
_SMALLEST_ERROR = Fraction(1, 4096)

Values = UInt16[np.ndarray, "twice_height width"]
Flags = UInt8[np.ndarray, "height width"]


def parse_error(error: str | float | Fraction) -> Fraction:
    """Return the largest rounding error of a store as an exact number of pixels.

    It must be a power of two, because multiples of a power of two are exact in floating point.

    Raises:
        InputError: no number, or not a power of two from 1/4096 to 1.
    """
    try:
        exact = Fraction(error)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        exact = Fraction(0)
    if not _SMALLEST_ERROR <= exact <= 1 or exact.numerator != 1 or exact.denominator & (exact.denominator - 1):
        raise InputError(f"the error is {error}; wanted a power of two from 1/4096 to 1 pixel, such as 1/64 or 1/16")
    return exact


def to_values(flow: FlowArray, error: Fraction) -> tuple[Values, MaskArray]:
    """Round flow to integers.

    Args:
        flow: H x W x 2, in pixels; NaN where unknown.
        error: largest rounding error in pixels; the integers count steps of twice this length.

    Returns:
        The values, 2H x W with u above v, and the mask of known pixels. Unknown flow has the value of zero.

    Raises:
        InputError: a flow component that is out of range, with its place.
    """
    flow, known = as_flow(flow)
    steps = np.rint(np.moveaxis(flow, -1, 0) / np.float32(2 * error))  # 2 x H x W
    if steps.size and not (-ZERO <= float(steps.min()) and float(steps.max()) < ZERO):
        channel, y, x = np.unravel_index(int(np.abs(steps).argmax()), steps.shape)
        limit = float(ZERO * 2 * error)
        raise InputError(
            f"the flow at x {x}, y {y} is {float(flow[y, x, channel]):.1f} px, and with an error of {error} px a store "
            f"holds less than {limit:.0f} px; take a larger error"
        )
    return (steps + ZERO).astype(np.uint16).reshape(-1, flow.shape[1]), known


def to_flow(values: Values, error: Fraction) -> FlowArray:
    """Return the flow, H x W x 2 in pixels, that 2H x W values stand for."""
    height, width = values.shape[0] // 2, values.shape[1]
    flow = np.empty((height, width, 2), np.float32)
    steps = values.reshape(2, height, width).astype(np.float32)
    for channel in range(2):
        np.multiply(steps[channel] - np.float32(ZERO), np.float32(2 * error), out=flow[..., channel])
    return flow


@dataclass(frozen=True)
class Head:
    """What the files of one store have in common."""

    error: Fraction
    """Largest rounding error in pixels."""
    width: int
    height: int
    backward: bool
    """Whether there is backward flow."""
    provenance: dict[str, Any] = field(hash=False)
    """Where the flow comes from: program, method, weights, settings, source."""

    @property
    def streams(self) -> tuple[str, ...]:
        """The video streams of each file, in their order."""
        return ("forward", "backward", "flags") if self.backward else ("forward", "flags")

    def to_json(self) -> dict[str, Any]:
        """Return the head as plain values."""
        return {
            "format": FORMAT,
            "error": str(self.error),
            "step": float(2 * self.error),
            "width": self.width,
            "height": self.height,
            "streams": list(self.streams),
            "conventions": {**CONVENTIONS, "flags": {str(bit): words for bit, words in FLAGS.items()}},
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class Entry:
    """What a file says of one of its pairs."""

    index: int
    """Position of the pair in the store, from 0."""
    name: str
    """Name of the first frame."""
    time: int
    """Presentation time of the first frame, in milliseconds; also the time stamp in the file."""
    flags: int
    """The flags of all pixels, combined by or: which of them occur."""
    digests: tuple[str, ...]
    """For each stream, BLAKE2b-64 of its CodecPrivate and the pair's packet."""


@dataclass(frozen=True)
class Description:
    """What one file of a store says of itself, in its tag."""

    head: Head
    entries: tuple[Entry, ...]
    """The pairs in the file, in the order of their indices."""
    left_out: tuple[int, ...] = ()
    """Pairs without flow, because their frames could not be decoded."""
    damaged: tuple[int, ...] = ()
    """Pairs whose frames were damaged, so that their flow may be wrong."""
    computed: dict[str, str] = field(default_factory=dict, hash=False)
    """The device and the number format that computed the flow."""

    @property
    def indices(self) -> list[int]:
        """The pairs that the file covers, with or without flow."""
        return sorted([*(entry.index for entry in self.entries), *self.left_out])

    def _check(self) -> None:
        """Raise a ValueError for values that no writer of this package gives."""
        head, streams = self.head, len(self.head.streams)
        sizes = (head.width, head.height)
        whole = (*sizes, *(number for e in self.entries for number in (e.index, e.time, e.flags)), *self.left_out)
        words = (e.name for e in self.entries), (digest for e in self.entries for digest in e.digests)
        if not all(isinstance(number, int) for number in (*whole, *self.damaged)):
            raise ValueError("numbers")
        if not all(isinstance(word, str) for group in words for word in group):
            raise ValueError("words")
        # files are called after the frames when flow is exported, and must not get out of their folder
        if any(not e.name or {*e.name} & {*"/\\\0"} for e in self.entries):
            raise ValueError("names")
        if not all(isinstance(record, dict) for record in (head.provenance, self.computed)):
            raise ValueError("records")
        indices, times = self.indices, [e.time for e in self.entries]
        if not all(0 < size <= 2**20 for size in sizes) or any(len(e.digests) != streams for e in self.entries):
            raise ValueError("size")
        if indices != sorted({*indices}) or indices[:1] < [0] or times != sorted({*times}):
            raise ValueError("order")

    def to_text(self) -> str:
        """Return the text of the tag: JSON that ends with a digest of all before it."""
        content = {
            **self.head.to_json(),
            "pairs": [[e.index, e.name, e.time, e.flags, *e.digests] for e in self.entries],
            "left_out": list(self.left_out),
            "damaged": list(self.damaged),
            "computed": self.computed,
        }
        return json.dumps({**content, "digest": digest(_canonical(content))})

    @staticmethod
    def from_text(text: str) -> "Description":
        """Read the text of a tag.

        Raises:
            FormatError: it is damaged, or of another format.
        """
        try:
            content = json.loads(text)
            found = content.pop("digest")
            if content.get("format") != FORMAT:
                raise FormatError(f"is of the format {content.get('format')!r}; wanted {FORMAT!r}")
            if found != digest(_canonical(content)):
                raise FormatError("has a damaged description")
            backward, provenance = "backward" in content["streams"], content["provenance"]
            head = Head(parse_error(content["error"]), content["width"], content["height"], backward, provenance)
            entries = [Entry(i, name, time, flags, tuple(rest)) for i, name, time, flags, *rest in content["pairs"]]
            left_out, damaged = tuple(content["left_out"]), tuple(content["damaged"])
            description = Description(head, tuple(entries), left_out, damaged, content["computed"])
            description._check()
            return description
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
            raise FormatError("has a damaged description") from error


def joined(descriptions: Sequence[Description]) -> Description:
    """Return the description of a file with the pairs of several files of one store, in this order."""
    entries: list[Entry] = []
    for entry in (entry for description in descriptions for entry in description.entries):
        # time stamps increase within a file
        time = max(entry.time, entries[-1].time + 1) if entries else entry.time
        entries.append(replace(entry, time=time))
    return Description(
        descriptions[0].head,
        tuple(entries),
        tuple(index for description in descriptions for index in description.left_out),
        tuple(index for description in descriptions for index in description.damaged),
        {
            name: ", ".join(dict.fromkeys(description.computed.get(name, "?") for description in descriptions))
            for name in descriptions[0].computed
        },
    )


def milliseconds(time: float, previous: int | None) -> int:
    """Return the time stamp of a frame at `time` seconds, after that of the frame before it."""
    stamp = round(1000 * time) if math.isfinite(time) else 0
    return stamp if previous is None else max(stamp, previous + 1)


def digest(*parts: bytes) -> str:
    """Return BLAKE2b of these bytes, 64 bits in hexadecimal: enough to notice damage."""
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def in_words(indices: Iterable[int]) -> str:
    """Format numbers as `1, 4 to 9, 20`."""
    runs: list[list[int]] = []
    for number in indices:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join(" to ".join(map(str, run)) for run in runs)


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
