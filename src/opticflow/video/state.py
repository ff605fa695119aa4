"""What a run has done so far, kept beside its output, so that it can go on after an interruption."""

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
    cuts: list[int] = field(default_factory=list)
    """Pairs across which the scene changes."""

    @classmethod
    def resume(cls, path: Path, settings: dict[str, Any]) -> "RunState":
        """The state of an interrupted run with the same settings; a new one where there is none.

        Raises:
            InputError: the folder holds a run with other settings, or its record is damaged.
        """
        if not path.exists():
            return cls(path, settings)
        try:
            record = json.loads(path.read_text())
            before, done = record["settings"], int(record["pairs_done"])
            complete, cuts = bool(record["complete"]), list(record["cuts"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged; delete it to start again") from error
        settings = json.loads(json.dumps(settings))
        changed = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
        if changed:
            differences = ", ".join(f"{key} was {before.get(key)!r} and is {settings.get(key)!r}" for key in changed)
            raise InputError(f"{path} belongs to another run ({differences}); use the same options, or another folder")
        return cls(path, settings, done, complete, cuts)

    def save(self) -> None:
        """Write the record; it is never half-written."""
        record = {
            "settings": self.settings,
            "pairs_done": self.pairs_done,
            "complete": self.complete,
            "cuts": self.cuts,
        }
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")
