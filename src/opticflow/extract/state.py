"""The record of what a run has done so far, stored beside its output, so that the run can be resumed."""

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opticflow.errors import InputError
from opticflow.io import atomic_path

MOST_PAIRS = 2_160_000
"""Largest number of pairs in a record: a day at 25 frames per second. A record that claims more is damaged, and going
through its pairs would take too long."""
_KINDS = {
    "settings": dict,
    "pairs_done": int,
    "written": int,
    "complete": bool,
    "stamps": str,
    "cuts": list,
    "damaged": list,
    "left_out": list,
    "begins": (int, float),
}


@dataclass
class RunState:
    """The record of a run: `opticflow.json` in the output folder."""

    path: Path
    settings: dict[str, Any]
    """All settings that determine the result."""
    pairs_done: int = 0
    """Number of pairs, from the first, whose files are all written."""
    written: int = 0
    """Number of pairs whose files the run has written; more than `pairs_done` where some of them are computed again."""
    complete: bool = False
    stamps: str = ""
    """Digest of the stamps of the files that the frames of these pairs come from."""
    cuts: list[int] = field(default_factory=list)
    """Pairs with a scene cut between their two frames, by the index of the first frame."""
    damaged: list[int] = field(default_factory=list)
    """Pairs with a damaged frame, or with frames missing between their two frames, by the index of the first frame."""
    left_out: list[int] = field(default_factory=list)
    """Pairs without flow, because one of their frames cannot be decoded, by the index of the first frame."""
    begins: float = 0.0
    """Time of the first frame, in seconds of the clip; the time 0 of the videos."""

    @classmethod
    def read(cls, path: Path) -> "RunState | None":
        """Read the record of an earlier run; None if there is none.

        Raises:
            InputError: the record is damaged.
        """
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text())
            found = cls(path, **{key: record[key] for key in _KINDS if key in record})
            found._check()
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise InputError(f"{path} is damaged, so that no run can go on from it; choose another folder") from error
        return found

    def _check(self) -> None:
        for key, kind in _KINDS.items():
            if not isinstance(getattr(self, key), kind):
                raise TypeError(key)
        if not all(isinstance(pair, int) for pair in (*self.cuts, *self.damaged, *self.left_out)):
            raise TypeError("pairs")
        self.written = max(self.written, self.pairs_done)
        if self.pairs_done < 0 or self.written > MOST_PAIRS or not math.isfinite(self.begins):
            raise ValueError("pairs_done")

    def refuse_other(self, settings: dict[str, Any]) -> None:
        """Raise an error if a run with these settings cannot continue from here.

        Raises:
            InputError: the settings differ.
        """
        # through JSON and back, because tuples become lists there
        before, settings = self.settings, json.loads(json.dumps(settings))
        changed = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
        if changed:
            differences = ", ".join(f"{key} was {before.get(key)!r} and is {settings.get(key)!r}" for key in changed)
            raise InputError(
                f"{self.path} belongs to another run ({differences}); use the same options, or another folder"
            )

    def advance(self, stamp: str) -> None:
        """Count a pair that was made from files with this stamp."""
        self.pairs_done += 1
        self.written = max(self.written, self.pairs_done)
        self.stamps = add_stamp(self.stamps, stamp)

    def save(self) -> None:
        """Write the record atomically."""
        record = {
            "settings": self.settings,
            "pairs_done": self.pairs_done,
            "written": self.written,
            "complete": self.complete,
            "stamps": self.stamps,
            "cuts": self.cuts,
            "damaged": self.damaged,
            "left_out": self.left_out,
            "begins": self.begins,
        }
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")


def add_stamp(stamps: str, stamp: str) -> str:
    """Return the SHA-256 of the digest so far followed by a stamp: a hash chain over the stamps of all pairs."""
    # `fsencode`, because a file name may hold bytes that are not UTF-8
    return hashlib.sha256(os.fsencode(stamps + stamp)).hexdigest()
