"""Draw the contact sheet of docs/worlds-things.md: clean and final pass, flow and depth of a few scenes.

python scripts/draw_things.py docs/images/things.jpg
"""

import sys

import cv2
import numpy as np

from opticflow.scenes.things import Things
from opticflow.scenes.things_config import ThingsConfig
from opticflow.visualize import flow_to_image

SCENES = (1, 2, 4, 6, 7, 9)
TILE = (320, 180)


def depth_to_image(depth: np.ndarray) -> np.ndarray:
    """Near is bright; the scale is that of the inverse depth's logarithm."""
    level = 255 * (1 - np.log(np.clip(depth, 1.5, 90) / 1.5) / np.log(60))
    return np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)


def main() -> None:
    world = Things(ThingsConfig(), seed=3)
    rows = []
    for scene in SCENES:
        frame = world.renderer(scene).frame(4)
        tiles = (frame.clean, frame.final, flow_to_image(frame.into_future, max_flow=70), depth_to_image(frame.depth))
        rows.append(np.hstack([cv2.resize(tile, TILE, interpolation=cv2.INTER_AREA) for tile in tiles]))
    cv2.imwrite(sys.argv[1], np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
