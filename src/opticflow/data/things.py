"""Reader of FlyingThings3D (Mayer et al., CVPR 2016): scenes of ten frames, two passes, two cameras, both directions of
time.

```
frames_cleanpass/TRAIN/A/0000/left/0006.png ... 0015.png                    and frames_finalpass
optical_flow/TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm
optical_flow/TRAIN/A/0000/into_past/left/OpticalFlowIntoPast_0006_L.pfm
```
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, locate, need, read_words

SPLITS = ("TEST", "TRAIN")
CAMERAS: tuple[Literal["left", "right"], ...] = ("left", "right")
DIRECTIONS: tuple[Literal["into_future", "into_past"], ...] = ("into_future", "into_past")
LEFT_OUT = {
    "into_future of the last frame of a scene": "it leads to a frame that does not exist",
    "into_past of the first frame of a scene": "it leads to a frame that does not exist",
}
"""Flow files that are never used, with the reason (flownet2, issue 210)."""
UNUSED = "all_unused_files.txt"
"""File name of the authors' list of frames with extreme motion. It is read if it is in the root folder or beside the
frames. A line is, for example, TRAIN/A/0000/left/0006.png. It is a separate download, from
resources/datasets/SceneFlow/assets/ of lmb.informatik.uni-freiburg.de."""


def flying_things(
    root: str | Path,
    split: str = "TEST",
    *,
    render: Literal["clean", "final"] = "clean",
    cameras: Sequence[Literal["left", "right"]] | None = None,
    directions: Sequence[Literal["into_future", "into_past"]] | None = None,
    leave_out: frozenset[str] = frozenset(),
) -> FlowDataset:
    """Open FlyingThings3D, the whole data set.

    Args:
        root: folder that contains `frames_cleanpass`, `frames_finalpass` and `optical_flow`.
        split: `TEST` or `TRAIN`.
        render: rendering pass, `clean` or `final`.
        cameras: cameras to use. None means the available ones in TRAIN, as in the training of FlowNet 2.0, and the
            left one in TEST.
        directions: directions of time to use. None means the available ones in TRAIN, and `into_future` in TEST.
        leave_out: names of pairs that are not used, such as `TRAIN/A/0000/left/into_future/0006`.

    If the authors' list of unused files is present, pairs with a frame in it are left out.

    Raises:
        DatasetError: the layout is different, or a flow file is missing between two frames.
    """
    name = f"FlyingThings3D {render}"
    check_split(name, split, SPLITS)
    places = (".", "FlyingThings3D", "flyingthings3d")
    # the folders of one camera are enough to recognise the layout
    wanted = cameras or CAMERAS[:1]
    folder = locate(root, name, places, f"frames_{render}pass/{split}/*/*/{wanted[0]}")
    folder = locate(folder, name, (".",), f"optical_flow/{split}/*/*/{(directions or DIRECTIONS)[0]}/{wanted[0]}")
    there = folder / "optical_flow" / split
    if cameras is None:
        cameras = [c for c in CAMERAS if split == "TRAIN" and any(there.glob(f"*/*/*/{c}"))] or CAMERAS[:1]
    if directions is None:
        directions = [d for d in DIRECTIONS if split == "TRAIN" and any(there.glob(f"*/*/{d}"))] or DIRECTIONS[:1]
    unused = _unused(folder, render)
    pairs = []
    for scene in sorted((folder / f"frames_{render}pass" / split).glob("*/*")):
        part = "/".join(scene.parts[-2:])
        for camera in cameras:
            frames = {int(path.stem): path for path in (scene / camera).glob("*.png")}  # by frame number
            for direction in directions:
                # backward flow leads from a frame to the previous one
                step, word = (1, "Future") if direction == "into_future" else (-1, "Past")
                for number in sorted(frames):
                    title = f"{split}/{part}/{camera}/{direction}/{number:04d}"
                    flow = folder / "optical_flow" / split / part / direction / camera
                    flow /= f"OpticalFlowInto{word}_{number:04d}_{camera[0].upper()}.pfm"
                    if number + step not in frames or title in leave_out:
                        continue
                    first, second = frames[number], frames[number + step]
                    if unused.isdisjoint(f"{split}/{part}/{camera}/{frame.name}" for frame in (first, second)):
                        pairs.append(Pair(title, f"{split}/{part[0]}", first, second, need(flow, name, title)))
    listed = {f"pairs with one of {len(unused)} frames in {UNUSED}": "the authors used none of them"} if unused else {}
    return FlowDataset(f"{name} {split}", pairs, "FlyingChairs", left_out={**LEFT_OUT, **listed})


def _unused(folder: Path, render: str) -> frozenset[str]:
    """Return the frames in the authors' list, if the list is present."""
    for path in (folder / UNUSED, folder / f"frames_{render}pass" / UNUSED):
        if path.is_file():
            return frozenset(read_words(path, "FlyingThings3D"))
    return frozenset()
