"""Where the samples of a recipe come from: folders of data sets, and worlds that make what is not there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opticflow.data import DATASETS, FlowDataset, open_dataset
from opticflow.errors import DatasetError, InputError
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.source import PairSource
from opticflow.scenes.worlds import WORLDS, make_world
from opticflow.shapes import Sample
from opticflow.train.recipe import Part, Recipe, Stage

STAND_INS = {"things-clean": "things", "things-final": "things"}
"""The world in place of a data set, where it is not called like it."""
LAYOUTS = {"mixed": "chairs", "things": "things-final"}
"""The data set in whose layout `opticflow generate` writes a world, where it is not called like it."""
HELD_OUT = 1_000_003
"""Added to the seed of a world for validation."""


@dataclass(frozen=True)
class Folders:
    """What a user gave with `--data`."""

    named: Mapping[str, Path] = field(default_factory=dict)
    """Data set -> its folder."""
    others: tuple[Path, ...] = ()
    """Folders in which data sets are looked for."""

    @classmethod
    def parse(cls, values: Sequence[str]) -> "Folders":
        """From `NAME=DIR` or `DIR`.

        Raises:
            InputError: a name that is no data set or world, or no such folder.
        """
        named, others = {}, []
        for value in values:
            name, equals, folder = value.partition("=")
            if not equals:
                name, folder = "", value
            path = Path(folder).expanduser()
            if not path.exists():
                raise InputError(f"there is no folder {path}; --data takes a folder, or DATASET=FOLDER")
            if not name:
                others.append(path)
            elif name in DATASETS or name in WORLDS:
                named[name] = path
            else:
                raise InputError(f"there is no data set {name!r}; known are {', '.join({**DATASETS, **WORLDS})}")
        return cls(named, tuple(others))

    def find(self, part: Part) -> FlowDataset | None:
        """The data set of a part, if it was given.

        Raises:
            DatasetError: the folder that was named for it does not hold it.
        """
        reader = LAYOUTS.get(part.dataset, part.dataset)
        if part.dataset in self.named:
            return open_dataset(reader, self.named[part.dataset], part.split)
        if reader == part.dataset:  # a folder that looks like FlyingChairs is not taken for another world
            for folder in self.others:
                try:
                    return open_dataset(reader, folder, part.split)
                except DatasetError:
                    continue
        return None


class Worlds(Sequence[Sample]):
    """The pairs of a world as samples; without end."""

    def __init__(self, name: str, seed: int) -> None:
        self.source = PairSource(make_world(name, seed))

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        pair: RenderedPair = self.source[index]
        return pair.sample()


class Recorded(Sequence[Sample]):
    """Some samples of several sequences; those of worlds are kept, those on disk are read when they are needed."""

    def __init__(self, parts: Sequence[FlowDataset | Worlds], number: int) -> None:
        self.places: list[tuple[FlowDataset | Worlds, int]] = []
        each = max(1, number // len(parts))
        for part in parts:
            step = 1 if isinstance(part, Worlds) else max(1, len(part) // each)
            self.places += [(part, i * step) for i in range(min(each, len(part)))]
        self.kept: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if index >= len(self.places):
            raise IndexError(index)
        if index not in self.kept:
            part, place = self.places[index]
            sample = part[place]
            if not isinstance(part, Worlds):
                return sample
            self.kept[index] = sample
        return self.kept[index]
