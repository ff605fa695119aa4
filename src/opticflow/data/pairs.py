"""Reader of the user's own pairs: a folder of folders, or a CSV table.

A folder: `NAME/img1.*`, `NAME/img2.*`, and the ground truth as one of `gt.flo`, `gt_kitti.png`, `gt.npy` or `gt` with
the suffix of any other flow format; optionally the masks `occlusions.png` and `invalid.png`, white where true.
A table: a header with `first,second,flow` and optionally `occluded,invalid,sequence`; paths are relative to the table.
"""

import csv
from pathlib import Path

from opticflow.data.dataset import FlowDataset, Pair
from opticflow.data.layout import check_split, if_there, locate, need
from opticflow.errors import DatasetError
from opticflow.io import FLOW_SUFFIXES, IMAGE_SUFFIXES

SPLITS = ("all",)
_COLUMNS = ("first", "second", "flow", "occluded", "invalid", "sequence")


def pairs(root: str | Path, split: str = "all") -> FlowDataset:
    """Open the user's own pairs; `root` is a folder with one folder per pair, or a `.csv` table."""
    check_split("pairs", split, SPLITS)
    root = Path(root)
    if root.suffix.lower() == ".csv" and root.is_file():
        return FlowDataset(_called(root), _from_table(root))
    folder = locate(root, "pairs", (".", "pairs"), "*/img1.*")
    return FlowDataset(
        _called(folder.resolve()), [_from_folder(path.parent) for path in sorted(folder.glob("*/img1.*"))]
    )


def _called(root: Path) -> str:
    return "pairs" if root.name == "pairs" else f"pairs {root.name}"


def _from_folder(folder: Path) -> Pair:
    def one(stem: str, suffixes: tuple[str, ...]) -> Path:
        found = [path for path in sorted(folder.glob(f"{stem}.*")) if path.suffix.lower() in suffixes]
        if len(found) != 1:
            there = " and ".join(path.name for path in found) or "none"
            raise DatasetError(
                f"pairs: {folder.name} needs one {stem}.*, a {_kind(stem)}; there is {there} in {folder}"
            )
        return found[0]

    kitti = if_there(folder / "gt_kitti.png")
    if kitti and any(path.suffix.lower() in FLOW_SUFFIXES for path in folder.glob("gt.*")):
        raise DatasetError(f"pairs: {folder.name} needs one true flow; there is gt_kitti.png beside gt.* in {folder}")
    return Pair(
        folder.name,
        folder.name,
        one("img1", IMAGE_SUFFIXES),
        one("img2", IMAGE_SUFFIXES),
        kitti or one("gt", FLOW_SUFFIXES),
        if_there(folder / "occlusions.png"),
        if_there(folder / "invalid.png"),
    )


def _kind(stem: str) -> str:
    return f"flow file ({', '.join(FLOW_SUFFIXES)}), or gt_kitti.png" if stem == "gt" else "picture"


def _from_table(path: Path) -> list[Pair]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            header = tuple(table.fieldnames or ())
            rows = list(table)
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"pairs: {path} is no table of text in UTF-8: {error}") from error
    if not {"first", "second", "flow"} <= set(header) or not set(header) <= set(_COLUMNS):
        raise DatasetError(
            f"pairs: {path} has the header {','.join(header) or '(none)'}; wanted first,second,flow and, if known, "
            "occluded,invalid,sequence"
        )
    found = []
    for line, row in enumerate(rows, start=2):
        if beyond := row.get(None):  # type: ignore[call-overload] - where DictReader puts what has no column
            raise DatasetError(f"pairs: line {line} of {path} has {len(beyond)} more columns than the header")
        lacking = [column for column in _COLUMNS[:3] if not row[column]]
        if lacking:
            raise DatasetError(f"pairs: line {line} of {path} has no {' and no '.join(lacking)}")
        files = {
            column: need(path.parent / row[column], "pairs", f"line {line} of {path.name}")
            for column in _COLUMNS[:5]
            if row.get(column)
        }
        name = f"{line - 1:05d} {files['first'].stem}"
        found.append(Pair(name, row.get("sequence") or path.stem, **files))
    return found
