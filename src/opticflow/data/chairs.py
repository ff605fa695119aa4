"""Readers of FlyingChairs and ChairsSDHom.

FlyingChairs (Dosovitskiy et al., FlowNet, ICCV 2015): `data/00001_img1.ppm`, `00001_img2.ppm`, `00001_flow.flo` ... and
the authors' split `FlyingChairs_train_val.txt`, one line per pair: 1 for training, 2 for validation.

ChairsSDHom (Ilg et al., FlowNet 2.0, CVPR 2017): `data/train/{t0,t1,flow}/00001.png|.pfm`, and the same in `data/test`.
"""

import re
import reprlib
from pathlib import Path

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, locate, need, read_words
from opticflow.errors import DatasetError

CHAIRS_SPLITS = ("validation", "training", "all")
_CHAIRS_COUNTS = {"validation": 640, "training": 22232, "all": 22872}

SDHOM_SPLITS = ("train", "test")
SDHOM_LEFT_OUT = {"train/08755": "its truth holds NaN (found by mmflow)"}


def flying_chairs(root: str | Path, split: str = "validation") -> FlowDataset:
    """Open FlyingChairs.

    Args:
        root: `FlyingChairs_release`, its parent folder, or its folder `data`. The split file may be in any of them.
        split: `validation`, `training`, or `all`, which needs no split file.
    """
    name = "FlyingChairs"
    check_split(name, split, CHAIRS_SPLITS)
    folder = locate(root, name, ("data", "FlyingChairs_release/data", "."), "*_flow.flo")
    numbers = sorted(path.name.removesuffix("_flow.flo") for path in folder.glob("*_flow.flo"))
    # the numbers are line numbers of the split file
    if strange := [number for number in numbers if not re.fullmatch("[0-9]{1,9}", number)]:
        raise DatasetError(f"{name}: {folder / strange[0]}_flow.flo has no number; wanted names as 00001_flow.flo")
    if split != "all":
        labels = _labels(folder, Path(root))
        wanted = "1" if split == "training" else "2"
        # pair n has line n of the split file, so an incomplete set of pairs still finds its labels
        last = max(int(number) for number in numbers)
        if len(labels) < last:
            raise DatasetError(
                f"{name}: FlyingChairs_train_val.txt has {len(labels)} lines, but there is a pair {last}; "
                "wanted one line a pair"
            )
        numbers = [number for number in numbers if labels[int(number) - 1] == wanted]
    pairs = [
        Pair(
            number,
            split,
            need(folder / f"{number}_img1.ppm", name, number),
            need(folder / f"{number}_img2.ppm", name, number),
            folder / f"{number}_flow.flo",
        )
        for number in numbers
    ]
    return FlowDataset(f"{name} {split}", pairs, "FlyingChairs", expected=_CHAIRS_COUNTS[split])


def _labels(folder: Path, root: Path) -> list[str]:
    """Read the label of each pair, beginning with pair 1: 1 is training, 2 is validation."""
    for place in (folder, folder.parent, root):
        path = place / "FlyingChairs_train_val.txt"
        if path.is_file():
            labels = read_words(path, "FlyingChairs")
            if wrong := set(labels) - {"1", "2"}:
                raise DatasetError(
                    f"FlyingChairs: {path} holds {reprlib.repr(min(wrong))}; wanted 1 or 2 for each pair"
                )
            return labels
    raise DatasetError(
        f"FlyingChairs: there is no FlyingChairs_train_val.txt in {folder.parent}; it is a separate download from the "
        "data set's page, or use the split `all`"
    )


def chairs_sdhom(root: str | Path, split: str = "train") -> FlowDataset:
    """Open ChairsSDHom: chairs with very small displacements, partly in front of homogeneous backgrounds.

    Args:
        root: `ChairsSDHom`, its parent folder, or its folder `data`.
        split: `train` or `test`.
    """
    name = "ChairsSDHom"
    check_split(name, split, SDHOM_SPLITS)
    folder = locate(root, name, ("data", "ChairsSDHom/data", "."), f"{split}/flow/*.pfm") / split
    pairs = [
        Pair(
            f"{split}/{path.stem}",
            split,
            need(folder / "t0" / f"{path.stem}.png", name, path.stem),
            need(folder / "t1" / f"{path.stem}.png", name, path.stem),
            path,
        )
        for path in sorted((folder / "flow").glob("*.pfm"))
        if f"{split}/{path.stem}" not in SDHOM_LEFT_OUT
    ]
    return FlowDataset(f"{name} {split}", pairs, "FlyingChairs", left_out=SDHOM_LEFT_OUT)
