"""Write and read one file of a store: FFV1 video in Matroska, with its description in a tag."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.codec.context
import av.container
import av.error
import numpy as np

from opticflow.errors import FormatError
from opticflow.io.atomic import atomic_path
from opticflow.io.limits import check_memory
from opticflow.store.format import TAG, Description, Entry, Flags, Head, Values, digest

_TIME_BASE = Fraction(1, 1000)
_OPTIONS = {"level": "3", "coder": "1", "context": "0", "g": "1", "slicecrc": "1"}
"""FFV1 version 3 (RFC 9043): range coder, small context, every frame a key frame, slices with a CRC each."""
_USUAL_DURATION = 40

Packets = tuple[bytes, ...]
"""The packets of one pair, one for each stream."""


class PairEncoder:
    """Encodes the pairs of one file.

    Args:
        head: error, size and streams.
    """

    def __init__(self, head: Head):
        self.head = head
        self._codecs = [_encoder(head, stream) for stream in head.streams]

    def encode(self, *planes: Values | Flags) -> tuple[Packets, tuple[str, ...]]:
        """Return the packets of a pair and their digests.

        Args:
            planes: for each stream of the head, 2H x W values, or H x W flags.
        """
        packets = []
        for codec, plane in zip(self._codecs, planes, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format=codec.pix_fmt)
            (packet,) = codec.encode(frame)
            packets.append(bytes(packet))
        return tuple(packets), self.digests(packets)

    def digests(self, packets: Sequence[bytes]) -> tuple[str, ...]:
        """Return the digest of each packet, together with its stream's CodecPrivate."""
        return tuple(
            digest(codec.extradata or b"", packet) for codec, packet in zip(self._codecs, packets, strict=True)
        )


def write_segment(
    path: Path, description: Description, packets: Iterable[Packets], privates: Packets | None = None
) -> None:
    """Write a file of a store; it appears when it is complete.

    Args:
        path: the file.
        description: what it says of itself.
        packets: those of each entry of the description, in the same order.
        privates: where packets are copied, the CodecPrivate of each of their streams.

    Raises:
        FormatError: the file cannot be written, or this version of FFmpeg would write another CodecPrivate.
    """
    with atomic_path(path) as temporary:
        try:
            # bitexact: without it, random numbers would make each file different
            options = {"fflags": "+bitexact"}
            with av.open(str(temporary), "w", format="matroska", options=options) as container:
                streams = [_add(container, description.head, name) for name in description.head.streams]
                if privates is not None and privates != tuple(s.codec_context.extradata or b"" for s in streams):
                    raise FormatError(f"cannot write {path}: its flow was encoded by another version of FFmpeg")
                container.metadata[TAG] = description.to_text()
                for (entry, duration), parts in zip(_with_durations(description.entries), packets, strict=True):
                    for stream, data in zip(streams, parts, strict=True):
                        packet = av.Packet(data)
                        packet.stream, packet.time_base = stream, _TIME_BASE
                        packet.pts = packet.dts = entry.time
                        packet.duration, packet.is_keyframe = duration, True
                        container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None and not isinstance(error, av.error.FFmpegError):
                raise
            raise FormatError(f"cannot write {path}: {error.strerror or error}") from error


class SegmentReader:
    """Reads pairs from one file of a store. Every packet is compared with its digest before it is decoded.

    Args:
        name: the name of the file in messages.
        source: the path, or a file opened for reading bytes.

    Raises:
        FormatError: it is missing, damaged or no file of a store.
    """

    def __init__(self, name: str, source: Any):
        self.name = name
        self._source = source
        try:
            self._container: Any = av.open(source, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise FormatError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        try:
            if TAG not in self._container.metadata:
                raise FormatError("is no file of a flow store")
            self.description = Description.from_text(self._container.metadata[TAG])
            self.streams = self._checked_streams()
        except FormatError as error:
            self.close()
            raise FormatError(f"{name} {error}") from error
        self._entries = {entry.index: number for number, entry in enumerate(self.description.entries)}
        self._packets: Iterator[Any] | None = None
        self._next = -1
        self._wanted: tuple[int, ...] = ()

    def _checked_streams(self) -> list[Any]:
        head = self.description.head
        check_memory(f"holds flow of {head.width} x {head.height} pixels and", head.width * head.height * 40)
        streams = list(self._container.streams.video)
        found = [(s.codec_context.name, s.width, s.height) if s.codec_context else None for s in streams]
        wanted = [("ffv1", head.width, _rows(head, name)) for name in head.streams]
        if found != wanted or len(self._container.streams) != len(streams):
            raise FormatError("has other streams than its description says")
        return streams

    @property
    def privates(self) -> Packets:
        """The CodecPrivate of each stream: the settings of its encoder."""
        return tuple(stream.codec_context.extradata or b"" for stream in self.streams)

    def __contains__(self, index: int) -> bool:
        return index in self._entries

    def entry(self, index: int) -> Entry:
        """Return what the file says of a pair."""
        return self.description.entries[self._entries[index]]

    def read(self, index: int, streams: Sequence[str]) -> list[np.ndarray]:
        """Return the planes of a pair, one for each of these streams: 2H x W values, or H x W flags.

        The pairs of a file are read fastest in their order; each other pair takes a seek. One frame of each stream is
        decoded.

        Raises:
            FormatError: the pair is damaged.
        """
        head, position = self.description.head, self._entries[index]
        wanted = tuple(head.streams.index(name) for name in streams)
        try:
            packets = self._packets_of(position, wanted)
            return [self._decoded(packets[number], number, head) for number in wanted]
        except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            self._packets = None
            raise FormatError(f"{self.name} is damaged: pair {index} cannot be read") from error

    def packets(self, index: int) -> Packets:
        """Return the packets of a pair, to copy them.

        Raises:
            FormatError: the pair is damaged.
        """
        try:
            found = self._packets_of(self._entries[index], tuple(range(len(self.streams))))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._packets = None
            raise FormatError(f"{self.name} is damaged: pair {index} cannot be read") from error
        return tuple(bytes(found[number]) for number in range(len(self.streams)))

    def close(self) -> None:
        """Close the file."""
        with suppress(av.error.FFmpegError, OSError):
            self._container.close()
        if not isinstance(self._source, str):
            self._source.close()

    def _packets_of(self, position: int, wanted: tuple[int, ...]) -> dict[int, Any]:
        entry = self.description.entries[position]
        packets = self._packets
        if packets is None or position != self._next or wanted != self._wanted:
            self._container.seek(entry.time, stream=self.streams[wanted[0]])
            packets = self._packets = self._container.demux([self.streams[number] for number in wanted])
        found: dict[int, Any] = {}
        for packet in packets:
            number = packet.stream_index
            if packet.pts == entry.time and number in wanted:
                found[number] = packet
            if len(found) == len(wanted):
                break
            if packet.pts is None or packet.pts > entry.time:
                raise ValueError("no packet with the time of the pair")
        for number in wanted:
            if number not in found or digest(self.privates[number], bytes(found[number])) != entry.digests[number]:
                raise ValueError("a packet that differs from its digest")
        self._next, self._wanted = position + 1, wanted
        return found

    def _decoded(self, packet: Any, number: int, head: Head) -> np.ndarray:
        (frame,) = packet.decode()
        plane = frame.to_ndarray()
        name = head.streams[number]
        if frame.format.name != _format(name) or plane.shape != (_rows(head, name), head.width):
            raise ValueError("a frame of another kind")
        return plane


def _format(stream: str) -> str:
    return "gray" if stream == "flags" else "gray16le"


def _rows(head: Head, stream: str) -> int:
    return head.height if stream == "flags" else 2 * head.height


def _encoder(head: Head, stream: str) -> Any:
    codec = av.CodecContext.create("ffv1", "w")
    _configure(codec, head, stream)
    codec.open()
    return codec


def _add(container: av.container.OutputContainer, head: Head, name: str) -> Any:
    stream = container.add_stream("ffv1")
    _configure(stream.codec_context, head, name)
    stream.codec_context.open()
    stream.time_base = _TIME_BASE
    stream.metadata["title"] = name
    return stream


def _configure(codec: Any, head: Head, stream: str) -> None:
    codec.width, codec.height, codec.pix_fmt = head.width, _rows(head, stream), _format(stream)
    codec.time_base = _TIME_BASE
    slices = 4 if min(head.width, head.height) > 1 else 1  # FFV1 cuts a frame into 2 x 2 of them
    codec.options = {**_OPTIONS, "slices": str(slices)}
    codec.gop_size, codec.thread_count = 1, 1
    codec.flags |= av.codec.context.Flags.bitexact


def _with_durations(entries: Sequence[Entry]) -> Iterator[tuple[Entry, int]]:
    """Yield each entry with the time to the next; for the last one, the time before it."""
    times = [entry.time for entry in entries]
    durations = [after - before for before, after in pairwise(times)]
    return zip(entries, [*durations, *(durations[-1:] or [_USUAL_DURATION])], strict=True)
