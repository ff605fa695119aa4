"""Where the results of an estimate go: into a folder, one video, one store, or a file for a pair of frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opticflow.estimator import Estimator
from opticflow.extract.options import ClipOptions, RunReport
from opticflow.extract.output_kinds import Video
from opticflow.extract.outputs import OUTPUTS, output_of_file
from opticflow.extract.run import run_clip, run_clip_to_video, run_pair
from opticflow.io.video import Clip
from opticflow.store import STORE_SUFFIX


@dataclass(frozen=True)
class Target:
    """Where the results go, and which kinds of output they are."""

    path: Path
    saves: tuple[str, ...]
    is_pair: bool = False
    """Whether it is one file for the flow of two frames."""

    @property
    def is_video(self) -> bool:
        """Whether it is one video file."""
        return self.path.suffix.lower() == ".mp4" and not self.path.is_dir()


def find_target(name: str, output: Path | None, saves: Sequence[str] | None, *, two_pictures: bool) -> Target:
    """Return where the results of an estimate go.

    Args:
        name: name of the clip; of the first picture, if there are two.
        output: as the user names it; None makes a name from `name`.
        saves: the kinds of output asked for; None if the name of the output decides.
        two_pictures: whether the clip is two picture files, whose flow is a file and no folder, if nothing else is
            said.

    Raises:
        InputError: the output cannot take what is to be saved, or its suffix says nothing.
    """
    chosen = tuple(saves or ("video",))
    if output is None:
        return (
            Target(Path(f"{name}.flo"), ("flo",), True)
            if two_pictures and not saves
            else Target(Path(f"{name}-flow"), chosen)
        )
    suffix = output.suffix.lower()
    known = any(suffix in row.file_suffixes for row in OUTPUTS.values())
    is_file = known or (two_pictures and saves is None and suffix)
    if not is_file or (output.is_dir() and suffix != STORE_SUFFIX):
        return Target(output, chosen)
    save = output_of_file(output, saves)
    return Target(output, (save,), not OUTPUTS[save].in_pieces)


def run_to(
    target: Target,
    clip: Clip,
    estimator: Estimator,
    options: ClipOptions,
    *,
    settings: dict[str, Any],
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> RunReport:
    """Estimate the flow of a clip and write it to the target. See `run_clip`, `run_clip_to_video` and `run_pair`."""
    if target.is_pair:
        return run_pair(clip, estimator, target.path, options)
    run = run_clip_to_video if target.is_video and isinstance(options.outputs[0], Video) else run_clip
    return run(
        clip, estimator, target.path, options, settings=settings, resume=resume, overwrite=overwrite, progress=progress
    )
