"""What a clip's flow is written as, and where: one subfolder for each kind of file, one video for the whole clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opticflow.errors import InputError
from opticflow.estimator import PairFlow
from opticflow.io import write_flow, write_image
from opticflow.shapes import FlowArray, Frame
from opticflow.visualize import flow_to_image

FLOW_SAVES = {"flo": ".flo", "kitti": ".png", "pfm": ".pfm", "npz": ".npz", "flo5": ".flo5", "exr": ".exr"}
SAVES = (*FLOW_SAVES, "color", "video")
"""What can be saved: the flow formats, `color` pictures, a colour `video`."""


def parse_saves(text: str) -> tuple[str, ...]:
    """`flo,video` -> ("flo", "video").

    Raises:
        InputError: a word that is no kind of output.
    """
    saves = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    saves = tuple("color" if word == "colour" else word for word in saves)
    unknown = [word for word in saves if word not in SAVES]
    if unknown or not saves:
        raise InputError(f"cannot save {', '.join(unknown) or 'nothing'}; known are {', '.join(SAVES)}")
    return saves


@dataclass(frozen=True)
class FlowFiles:
    """The files of one pair.

    Args:
        folder: the output folder.
        saves: which of `SAVES`; `video` is not a file of a pair.
        max_flow: the length, in pixels, that is painted in full colour.
        half: store `.npz` in fp16.
    """

    folder: Path
    saves: Sequence[str]
    max_flow: float
    half: bool = False
    backward: bool = False
    keep_existing: bool = False

    def create_folders(self) -> None:
        """Make the folders.

        Raises:
            OSError: the place is not writable.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.paths("x"):
            path.parent.mkdir(exist_ok=True)

    def paths(self, name: str) -> list[Path]:
        """All files of the pair whose first frame has that name."""
        paths = [self._path(save, direction, name) for save in self._kinds for direction in self.directions]
        return paths + [self._occlusion(name)] * self.backward

    def video(self, direction: str = "") -> Path:
        """The colour video of a direction: "" or "-backward"."""
        return self.folder / f"flow{direction}.mp4"

    @property
    def directions(self) -> list[str]:
        """What is added to the names for each direction."""
        return ["", "-backward"] if self.backward else [""]

    def outputs(self) -> list[str]:
        """The folders and videos that a run leaves."""
        folders = sorted({str(path.parent) for path in self.paths("x")})
        videos = [str(self.video(direction)) for direction in self.directions] if "video" in self.saves else []
        return folders + videos

    def picture(self, flow: FlowArray) -> Frame:
        """The flow in colours, on the scale of the clip."""
        return flow_to_image(flow, max_flow=self.max_flow)

    def write(self, name: str, pair: PairFlow) -> None:
        """Write the files; with `keep_existing`, what is there is complete and stays."""
        for save in self._kinds:
            self._write(save, self._path(save, "", name), pair.forward)
            if pair.backward is not None:
                self._write(save, self._path(save, "-backward", name), pair.backward)
        if pair.occluded is not None and not self._stays(path := self._occlusion(name)):
            write_image(path, pair.occluded[..., None].repeat(3, axis=2).astype("uint8") * 255)

    @property
    def _kinds(self) -> list[str]:
        return [save for save in self.saves if save != "video"]

    def _path(self, save: str, direction: str, name: str) -> Path:
        return self.folder / f"{save}{direction}" / f"{name}{FLOW_SAVES.get(save, '.png')}"

    def _occlusion(self, name: str) -> Path:
        return self.folder / "occlusion" / f"{name}.png"

    def _stays(self, path: Path) -> bool:
        return self.keep_existing and path.exists()

    def _write(self, save: str, path: Path, flow: FlowArray) -> None:
        if self._stays(path):
            return
        if save == "color":
            write_image(path, self.picture(flow))
        elif save == "npz":
            write_flow(path, flow, half=self.half)
        else:
            write_flow(path, flow)


def bytes_per_pair(saves: Sequence[str], height: int, width: int, *, backward: bool, half: bool) -> int:
    """Disk space that one pair takes at most, for the formats whose size is known; pictures compress."""
    per_pixel = {"flo": 8, "pfm": 12, "npz": 4 if half else 8, "kitti": 6, "flo5": 8, "exr": 8, "color": 3}
    total = sum(per_pixel.get(save, 0) for save in saves) * (2 if backward else 1) + backward
    return total * height * width
