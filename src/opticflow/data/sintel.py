"""Reader of MPI-Sintel (Butler, Wulff, Stanley, Black, ECCV 2012).

```
training/clean/alley_1/frame_0001.png ...     the same in training/final, test/clean, test/final
training/flow/alley_1/frame_0001.flo          training/occlusions, training/invalid: masks, 255 where true
```
"""

from itertools import pairwise
from pathlib import Path
from typing import Literal

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, if_there, locate, need

SPLITS = ("training", "validation", "test")
VALIDATION_SCENES = ("ambush_6", "bamboo_2", "cave_4", "market_6", "temple_2")
"""Scenes on which the authors of FlowNet 2.0 validate during fine-tuning (flownet2, issue 141). Of cave_4 and temple_2
they use only parts, which they do not name."""
_COUNTS = {"training": 1041, "test": 552}


def sintel(
    root: str | Path,
    split: str = "training",
    *,
    render: Literal["clean", "final"] = "clean",
    invalid: Literal["count", "leave out"] = "count",
) -> FlowDataset:
    """Open MPI-Sintel.

    Args:
        root: folder that contains `training` and `test`, or its parent folder.
        split: `training` (23 scenes with ground truth), `validation` (those of its scenes that are held out when
            fine-tuning), or `test` (12 scenes without ground truth).
        render: rendering pass, `clean` or `final`.
        invalid: `count` uses pixels whose ground truth the authors mark as invalid, `leave out` ignores them. Papers
            count them on the training scenes (RAFT, FlowNet 2.0 and the tables based on them), so that is the default.
    """
    name = f"Sintel {render}"
    check_split(name, split, SPLITS)
    part = "test" if split == "test" else "training"
    places = (".", "MPI-Sintel-complete", "MPI-Sintel", "Sintel")
    folder = locate(root, name, places, f"{part}/{render}/*") / part
    pairs = []
    for scene in sorted(path for path in (folder / render).iterdir() if path.is_dir()):
        if split == "validation" and scene.name not in VALIDATION_SCENES:
            continue
        frames = sorted(scene.glob("frame_*.png"))
        # the last frame of a scene has no flow
        for first, second in pairwise(frames):
            title = f"{scene.name}/{first.stem}"
            if split == "test":
                pairs.append(Pair(title, scene.name, first, second))
                continue
            # a copy of the data set may lack the masks
            masks = {kind: folder / kind / scene.name / first.name for kind in ("occlusions", "invalid")}
            pairs.append(
                Pair(
                    title,
                    scene.name,
                    first,
                    second,
                    need(folder / "flow" / scene.name / f"{first.stem}.flo", name, title),
                    if_there(masks["occlusions"]),
                    if_there(masks["invalid"]) if invalid == "leave out" else None,
                )
            )
    return FlowDataset(f"{name} {split}", pairs, "Sintel", expected=_COUNTS.get(split))
