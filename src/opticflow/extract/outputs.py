"""The table of what a run over a clip can write.

A new kind of output is one row. A new flow format or drawing style has its row here by itself.
"""

from collections.abc import Sequence
from pathlib import Path

from opticflow.errors import InputError
from opticflow.extract.output_kinds import FlowFiles, Output, Pictures, Store, Video
from opticflow.io import FLOW_FORMATS
from opticflow.visualize import STYLES

OUTPUTS: dict[str, Output] = {
    **{format.name: FlowFiles(suffix, format) for suffix, format in FLOW_FORMATS.items()},
    **{style: Pictures(style) for style in STYLES},
    **{"video" if style == "color" else f"{style}-video": Video(style) for style in STYLES},
    "store": Store(),
}
"""Every kind of output, by its name in `--save`."""


def parse_saves(text: str) -> tuple[str, ...]:
    """Parse a list of outputs: `flo,video` -> ("flo", "video").

    Raises:
        InputError: the list is empty, or a word is no kind of output.
    """
    saves = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    saves = tuple("color" if word == "colour" else word for word in saves)
    unknown = [word for word in saves if word not in OUTPUTS]
    if unknown or not saves:
        raise InputError(f"cannot save {', '.join(unknown) or 'nothing'}; known are {', '.join(OUTPUTS)}")
    return saves


def output_of_file(path: Path, saves: Sequence[str] | None = None) -> str:
    """Return the kind of output that a single file is.

    Args:
        path: the file; `.png` names a KITTI flow file as well as a picture, and is a picture if nothing else is asked
            for.
        saves: the kinds asked for; None if the suffix is to decide.

    Raises:
        InputError: no kind of output has this suffix, or not the one that is asked for.
    """
    suffix = path.suffix.lower()
    if saves is None:
        fitting = [name for name, output in OUTPUTS.items() if suffix in output.file_suffixes]
        if not fitting:
            known = ", ".join(dict.fromkeys(suffix for output in OUTPUTS.values() for suffix in output.file_suffixes))
            raise InputError(f"{path} has the suffix of no flow format, picture or video; wanted one of {known}")
        return "color" if "color" in fitting else fitting[0]
    if len(saves) > 1 or suffix not in OUTPUTS[saves[0]].file_suffixes:
        raise InputError(f"{path} is one file, which cannot take {', '.join(saves)}; give a folder, or another name")
    return saves[0]
