"""One scale for the drawings of a whole clip, before its flow is known."""

import cv2
import numpy as np

from opticflow.extract.options import ClipOptions
from opticflow.io.video import Clip
from opticflow.visualize import robust_max_flow


def measure_max_flow(clip: Clip, options: ClipOptions, places: int = 16) -> float:
    """Return one colour scale for a whole clip, in pixels, before its flow is known.

    It is a robust maximum of fast classical flow (DIS on small frames) at up to `places` places of the clip. It is at
    least 1 pixel, so that a static clip does not show noise.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flows = []
    for pair in clip.excerpts(places, options.step, start=options.start, end=options.end):
        height, width = pair[0].shape[:2]
        # frames of at most 512 pixels along the longer side are enough for a scale, and fast
        factor = min(1.0, 512 / max(height, width))
        size = max(32, round(width * factor)), max(32, round(height * factor))  # width, height
        # two images, h x w, uint8
        greys = [cv2.cvtColor(cv2.resize(f, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for f in pair]
        # h x w x 2, in pixels of the small frames
        flow = dis.calc(greys[0], greys[1], None)  # type: ignore[call-overload]
        # back to pixels of the full frames
        flows.append(flow * np.array([width / size[0], height / size[1]], np.float32))
    return max(1.0, robust_max_flow(flows))
