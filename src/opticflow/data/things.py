"""FlyingThings3D (Mayer et al., CVPR 2016): scenes of ten frames, two passes, two cameras, both directions of time.

```
frames_cleanpass/TRAIN/A/0000/left/0006.png ... 0015.png                    and frames_finalpass
optical_flow/TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm
optical_flow/TRAIN/A/0000/into_past/left/OpticalFlowIntoPast_0006_L.pfm
```
"""

from pathlib import Path
from typing import Literal

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, locate

SPLITS = ("TEST", "TRAIN")
LEFT_OUT = {
    "into_future of the last frame of a scene": "it leads to a frame that does not exist",
    "into_past of the first frame of a scene": "it leads to a frame that does not exist",
}
"""What is never used, with the reason (flownet2, issue 210). The authors also left out extreme samples, but never
published their list (issue 109), so that none is left out here; pass your own by name as `leave_out`."""


def flying_things(
    root: str | Path,
    split: str = "TEST",
    *,
    render: Literal["clean", "final"] = "clean",
    cameras: tuple[str, ...] = ("left",),
    directions: tuple[Literal["into_future", "into_past"], ...] = ("into_future",),
    leave_out: frozenset[str] = frozenset(),
) -> FlowDataset:
    """FlyingThings3D, the whole data set.

    Args:
        root: the folder of `frames_cleanpass`, `frames_finalpass` and `optical_flow`.
        split: `TEST` or `TRAIN`.
        render: which pass.
        cameras: `left`, `right` or both.
        directions: `into_future`, `into_past` or both.
        leave_out: names of pairs that are not used, such as `TRAIN/A/0000/left/into_future/0006`.
    """
    name = f"FlyingThings3D {render}"
    check_split(name, split, SPLITS)
    places = (".", "FlyingThings3D", "flyingthings3d")
    folder = locate(root, name, places, f"frames_{render}pass/{split}/*/*/{cameras[0]}")
    folder = locate(folder, name, (".",), f"optical_flow/{split}/*/*/{directions[0]}/{cameras[0]}")
    pairs = []
    for scene in sorted((folder / f"frames_{render}pass" / split).glob("*/*")):
        part = "/".join(scene.parts[-2:])
        for camera in cameras:
            frames = {int(path.stem): path for path in (scene / camera).glob("*.png")}
            for direction in directions:
                step, word = (1, "Future") if direction == "into_future" else (-1, "Past")
                for number in sorted(frames):
                    title = f"{split}/{part}/{camera}/{direction}/{number:04d}"
                    flow = folder / "optical_flow" / split / part / direction / camera
                    flow /= f"OpticalFlowInto{word}_{number:04d}_{camera[0].upper()}.pfm"
                    if number + step in frames and title not in leave_out and flow.is_file():
                        pairs.append(Pair(title, f"{split}/{part[0]}", frames[number], frames[number + step], flow))
    return FlowDataset(f"{name} {split}", pairs, "FlyingChairs", left_out=LEFT_OUT)
