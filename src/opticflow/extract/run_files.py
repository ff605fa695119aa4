"""The output files of a run over a clip: what belongs to it, what is in its way, and what is removed with it."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from opticflow.errors import InputError
from opticflow.estimator import PairFlow
from opticflow.extract.output_kinds import PairFiles, Writing, occlusion_files
from opticflow.extract.outputs import OUTPUTS
from opticflow.extract.pieces import Pieces
from opticflow.io import make_folder
from opticflow.io.atomic import remove_unfinished


class RunFiles:
    """The output files of a run.

    Args:
        folder: the output folder.
        saves: which of `OUTPUTS`.
        writing: how they are written.
    """

    def __init__(self, folder: Path, saves: Sequence[str], writing: Writing):
        self.folder = folder
        self.files: list[PairFiles] = [found for save in saves for found in OUTPUTS[save].files(save, folder, writing)]
        """Files with one for each pair."""
        self.pieces: list[Pieces] = [found for save in saves for found in OUTPUTS[save].pieces(save, folder, writing)]
        """Outputs for the clip as a whole."""
        if writing.backward and self.files:
            self.files.append(occlusion_files(folder))

    @property
    def folders(self) -> list[Path]:
        """The subfolders of the files of pairs."""
        return sorted({found.folder for found in self.files})

    def paths(self, name: str) -> list[Path]:
        """Return all files of the pair whose first frame has this name."""
        return [found.path(name) for found in self.files]

    def outputs(self) -> list[str]:
        """Return the folders, videos and stores that remain after a run."""
        return [str(path) for path in (*self.folders, *(pieces.path for pieces in self.pieces))]

    def write(self, name: str, pair: PairFlow, *, keep: bool = False) -> None:
        """Write the files of a pair. With `keep`, existing files are complete and are not written again."""
        for found in self.files:
            path = found.path(name)
            if not (keep and path.exists()):
                found.write(path, pair)

    def create_folders(self) -> list[Path]:
        """Make the folders, and return the subfolders that did not exist.

        Raises:
            FormatError: a folder cannot be made.
        """
        new = [folder for folder in self.folders if not folder.is_dir()]
        for folder in (self.folder, *self.folders):
            make_folder(folder)
        return new

    def refuse_sources(self, sources: Sequence[Path]) -> None:
        """Raise an error if an output would overwrite an input.

        Raises:
            InputError: a source is one of the outputs, or lies in one of the subfolders.
        """
        folders = {folder.resolve() for folder in self.folders}
        whole = {pieces.path.resolve() for pieces in self.pieces}
        for source in sources:
            if source.resolve() in whole or source.resolve().parent in folders:
                raise InputError(f"{source} is read, and its place would be written to; choose another output folder")

    def refuse_foreign(self) -> None:
        """Raise an error if files are in the way of a new run.

        Raises:
            InputError: there are files that no record of a run accounts for.
        """
        taken = [path for pieces in self.pieces for path in pieces.in_the_way()]
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
        """Remove the files of these pairs, the subfolders, and the outputs for the clip as a whole.

        Raises:
            InputError: the subfolders hold other files; nothing is removed then.
        """
        own = {path for name in names for path in self.paths(name)}
        found = [path for folder in self.folders if folder.is_dir() for path in folder.iterdir()]
        # all files are checked before the first is removed
        for path in found:
            if path not in own:
                raise InputError(f"{path} is not of the run in {self.folder}; move it away, or choose another folder")
        for path in found:
            path.unlink(missing_ok=True)
        for pieces in self.pieces:
            pieces.remove()
        for folder in self.folders:
            with contextlib.suppress(OSError):  # missing, or not empty
                folder.rmdir()

    def remove_pieces(self) -> None:
        """Remove the pieces that the finished outputs do not need."""
        for pieces in self.pieces:
            pieces.remove_pieces()

    def remove_unfinished(self, name: str) -> None:
        """Remove the unfinished files that a killed run left: files of this pair, or outputs as a whole."""
        paths = self.paths(name)
        for folder in {path.parent for path in paths}:
            remove_unfinished(folder, {path.name for path in paths})
        for pieces in self.pieces:
            pieces.remove_unfinished()
