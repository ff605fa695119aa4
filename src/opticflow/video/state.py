"""What a run has done so far, kept beside its output, so that it can go on after an interruption."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opticflow.errors import InputError
from opticflow.io import atomic_path


@dataclass
class RunState:
    """The record of a run: `opticflow.json` in the output folder."""

    path: Path
    settings: dict[str, Any]
    """Everything that decides the result."""
    pairs_done: int = 0
    """Pairs whose files are all written, from the start on."""
    complete: bool = False
    stamps: str = ""
    """Digest of the files that the frames of these pairs come from."""
    cuts: list[int] = field(default_factory=list)
    """Pairs across which the scene changes."""

    @classmethod
    def read(cls, path: Path) -> "RunState | None":
        """The record of an earlier run; none where there is none.

        Raises:
            InputError: the record is damaged.
        """
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text())
            return cls(
                path,
                settings=dict(record["settings"]),
                pairs_done=int(record["pairs_done"]),
                complete=bool(record["complete"]),
                stamps=str(record["stamps"]),
                cuts=list(record["cuts"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged; delete it to start again") from error

    def refuse_other(self, settings: dict[str, Any]) -> None:
        """See that a run with these settings may go on from here.

        Raises:
            InputError: the settings differ.
        """
        before, settings = self.settings, json.loads(json.dumps(settings))
        changed = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
        if changed:
            differences = ", ".join(f"{key} was {before.get(key)!r} and is {settings.get(key)!r}" for key in changed)
            raise InputError(
                f"{self.path} belongs to another run ({differences}); use the same options, or another folder"
            )

    def advance(self, stamp: str) -> None:
        """Count a pair, made from files with this stamp."""
        self.pairs_done += 1
        self.stamps = add_stamp(self.stamps, stamp)

    def save(self) -> None:
        """Write the record; it is never half-written."""
        record = {
            "settings": self.settings,
            "pairs_done": self.pairs_done,
            "complete": self.complete,
            "stamps": self.stamps,
            "cuts": self.cuts,
        }
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")


def add_stamp(stamps: str, stamp: str) -> str:
    """The digest of one stamp more."""
    return hashlib.sha256((stamps + stamp).encode()).hexdigest()
