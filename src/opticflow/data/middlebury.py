"""Reader of Middlebury (Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011).

`other-data/Dimetrodon/frame10.png`, `frame11.png` and `other-gt-flow/Dimetrodon/flow10.flo`: the eight sequences with
public ground truth. (`other-color-data` and `eval-data` have none.)
"""

from pathlib import Path

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, locate, need

SPLITS = ("training",)


def middlebury(root: str | Path, split: str = "training") -> FlowDataset:
    """Open the Middlebury sequences with public ground truth."""
    name = "Middlebury"
    check_split(name, split, SPLITS)
    folder = locate(root, name, (".", "middlebury", "Middlebury"), "other-gt-flow/*/flow10.flo")
    pairs = []
    for flow in sorted((folder / "other-gt-flow").glob("*/flow10.flo")):
        scene = flow.parent.name
        frames = folder / "other-data" / scene
        first, second = (need(frames / f"frame{number}.png", name, scene) for number in (10, 11))
        pairs.append(Pair(scene, scene, first, second, flow))
    return FlowDataset(name, pairs, "Middlebury", expected=8)
