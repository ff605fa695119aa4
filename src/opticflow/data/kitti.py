"""Readers of KITTI 2012 and 2015, and of HD1K, which has the same layout.

KITTI 2015 (Menze, Geiger, CVPR 2015): `training/image_2/000000_10.png`, `..._11.png`, `training/flow_occ/000000_10.png`
(all pixels) and `flow_noc` (pixels that stay in view). KITTI 2012 (Geiger, Lenz, Urtasun, CVPR 2012): the same with
`colored_0`, or `image_0` in grey. HD1K (Kondermann et al., CVPR workshops 2016): `hd1k_input/image_2/000000_0010.png`,
`hd1k_flow_gt/flow_occ/000000_0010.png`.
"""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from opticflow.data.dataset import FlowDataset, Pair, Truth, same_size
from opticflow.data.layout import check_split, if_there, locate, need
from opticflow.io import read_flow_with_mask

KITTI_SPLITS = ("training", "testing")
HD1K_SPLITS = ("training",)


def read_noc_truth(pair: Pair) -> Truth:
    """Read ground truth and occlusion: pixels whose flow is missing in a second file, `flow_noc`, are occluded."""
    assert pair.flow is not None
    flow, valid = read_flow_with_mask(pair.flow)
    if pair.occluded is None:
        return flow, valid, valid & False
    _, matched = read_flow_with_mask(pair.occluded)  # H x W
    same_size(pair, "flow_noc", matched, "flow_occ", valid)
    # `flow_occ` has the flow of all pixels, `flow_noc` only of those that stay in view
    return flow, valid, valid & ~matched


def kitti_2015(root: str | Path, split: str = "training") -> FlowDataset:
    """Open KITTI 2015: 200 training pairs, and 200 test pairs without ground truth."""
    return _kitti("KITTI 2015", root, split, ("image_2",), "KITTI", {"training": 200, "testing": 200})


def kitti_2012(root: str | Path, split: str = "training") -> FlowDataset:
    """Open KITTI 2012: 194 training pairs, and 195 test pairs without ground truth. Frames are in colour if available,
    otherwise grey."""
    folders = ("colored_0", "image_0")
    return _kitti("KITTI 2012", root, split, folders, "KITTI-2012", {"training": 194, "testing": 195})


def _kitti(
    name: str, root: str | Path, split: str, folders: tuple[str, ...], protocol: str, counts: dict[str, int]
) -> FlowDataset:
    check_split(name, split, KITTI_SPLITS)
    folder = locate(root, name, (".", "data_scene_flow", "data_stereo_flow"), f"{split}/*/*_10.png") / split
    frames = next((folder / known for known in folders if (folder / known).is_dir()), None)
    if frames is None:
        frames = locate(folder, name, folders, "*_10.png")
    pairs = []
    for first in sorted(frames.glob("*_10.png")):
        number = first.name.removesuffix("_10.png")
        second = need(frames / f"{number}_11.png", name, number)
        # the ground truth of the test pairs is not public
        if split == "testing":
            pairs.append(Pair(number, split, first, second))
            continue
        flow = need(folder / "flow_occ" / first.name, name, number)
        pairs.append(Pair(number, split, first, second, flow, if_there(folder / "flow_noc" / first.name)))
    return FlowDataset(f"{name} {split}", pairs, protocol, read_noc_truth, counts[split])


def hd1k(root: str | Path, split: str = "training") -> FlowDataset:
    """Open HD1K: driving sequences with flow from each frame to the next."""
    name = "HD1K"
    check_split(name, split, HD1K_SPLITS)
    folder = locate(root, name, (".", "hd1k_full_package"), "hd1k_input/image_2/*_*.png")
    folder = locate(folder, name, (".",), "hd1k_flow_gt/flow_occ/*_*.png")
    sequences = defaultdict(list)
    for path in sorted((folder / "hd1k_input" / "image_2").glob("*_*.png")):
        # the name is sequence_frame, and no pair spans two sequences
        sequences[path.stem.split("_")[0]].append(path)
    flows = folder / "hd1k_flow_gt" / "flow_occ"
    pairs = [
        Pair(first.stem, sequence, first, second, need(flows / first.name, name, first.stem))
        for sequence, frames in sequences.items()
        for first, second in pairwise(frames)
    ]
    return FlowDataset(f"{name} {split}", pairs, "KITTI")
