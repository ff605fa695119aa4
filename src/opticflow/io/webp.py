"""Read the size that the header of a WebP declares."""

from opticflow.errors import FormatError


def check_webp(data: bytes) -> tuple[int, int]:
    """Return width and height of a WebP.

    Raises:
        FormatError: cut off or damaged.
    """
    kind, body = data[12:16], data[20:30]
    if len(body) == 10 and kind == b"VP8X":
        # extended format: width - 1 and height - 1 of the canvas, 24 bits each
        width, height = (int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
    elif len(body) == 10 and kind == b"VP8 ":
        # lossy (RFC 6386, section 9.1): 14 bits each, and 2 bits of scale
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    elif len(body) == 10 and kind == b"VP8L":
        # lossless: a byte of signature, then width - 1 and height - 1, 14 bits each
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise FormatError("is cut off or damaged: the WebP does not say how large it is")
    return width, height
