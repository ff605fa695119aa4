"""KITTI `.png`: 16-bit RGB with R = 64 u + 32768, G = 64 v + 32768, B = 1 where the flow is known, else 0.

Menze and Geiger, "Object Scene Flow for Autonomous Vehicles", CVPR 2015, development kit.
"""

import cv2
import numpy as np

from opticflow.errors import FormatError
from opticflow.io import opencv
from opticflow.io.limits import check_memory
from opticflow.io.png import check_png
from opticflow.shapes import FlowArray, MaskArray, as_flow

STEPS_PER_PIXEL = 64
ZERO = 32768


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, or cut off.
    """
    header = check_png(data)
    # memory for 16-bit RGB and for the flow twice
    check_memory(f"a flow of {header.width} x {header.height} pixels", len(data) + header.width * header.height * 26)
    try:
        with opencv.quiet():
            image = cv2.imdecode(np.frombuffer(header.data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FormatError(f"cannot be decoded as PNG ({error.err})") from error
    if image is None:
        raise FormatError("cannot be decoded as PNG; it is damaged")
    channels = 1 if image.ndim == 2 else image.shape[2]
    # wanted: H x W x 3 in the order BGR, which is mask, v, u
    if image.dtype != np.uint16 or channels != 3:
        raise FormatError(
            f"is a PNG picture of {channels} channel(s) with {8 * image.itemsize} bits, not a KITTI flow file, "
            "which has 3 with 16"
        )
    flow = image[..., :0:-1].astype(np.float32)  # H x W x 2: u, v as they are stored
    # KITTI has 0 and 1 in the mask, Virtual KITTI 2 has 0 and 65535
    if image[..., 0].max() == 65535 and np.isin(image[..., 0], (0, 65535)).all():
        return _decode_virtual_kitti(flow, image[..., 0] > 0)
    flow -= ZERO
    flow /= STEPS_PER_PIXEL
    return as_flow(flow, image[..., 0] > 0)


def _decode_virtual_kitti(steps: FlowArray, valid: MaskArray) -> tuple[FlowArray, MaskArray]:
    """Decode flow of Virtual KITTI 2 (Cabon et al., arXiv:2001.10773).

    Its mask is 65535 where the flow is known. Its flow is relative to the size of the frame: 0 and 65535 mean width - 1
    to the left and to the right, and height - 1 up and down.
    """
    height, width = valid.shape
    steps *= np.float32(2 / 65535)
    steps -= 1  # now in [-1, 1]
    # now in pixels
    steps *= np.array([width - 1, height - 1], np.float32)
    return as_flow(steps, valid)


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file; the flow is rounded to 1/64 px.

    Raises:
        FormatError: a known value outside -512 ... 511.98 px.
    """
    # H x W x 2, in 1/64 px, zero flow at 32768; float64, so that values out of range can be seen
    steps = np.rint(flow.astype(np.float64) * STEPS_PER_PIXEL) + ZERO
    outside = valid[..., None] & ((steps < 0) | (steps > 65535))
    if outside.any():
        y, x, _ = np.argwhere(outside)[0]
        u, v = flow[y, x]
        raise FormatError(
            f"cannot hold the flow ({u:.6g}, {v:.6g}) px at x={x}, y={y}: KITTI PNG reaches from -512 to 511.98 px; "
            "write .flo or .npz instead"
        )
    image = np.empty((*valid.shape, 3), np.uint16)
    image[..., 0] = valid
    image[..., :0:-1] = np.where(valid[..., None], steps, ZERO)
    _, encoded = cv2.imencode(".png", image)
    return encoded.tobytes()
