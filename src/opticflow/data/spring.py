"""Reader of Spring (Mehl, Schmalfuss, Jahedi, Nalivayko, Bruhn, CVPR 2023): stereo video of 1920x1080, ground truth of
3840x2160.

```
train/0001/frame_left/frame_left_0001.png               the same for test, without ground truth
train/0001/flow_FW_left/flow_FW_left_0001.flo5          and flow_BW_left, flow_FW_right, flow_BW_right
train/0001/maps/matchmap_flow_FW_left/matchmap_flow_FW_left_0001.png    red or green where there is no match
```
The true vectors are in pixels of the frames, although there are four of them in each pixel of a frame.
"""

from pathlib import Path

import numpy as np

from opticflow.data.dataset import Choices, FlowDataset, Pair, Truth, same_size
from opticflow.data.layout import check_split, if_there, locate, need
from opticflow.errors import DatasetError
from opticflow.io import read_flow_with_mask, read_image
from opticflow.shapes import MaskArray

SPLITS = ("train", "test")
_COUNTS = {("train", 4): 19852, ("test", 4): 3960}
EVERY = (("FW", "left"), ("BW", "left"), ("FW", "right"), ("BW", "right"))
"""Directions of time and cameras that the benchmark evaluates."""


def read_four(pair: Pair) -> tuple[Choices, MaskArray]:
    """Read the four true vectors in each pixel of the frame, and the mask where all of them are known.

    NaN, which occurs "very occasionally" in the files, counts as unknown.
    """
    assert pair.flow is not None
    flow, valid = read_flow_with_mask(pair.flow)
    height, width = valid.shape
    if height % 2 or width % 2:
        raise DatasetError(f"{pair.name}: the truth is {width}x{height}; wanted even sides, twice the frame's")
    # row and column within the pixel come first
    four = (  # 4 x H/2 x W/2 x 2, pixels of the frame
        flow.reshape(height // 2, 2, width // 2, 2, 2).transpose(1, 3, 0, 2, 4).reshape(4, height // 2, width // 2, 2)
    )
    known = valid.reshape(height // 2, 2, width // 2, 2).all((1, 3))  # H/2 x W/2
    return np.ascontiguousarray(four), np.asarray(known)


def read_choices(pair: Pair) -> Choices:
    """Read the four true vectors in each pixel of the frame; the benchmark compares an estimate with the nearest."""
    return read_four(pair)[0]


def read_spring_truth(pair: Pair) -> Truth:
    """Read the first of the four vectors in each pixel of the frame, as the authors' loader does."""
    four, valid = read_four(pair)
    if pair.occluded is None:
        return four[0], valid, np.zeros(valid.shape, dtype=bool)
    occluded = np.asarray(read_image(pair.occluded)[..., :2].any(-1))  # red or green: no match
    same_size(pair, "the map of matches", occluded, "half the truth", valid)
    return four[0], valid, occluded


def spring(
    root: str | Path, split: str = "train", *, views: tuple[tuple[str, str], ...] = (("FW", "left"),)
) -> FlowDataset:
    """Open Spring.

    Args:
        root: folder that contains `train` and `test`, or its parent folder.
        split: `train` or `test`; `test` has no ground truth.
        views: pairs of a direction of time, `FW` (into the future) or `BW` (into the past), and a camera, `left` or
            `right`.
    """
    name = "Spring"
    check_split(name, split, SPLITS)
    folder = locate(root, name, (".", "spring", "Spring"), f"{split}/*/frame_{views[0][1]}/*.png") / split
    pairs = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        for direction, camera in views:
            # by frame number
            frames = {int(path.stem[-4:]): path for path in (scene / f"frame_{camera}").glob(f"frame_{camera}_*.png")}
            kind = f"flow_{direction}_{camera}"
            for number in sorted(frames):
                # forward flow leads to the next frame, backward flow to the previous one
                other = number + (1 if direction == "FW" else -1)
                if other not in frames:
                    continue
                title = f"{scene.name}/{kind}/{kind}_{number:04d}"
                flow = match = None
                if split == "train":
                    flow = need(folder / f"{title}.flo5", name, title)
                    match = if_there(scene / "maps" / f"matchmap_{kind}" / f"matchmap_{kind}_{number:04d}.png")
                pairs.append(Pair(title, scene.name, frames[number], frames[other], flow, match))
    return FlowDataset(
        f"{name} {split}", pairs, "Spring", read_spring_truth, _COUNTS.get((split, len(views))), choices=read_choices
    )
