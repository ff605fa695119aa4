"""Draw the contact sheets of the docs: pairs of each world, with flow and occlusion.

python scripts/contact_sheets.py docs/images
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.worlds import make_world
from opticflow.visualize import flow_to_image

SHEETS = {"chairs": 7, "chairs-sdhom": 8, "mixed": 6}
"""World -> seed."""
ROWS, THUMB = 6, (256, 192)


def row(pair: RenderedPair) -> np.ndarray:
    """First frame, second frame, flow, occlusion."""
    occluded = np.repeat(pair.first_occluded[..., None] * np.uint8(255), 3, axis=-1)
    pictures = (pair.first, pair.second, flow_to_image(pair.forward), occluded)
    return np.hstack([cv2.resize(picture, THUMB, interpolation=cv2.INTER_AREA) for picture in pictures])


def main(folder: Path) -> None:
    for kind, seed in SHEETS.items():
        world = make_world(kind, seed)
        sheet = np.vstack([row(world[index]) for index in range(ROWS)])
        quality = 85
        while True:
            _, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
            if len(data) < 195_000:
                break
            quality -= 5
        (folder / f"world-{kind}.jpg").write_bytes(data.tobytes())
        print(kind, sheet.shape, quality, len(data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
