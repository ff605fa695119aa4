"""The output files of a clip: formats and paths; one subfolder per kind of file, one video for the whole clip."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

from opticflow.errors import InputError
from opticflow.estimator import PairFlow
from opticflow.io import make_folder, write_flow, write_image, write_mask
from opticflow.io.atomic import remove_unfinished
from opticflow.shapes import FlowArray, Frame
from opticflow.visualize import flow_to_image

FLOW_SAVES = {"flo": ".flo", "kitti": ".png", "pfm": ".pfm", "npz": ".npz", "flo5": ".flo5", "exr": ".exr"}
SAVES = (*FLOW_SAVES, "color", "video")
"""Kinds of output: the flow formats, `color` pictures, a colour `video`."""


def parse_saves(text: str) -> tuple[str, ...]:
    """Parse a list of outputs: `flo,video` -> ("flo", "video").

    Raises:
        InputError: the list is empty, or a word is no kind of output.
    """
    saves = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    saves = tuple("color" if word == "colour" else word for word in saves)
    unknown = [word for word in saves if word not in SAVES]
    if unknown or not saves:
        raise InputError(f"cannot save {', '.join(unknown) or 'nothing'}; known are {', '.join(SAVES)}")
    return saves


@dataclass(frozen=True)
class FlowFiles:
    """The output files of a clip: paths of the files of each pair and of the videos.

    Args:
        folder: the output folder.
        saves: which of `SAVES`; each is a file per pair, except `video`.
        max_flow: the flow magnitude, in pixels, that is drawn at full saturation; None if nothing is drawn.
        half: store `.npz` in fp16.
        backward: whether there are also files of the backward flow and of the occlusions.
    """

    folder: Path
    saves: Sequence[str]
    max_flow: float | None
    half: bool = False
    backward: bool = False

    def create_folders(self) -> list[Path]:
        """Make the folders, and return the subfolders that did not exist.

        Raises:
            FormatError: a folder cannot be made.
        """
        new = [folder for folder in self.folders if not folder.is_dir()]
        for folder in (self.folder, *self.folders):
            make_folder(folder)
        return new

    def refuse_foreign(self) -> None:
        """Raise an error if files are in the way of a new run.

        Raises:
            InputError: there are files that no record of a run accounts for.
        """
        taken = [path for path in (*self.videos, self.parts) if os.path.lexists(path)]
        taken += [path for folder in self.folders if folder.is_dir() for path in sorted(folder.iterdir())[:1]]
        if taken:
            raise InputError(
                f"{taken[0]} is there already, and no run of opticflow in {self.folder} is known to have written it; "
                "choose another folder"
            )

    def refuse_in_the_way(self, names: Iterable[str]) -> None:
        """Raise an error if files of these pairs, which are not yet computed, exist.

        Raises:
            InputError: there is a file that does not belong to the run.
        """
        for path in (path for name in names for path in self.paths(name)):
            if os.path.lexists(path):
                raise InputError(
                    f"{path} is there already and is not of this run; move it away, or choose another folder"
                )

    def remove(self, names: Iterable[str]) -> None:
        """Remove the files of these pairs, the videos, their pieces and the subfolders.

        Raises:
            InputError: the subfolders hold other files; nothing is removed then.
        """
        names = {*names}
        found = [path for folder in self.folders if folder.is_dir() for path in folder.iterdir()]
        # all files are checked before the first is removed
        for path in found:
            if path.stem not in names or path not in self.paths(path.stem):
                raise InputError(f"{path} is not of the run in {self.folder}; move it away, or choose another folder")
        for path in (*found, *self.videos):
            path.unlink(missing_ok=True)
        self.remove_pieces()
        for folder in self.folders:
            _remove_empty(folder)

    def remove_pieces(self) -> None:
        """Remove the pieces of the videos."""
        for direction in self.directions:
            for path in self.parts.glob(f"flow{direction}_" + "[0-9]" * 6 + ".mp4"):
                path.unlink()
        remove_unfinished(self.parts)
        _remove_empty(self.parts)

    def remove_unfinished(self, name: str) -> None:
        """Remove the unfinished files that a killed run left: files of this pair, or videos."""
        paths = [*self.paths(name), *self.videos]
        for folder in {path.parent for path in paths}:
            remove_unfinished(folder, {path.name for path in paths})

    @property
    def folders(self) -> list[Path]:
        """The subfolders of the files of pairs."""
        return sorted({path.parent for path in self.paths("x")})

    @property
    def has_video(self) -> bool:
        """Whether a video is among the outputs."""
        return "video" in self.saves

    @property
    def only_video(self) -> bool:
        """Whether there are no files of pairs, only a video."""
        return not self.folders

    @property
    def parts(self) -> Path:
        """Folder of the pieces of the videos until they are joined."""
        return self.folder / ".parts"

    def piece(self, direction: str, number: int) -> Path:
        """Return the path of a piece of the video of a direction."""
        return self.parts / f"flow{direction}_{number:06d}.mp4"

    def pieces(self, direction: str = "") -> list[Path]:
        """Return the existing pieces, up to the first missing one."""
        # pieces behind a gap cannot be joined to those before it
        return list(takewhile(Path.exists, (self.piece(direction, number) for number in count())))

    def paths(self, name: str) -> list[Path]:
        """Return all files of the pair whose first frame has this name."""
        paths = [self._path(save, direction, name) for save in self._kinds for direction in self.directions]
        return paths + [self._occlusion(name)] * self.backward

    def video(self, direction: str = "") -> Path:
        """Return the path of the colour video of a direction: "" or "-backward"."""
        return self.folder / f"flow{direction}.mp4"

    @property
    def directions(self) -> list[str]:
        """The suffix in the names of the files of each direction."""
        return ["", "-backward"] if self.backward else [""]

    @property
    def videos(self) -> list[Path]:
        """Paths of the colour videos; empty if none is saved."""
        return [self.video(direction) for direction in self.directions] if self.has_video else []

    def outputs(self) -> list[str]:
        """The folders and videos that remain after a run."""
        return [str(path) for path in (*self.folders, *self.videos)]

    def picture(self, flow: FlowArray) -> Frame:
        """Draw the flow in colours, on the scale of the clip."""
        return flow_to_image(flow, max_flow=self.max_flow)

    def refuse_sources(self, sources: Sequence[Path]) -> None:
        """Raise an error if an output would overwrite an input.

        Raises:
            InputError: a source is one of the videos, or lies in one of the subfolders.
        """
        folders = {folder.resolve() for folder in self.folders}
        videos = {video.resolve() for video in self.videos}
        for source in sources:
            if source.resolve() in videos or source.resolve().parent in folders:
                raise InputError(f"{source} is read, and its place would be written to; choose another output folder")

    def write(self, name: str, pair: PairFlow, *, keep: bool = False) -> None:
        """Write the files of a pair. With `keep`, existing files are complete and are not written again."""
        for save in self._kinds:
            self._write(save, self._path(save, "", name), pair.forward, keep)
            if pair.backward is not None:
                self._write(save, self._path(save, "-backward", name), pair.backward, keep)
        path = self._occlusion(name)
        if pair.occluded is not None and not (keep and path.exists()):
            write_mask(path, pair.occluded)

    @property
    def _kinds(self) -> list[str]:
        return [save for save in self.saves if save != "video"]

    def _path(self, save: str, direction: str, name: str) -> Path:
        return self.folder / f"{save}{direction}" / f"{name}{FLOW_SAVES.get(save, '.png')}"

    def _occlusion(self, name: str) -> Path:
        return self.folder / "occlusion" / f"{name}.png"

    def _write(self, save: str, path: Path, flow: FlowArray, keep: bool) -> None:
        if keep and path.exists():
            return
        if save == "color":
            write_image(path, self.picture(flow))
        elif save == "npz":
            write_flow(path, flow, half=self.half)
        else:
            write_flow(path, flow)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # missing, or not empty
        folder.rmdir()


def bytes_per_pair(saves: Sequence[str], height: int, width: int, *, backward: bool, half: bool) -> int:
    """Return the largest disk space of one pair, for the formats whose size is known; pictures compress."""
    per_pixel = {"flo": 8, "pfm": 12, "npz": 4 if half else 8, "kitti": 6, "flo5": 8, "exr": 8, "color": 3}
    total = sum(per_pixel.get(save, 0) for save in saves) * (2 if backward else 1) + backward
    return total * height * width
