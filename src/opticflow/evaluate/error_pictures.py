"""Small pictures of a pair for the report's page."""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float

from opticflow.metrics import end_point_error
from opticflow.shapes import FlowArray, Frame, MaskArray, Sample
from opticflow.visualize import flow_to_image

WIDTH = 320
_QUALITY = 85


def case_pictures(sample: Sample, flows: Mapping[str, FlowArray]) -> dict[str, bytes]:
    """Return the frames, the ground truth, and each model's estimate and error, as JPEG by title.

    All flows of a pair are drawn with one scale, that of the longest true vector. Errors are drawn on a logarithmic
    scale from black over red and yellow to white, which is 20 px and more. In the truth and the errors, unknown pixels
    are black.
    """
    lengths = np.hypot(*np.moveaxis(sample.flow[sample.valid], -1, 0))  # one length for each valid pixel, in pixels
    longest = max(float(lengths.max(initial=0)), 1.0)
    pictures = {
        "first frame": sample.first,
        "second frame": sample.second,
        f"truth, up to {longest:.1f} px": flow_to_image(sample.flow, max_flow=longest, valid=sample.valid),
    }
    truth = np.where(sample.valid[..., None], sample.flow, np.float32(0))
    for name, flow in flows.items():
        pictures[f"{name}: estimate"] = flow_to_image(flow, max_flow=longest)
        error = end_point_error(flow, truth)
        pictures[f"{name}: error, mean {error[sample.valid].mean():.2f} px"] = error_image(error, sample.valid)
    return {title: jpeg(picture) for title, picture in pictures.items()}


def error_image(error: Float[np.ndarray, "height width"], valid: MaskArray, *, most: float = 20.0) -> Frame:
    """Draw end-point errors in a fire colour map: black at zero, white at `most` pixels and beyond."""
    # H x W, 0 to 1; logarithmic, so that small errors remain visible
    levels = np.log1p(np.clip(np.where(valid, error, 0), 0, most)) / np.log1p(most)
    # H x W x 3, BGR
    colours = cv2.applyColorMap((255 * levels).round().astype(np.uint8), cv2.COLORMAP_HOT)
    return np.ascontiguousarray(np.where(valid[..., None], colours[..., ::-1], np.uint8(0)))


def jpeg(picture: Frame, *, width: int = WIDTH) -> bytes:
    """Return a picture as JPEG bytes, reduced to at most `width` columns."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    if picture.shape[1] > width:
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    # OpenCV takes BGR
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
