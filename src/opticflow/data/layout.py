"""Find the files of a data set, and report what is missing."""

from collections.abc import Iterable
from pathlib import Path

from opticflow.errors import DatasetError


def locate(root: str | Path, name: str, places: Iterable[str], wanted: str) -> Path:
    """Return the folder in or below `root` that has the layout of a data set.

    Args:
        root: path from the user: the folder itself, or a folder around it.
        name: name of the data set, for messages.
        places: candidate folders relative to `root`; `.` is `root` itself.
        wanted: glob pattern of a path, relative to the candidate, that the right folder contains.

    Raises:
        DatasetError: no candidate contains it; the message says what was wanted and what is there.
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
    """Return `path`, which must exist; `name` and `pair` name the data set and the pair in the error message.

    Raises:
        DatasetError: there is no file `path`.
    """
    if not path.is_file():
        raise DatasetError(f"{name}: {pair} is not complete: {path} is missing")
    return path


def if_there(path: Path) -> Path | None:
    """Return `path` if it exists, otherwise None; for parts of data sets that are separate downloads."""
    return path if path.is_file() else None


def read_words(path: Path, name: str) -> list[str]:
    """Read the words of a list that comes with a data set.

    Raises:
        DatasetError: the file is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8").split()
    except ValueError as error:
        raise DatasetError(f"{name}: {path} is no text in UTF-8; fetch it again") from error


def check_split(name: str, split: str, known: tuple[str, ...]) -> None:
    """Check that a data set has the split.

    Raises:
        DatasetError: `split` is not one of `known`.
    """
    if split not in known:
        raise DatasetError(f"{name} has no split {split!r}; wanted {' or '.join(known)}")
