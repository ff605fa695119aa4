"""What must be checked in a JPEG before a decoder gets it."""

from opticflow.errors import FormatError

SIGNATURE = b"\xff\xd8\xff"
_SCAN, _END = b"\xff\xda", b"\xff\xd9"


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG that is cut off, for which OpenCV 4 returns a picture that is grey from there on.

    The end marker cannot occur in a scan, where 0xFF is always followed by 0 or a restart marker; but it may in the
    segments before, which can hold a small preview, and so these are stepped over.

    Raises:
        FormatError: it has no end.
    """
    position = 2
    while data[position : position + 2] != _SCAN:
        if position + 4 > len(data) or data[position] != 0xFF:
            raise FormatError("is cut off or damaged: the JPEG ends before its pixels")
        if data[position + 1] == 0xFF:  # fill byte
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    if data.find(_END, position) < 0:
        raise FormatError("is cut off: the JPEG has no end")
