"""Checks of a JPEG before and after it is decoded."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError

SIGNATURE = b"\xff\xd8\xff"
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
# start-of-frame markers, without C4 (Huffman tables), C8 (an extension) and CC (arithmetic coding)
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_MOST_SCANS = 200
"""Largest number of scans. A progressive JPEG has about ten; each takes the time of the whole picture, even if it has
few bytes."""


@dataclass(frozen=True)
class Jpeg:
    """What the header of a JPEG declares."""

    width: int
    height: int
    components: int
    progressive: bool

    @property
    def decoder_bytes(self) -> int:
        """Bytes per pixel that the decoder uses: the picture and, if progressive, all coefficients."""
        return 6 + 2 * self.components * self.progressive


def check_jpeg(data: bytes) -> Jpeg:
    """Return what the header declares, or raise an error for a JPEG that is cut off.

    OpenCV 4 would return a picture that is grey from the cut on. The end marker cannot occur in a scan, where 0xFF is
    always followed by 0 or a restart marker. It may occur in the segments before, which can hold a small preview, so
    these are skipped.

    Raises:
        FormatError: it has no size, no end, or more scans than a picture has.
    """
    # segments follow the start marker (SOI): each has a marker, and a length that includes its own two bytes
    position, header = 2, None
    while data[position : position + 2] != _SCAN:
        if position + 4 > len(data) or data[position] != 0xFF:
            raise FormatError("is cut off or damaged: the JPEG ends before its pixels")
        if (marker := data[position + 1]) == 0xFF:  # fill byte
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4])
        if marker in _FRAMES and length >= 8 and header is None:
            # SOF segment (ITU-T T.81, B.2.2): marker, length, bits, height, width, number of components
            height, width = (int.from_bytes(data[position + i : position + i + 2]) for i in (5, 7))
            header = Jpeg(width, height, data[position + 9], marker in _PROGRESSIVE)
        position += 2 + length
    if header is None or header.width < 1 or header.height < 1:
        raise FormatError("is damaged: the JPEG does not say how large it is")
    if data.find(_END, position) < 0:
        raise FormatError("is cut off: the JPEG has no end")
    if (scans := data.count(_SCAN, position)) > _MOST_SCANS:
        raise FormatError(f"is a JPEG of {scans} scans; wanted at most {_MOST_SCANS}")
    return header


def check_decoded(data: bytes, image: Shaped[np.ndarray, "..."], header: Jpeg) -> None:
    """Raise an error for a JPEG that declares more rows or columns than its scans contain: OpenCV fills the rest with
    grey (128).

    A picture without a grey corner is complete. One with a grey corner is decoded by FFmpeg, which reports data that
    ends early. So is every CMYK picture, where the grey becomes another colour.

    Raises:
        FormatError: the scans end before the picture does.
    """
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(4, -1)  # all four, because it may be rotated
    # only the lightness counts: at the border of the grey, its colour mixes with that of the picture
    lightness = corners.astype(float) @ ((0.299, 0.587, 0.114) if corners.shape[1] == 3 else (1.0,))
    if np.abs(lightness - 128).min() > 2 and header.components != 4:
        return
    import av  # seldom needed, and slow to import
    import av.error

    decoder = av.CodecContext.create("mjpeg", "r")
    # treat every fault as an error; skip the inverse transform, because no pixels are needed
    decoder.options = {"err_detect": "explode", "skip_idct": "all"}
    try:
        decoder.decode(av.Packet(data))
        decoder.decode(None)
    except av.error.InvalidDataError as error:
        raise FormatError(
            f"claims {header.width} x {header.height} pixels, but its data ends before; it is cut off or damaged"
        ) from error
    except av.error.FFmpegError:  # a kind of JPEG that FFmpeg does not know
        pass
