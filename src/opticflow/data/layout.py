"""Find the files of a data set, and report what is missing."""

from collections.abc import Iterable
from pathlib import Path

from opticflow.errors import DatasetError


def locate(root: str | Path, name: str, places: Iterable[str], wanted: str) -> Path:
    """Return the folder in or below `root` that has the layout of a data set.

    Args:
        root: what the user gave: the folder itself, or one around it.
        name: of the data set, for messages.
        places: folders relative to `root` in which it may lie, `.` for `root` itself.
        wanted: a path that the folder must hold, relative to it; a glob pattern.

    Raises:
        DatasetError: no place holds it; the message says what was looked for and what is there.
    """
    root = Path(root)
    places = list(places)
    if not root.is_dir():
        found = "is a file" if root.exists() else "does not exist"
        raise DatasetError(f"{name}: {root} {found}; wanted the folder that holds {wanted}")
    for place in places:
        if any((root / place).glob(wanted)):
            return root / place
    looked = " or ".join(str(Path(place) / wanted) for place in places)
    raise DatasetError(f"{name}: there is no {looked} in {root}; there is {_listing(root)}")


def _listing(folder: Path, shown: int = 6) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    if not names:
        return "nothing"
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def need(path: Path, name: str, pair: str) -> Path:
    """Return `path`, or raise an error if it does not exist.

    Raises:
        DatasetError: it does not.
    """
    if not path.is_file():
        raise DatasetError(f"{name}: {pair} is not complete: {path} is missing")
    return path


def if_there(path: Path) -> Path | None:
    """Return `path` if it exists, for parts of data sets that are separate downloads."""
    return path if path.is_file() else None


def read_words(path: Path, name: str) -> list[str]:
    """Read the words of a list that comes with a data set.

    Raises:
        DatasetError: the file is no text.
    """
    try:
        return path.read_text(encoding="utf-8").split()
    except ValueError as error:
        raise DatasetError(f"{name}: {path} is no text in UTF-8; fetch it again") from error


def check_split(name: str, split: str, known: tuple[str, ...]) -> None:
    """Raise an error if a data set does not have the split.

    Raises:
        DatasetError: it is not one of `known`.
    """
    if split not in known:
        raise DatasetError(f"{name} has no split {split!r}; wanted {' or '.join(known)}")
