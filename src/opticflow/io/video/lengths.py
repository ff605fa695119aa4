"""Check whether a video file is complete, by the lengths in its container."""

from collections.abc import Callable
from pathlib import Path


def ends_early(path: Path, container: str) -> bool:
    """Whether a file ends before the declared end of its last element.

    False if this is unknown, as for containers whose elements have no length (MPEG program and transport streams, GIF,
    raw streams).

    Args:
        path: the file.
        container: FFmpeg's name of the container format, such as `matroska,webm`.
    """
    place, length = _CONTAINERS.get(container, (0, _unknown))
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while place < size:
            file.seek(place)
            step = length(file.read(32))
            if step <= 0:
                return False
            place += step
    return place > size + 1  # some writers count a last byte of padding, but do not write it


# Each function takes the first bytes of an element and returns the length of the whole element in bytes; 0 if unknown.


def _unknown(head: bytes) -> int:
    return 0


def _riff(head: bytes) -> int:
    length = int.from_bytes(head[4:8], "little")
    # RIFF: 4 bytes of name and 4 of length come before the data, which is padded to an even length
    return 8 + length + length % 2 if head[:4] == b"RIFF" and length else 0


def _iso(head: bytes) -> int:
    # ISO base media (ISO/IEC 14496-12, section 4.2): a box has 4 bytes of size, 4 of type; with size 1, 8 of size
    # follow
    length = int.from_bytes(head[:4])
    if not head[4:8].isalnum():
        return 0
    return int.from_bytes(head[8:16]) if length == 1 else length  # 0: up to the end of the file


def _flv(head: bytes) -> int:
    # FLV: a tag has 11 bytes of header, its data, and 4 bytes of size; type 8 is audio, 9 video, 18 script data
    return 11 + int.from_bytes(head[1:4]) + 4 if head[0] in (8, 9, 18) else 0


def _matroska(head: bytes) -> int:
    # Matroska: the IDs of the EBML header and of the segment, which holds all the rest
    if head[:4] not in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67") or len(head) < 5 or not head[4]:
        return 0
    # EBML (RFC 8794, section 4): the leading zero bits of the first byte give the number of bytes of the length
    width = 9 - head[4].bit_length()
    length = int.from_bytes(head[4 : 4 + width]) - (1 << 7 * width)
    return 4 + width + length if length + 1 < 1 << 7 * width else 0  # all ones: unknown


def _asf(head: bytes) -> int:
    # ASF: a GUID of 16 bytes, then the size of the whole object in 8
    return int.from_bytes(head[16:24], "little")


_CONTAINERS: dict[str, tuple[int, Callable[[bytes], int]]] = {
    "avi": (0, _riff),
    "mov,mp4,m4a,3gp,3g2,mj2": (0, _iso),
    "flv": (13, _flv),  # after 9 bytes of file header and 4 for the size of a previous tag
    "matroska,webm": (0, _matroska),
    "asf": (0, _asf),
}
"""For each container: the offset of the first element, and the function that returns the length of an element."""
