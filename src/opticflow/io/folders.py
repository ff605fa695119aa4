"""List the files of a folder, in natural order."""

import os
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from opticflow.errors import FormatError, InputError
from opticflow.io.flow_files import FLOW_SUFFIXES
from opticflow.io.image_files import IMAGE_SUFFIXES

DRAWN = (".color", ".arrows", ".overlay", ".magnitude", ".side-by-side")
"""Marks before the suffix of a drawing of flow: `frame_0001.color.png` is not a flow file."""
SAME_FORMAT = {".jpeg": ".jpg", ".tiff": ".tif"}
"""Suffixes that are other spellings of a format's suffix, with that suffix."""


def natural_key(path: str | os.PathLike[str]) -> list[tuple[int, int, str]]:
    """Return a sort key for natural order: frame2 before frame10."""
    parts = re.split(r"(\d+)", Path(path).name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part]


def list_files(folder: str | os.PathLike[str], suffixes: Collection[str]) -> list[Path]:
    """Return the visible files of a folder with one of the suffixes, in natural order.

    Raises:
        FormatError: the folder cannot be read.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    except OSError as error:
        raise FormatError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    return sorted((path for path in paths if path.is_file() and not path.name.startswith(".")), key=natural_key)


def list_flow_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the flow files of a folder, in natural order.

    PNG files count as KITTI flow only if there is no flow of another format. Pictures drawn from flow never count.

    Raises:
        FormatError: the folder cannot be read.
        InputError: no flow file, or files of several formats, which would be the same flow more than once.
    """
    paths = [path for path in list_files(folder, FLOW_SUFFIXES) if Path(path.stem).suffix not in DRAWN]
    kinds = sorted({path.suffix.lower() for path in paths})
    if ".png" in kinds and len(kinds) > 1:
        # beside flow of another format, .png files are taken to be pictures
        kinds.remove(".png")
    if not kinds:
        raise InputError(f"{folder} holds no flow file; wanted {', '.join(FLOW_SUFFIXES)}")
    if len(kinds) > 1:
        raise InputError(f"{folder} holds flow files of several formats ({', '.join(kinds)}); keep one in the folder")
    return [path for path in paths if path.suffix.lower() == kinds[0]]


def list_image_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the picture files of a folder, in natural order.

    Raises:
        FormatError: the folder cannot be read.
        InputError: no picture file, or pictures of several formats: some of them are probably not frames (but masks or
            thumbnails), or the same frames again.
    """
    paths = list_files(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no picture; wanted {', '.join(IMAGE_SUFFIXES)}")
    kinds = Counter(SAME_FORMAT.get(path.suffix.lower(), path.suffix.lower()) for path in paths)
    if len(kinds) > 1:
        found = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        raise InputError(
            f"{folder} holds pictures of several formats ({found}); keep one in the folder, or list the files that are "
            "meant"
        )
    return paths
