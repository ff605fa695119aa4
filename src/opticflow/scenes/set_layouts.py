"""File layouts of synthetic data sets on disk. They equal those of the published data sets, so existing loaders work.

Items are numbered from 0; the numbers in the file names can differ. Each file is written atomically, so the presence of
the file that is written last shows that an item is complete. The published layouts have no place for occlusion masks
and instance maps, so these are in additional folders: PNG with 255 at occluded pixels, and PNG with the instance
numbers.

```
FlyingChairs     FlyingChairs_train_val.txt   data/00001_img1.ppm _img2.ppm _flow.flo   {occlusion,instances}/00001.png
ChairsSDHom      data/{train,test}/{t0,t1}/00000.png  flow/00000.pfm                    {occlusion,instances}/00000.png
FlyingThings3D   frames_{clean,final}pass/{TRAIN,TEST}/A/0000/left/0006.png
                 optical_flow/TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm, into_past likewise
                 {occlusion_into_future,occlusion_into_past,object_index}/TRAIN/A/0000/left/0006.png
                 depth/TRAIN/A/0000/left/0006.pfm   camera_data/TRAIN/A/0000/camera_data.txt
```
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from opticflow.io import atomic_path, write_flow, write_image
from opticflow.io.atomic import write_bytes
from opticflow.scenes.mixed_config import MIXED_WORLDS
from opticflow.scenes.rendered import InstanceMap, RenderedPair
from opticflow.scenes.things_config import THINGS_WORLDS
from opticflow.shapes import FlowArray, Frame, MaskArray

CHAIRS_VALIDATION = 36
"""One of this many pairs is for validation; in the published set it is one of 35.7 (640 of 22,872)."""
SDHOM_TEST = 22
"""One of this many pairs is for testing."""
THINGS_TEST = 6
"""One of this many sequences is for testing; in the published set it is one of 6.1 (437 of 2,676)."""
FIRST_FRAME = 6
"""Number of the first frame of a FlyingThings3D sequence."""
SEQUENCES_PER_LETTER = 750
"""Number of sequences in each of the folders A, B, C, ..."""


@runtime_checkable
class SequenceFrame(Protocol):
    """The arrays that the FlyingThings3D layout stores for one frame of a sequence."""

    @property
    def clean(self) -> Frame: ...
    @property
    def final(self) -> Frame: ...
    @property
    def into_future(self) -> FlowArray: ...
    @property
    def into_past(self) -> FlowArray: ...
    @property
    def hidden_in_future(self) -> MaskArray: ...
    @property
    def hidden_in_past(self) -> MaskArray: ...
    @property
    def instances(self) -> InstanceMap: ...
    @property
    def depth(self) -> Float32[np.ndarray, "height width"]: ...
    @property
    def intrinsics(self) -> Float64[np.ndarray, "3 3"]: ...
    @property
    def extrinsics(self) -> Float64[np.ndarray, "4 4"]: ...


@runtime_checkable
class RenderedSequence(Protocol):
    """Consecutive frames of a scene. Each frame, including the first and the last, has both flows."""

    @property
    def frames(self) -> Sequence[SequenceFrame]: ...


class FlyingChairsLayout:
    """The layout of FlyingChairs: pairs, whose files are numbered from 1."""

    def write(self, root: Path, number: int, item: RenderedPair) -> None:
        """Write one pair; write its flow last."""
        name = f"{number + 1:05d}"
        data = _folder(root / "data")
        write_image(data / f"{name}_img1.ppm", item.first)
        write_image(data / f"{name}_img2.ppm", item.second)
        _write_masks(root, name, item)
        write_flow(self.last(root, number), item.forward)

    def last(self, root: Path, number: int) -> Path:
        """Return the file that is written last, so that it exists if and only if the item is complete."""
        return root / "data" / f"{number + 1:05d}_flow.flo"

    def finish(self, root: Path, count: int) -> None:
        """Write the split file, with the line 1 for each training pair and 2 for each validation pair."""
        labels = ("2" if number % CHAIRS_VALIDATION == 1 else "1" for number in range(count))
        write_bytes(root / "FlyingChairs_train_val.txt", "".join(f"{label}\n" for label in labels).encode())

    def item_bytes(self, height: int, width: int) -> int:
        """Return the approximate disk space of one item in bytes."""
        # per pixel: two frames of 3 bytes, and flow of two floats
        return height * width * (2 * 3 + 8) + 6000


class ChairsSDHomLayout:
    """The layout of ChairsSDHom: pairs, whose files are numbered from 0 across both splits."""

    def write(self, root: Path, number: int, item: RenderedPair) -> None:
        """Write one pair; write its flow last."""
        flow = self.last(root, number)
        split, name = flow.parent.parent, flow.stem
        write_image(_folder(split / "t0") / f"{name}.png", item.first)
        write_image(_folder(split / "t1") / f"{name}.png", item.second)
        _write_masks(root, name, item)
        write_flow(_folder(flow.parent) / flow.name, item.forward)

    def last(self, root: Path, number: int) -> Path:
        """Return the file that is written last, so that it exists if and only if the item is complete."""
        split = "test" if number % SDHOM_TEST == 1 else "train"
        return root / "data" / split / "flow" / f"{number:05d}.pfm"

    def finish(self, root: Path, count: int) -> None:
        """Do nothing: this layout has no files for the data set as a whole."""

    def item_bytes(self, height: int, width: int) -> int:
        """Return the approximate disk space of one item in bytes; PNG halves the size of most pictures."""
        # per pixel: two frames of 3 bytes, halved by PNG, and flow of three floats
        return height * width * (3 + 12) + 6000


class FlyingThings3DLayout:
    """The layout of FlyingThings3D: sequences, numbered from A/0000 across both splits."""

    def write(self, root: Path, number: int, item: RenderedSequence) -> None:
        """Write one sequence; write its camera file last."""
        part = self.last(root, number).parent.relative_to(root / "camera_data")
        for count, frame in enumerate(item.frames):
            name = f"{FIRST_FRAME + count:04d}"
            write_image(_folder(root / "frames_cleanpass" / part / "left") / f"{name}.png", frame.clean)
            write_image(_folder(root / "frames_finalpass" / part / "left") / f"{name}.png", frame.final)
            for direction, word, flow, hidden in (
                ("into_future", "Future", frame.into_future, frame.hidden_in_future),
                ("into_past", "Past", frame.into_past, frame.hidden_in_past),
            ):
                folder = _folder(root / "optical_flow" / part / direction / "left")
                write_flow(folder / f"OpticalFlowInto{word}_{name}_L.pfm", flow)
                _write_png(_folder(root / f"occlusion_{direction}" / part / "left") / f"{name}.png", _as_png(hidden))
            _write_png(_folder(root / "object_index" / part / "left") / f"{name}.png", _as_png(frame.instances))
            _write_pfm(_folder(root / "depth" / part / "left") / f"{name}.pfm", frame.depth)
        write_bytes(_folder(self.last(root, number).parent) / "camera_data.txt", _cameras(item.frames).encode())

    def last(self, root: Path, number: int) -> Path:
        """Return the file that is written last, so that it exists if and only if the item is complete."""
        split = "TEST" if number % THINGS_TEST == 1 else "TRAIN"
        letter, rest = divmod(number, SEQUENCES_PER_LETTER)
        return root / "camera_data" / split / chr(ord("A") + letter) / f"{rest:04d}" / "camera_data.txt"

    def finish(self, root: Path, count: int) -> None:
        """Do nothing: this layout has no files for the data set as a whole."""

    def item_bytes(self, height: int, width: int) -> int:
        """Return the approximate disk space in bytes of one item of ten frames; PNG halves the size of most
        pictures."""
        # per pixel: two passes of about two bytes in PNG, two flows of three floats, and depth of one float
        return 10 * (height * width * (2 * 2 + 2 * 12 + 4) + 20000)


@runtime_checkable
class SetLayout(Protocol):
    """Protocol of the file layout of a data set."""

    def write(self, root: Path, number: int, item: Any) -> None:
        """Write one item; write last the file that shows that the item is complete."""
        ...

    def last(self, root: Path, number: int) -> Path:
        """Return the file that is written last, so that it exists if and only if the item is complete."""
        ...

    def finish(self, root: Path, count: int) -> None:
        """Write the files of the data set as a whole."""
        ...

    def item_bytes(self, height: int, width: int) -> int:
        """Return the approximate disk space of one item in bytes."""
        ...


LAYOUTS: dict[str, SetLayout] = {
    "chairs": FlyingChairsLayout(),
    **dict.fromkeys(MIXED_WORLDS, FlyingChairsLayout()),
    "chairs-sdhom": ChairsSDHomLayout(),
    **dict.fromkeys(THINGS_WORLDS, FlyingThings3DLayout()),
}
"""The layout of each kind of world."""


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_masks(root: Path, name: str, item: RenderedPair) -> None:
    _write_png(_folder(root / "occlusion") / f"{name}.png", _as_png(item.first_occluded))
    _write_png(_folder(root / "instances") / f"{name}.png", _as_png(item.first_instances))


def _as_png(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    return values.astype(np.uint8 if values.max() < 256 else np.uint16)  # 16 bits only if 8 are too few


def _write_png(path: Path, values: np.ndarray) -> None:
    _, encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    write_bytes(path, encoded.tobytes())


def _write_pfm(path: Path, values: Float32[np.ndarray, "height width"]) -> None:
    height, width = values.shape
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        # PFM stores the rows from bottom to top; a negative scale means little-endian
        file.write(f"Pf\n{width} {height}\n-1.0\n".encode())
        file.write(values[::-1].astype("<f4").tobytes())


def _cameras(frames: Iterable[SequenceFrame]) -> str:
    """Return the text of the camera file in the format of the authors (camera-to-world matrices, row by row), with an
    additional line for the intrinsics.

    In the published set, cameras look along -z with y up; here they look along z with y down. So both axes are negated.
    """
    lines = []
    for count, frame in enumerate(frames):
        lines += [f"Frame {FIRST_FRAME + count}"]
        # the diagonal matrix negates the y and z axes of the camera
        pose = np.linalg.inv(frame.extrinsics) @ np.diag([1.0, -1.0, -1.0, 1.0])
        lines += ["L " + " ".join(f"{value:.9g}" for value in pose.ravel())]
        lines += ["K " + " ".join(f"{value:.9g}" for value in frame.intrinsics.ravel()), ""]
    return "\n".join(lines)
