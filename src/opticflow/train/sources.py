"""Where the samples of a recipe come from: folders of data sets, and worlds that make what is not there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opticflow.data import DATASETS, FlowDataset, open_dataset
from opticflow.data.augmentation import PRESETS
from opticflow.data.pool import Pool
from opticflow.data.streams import Batch, Source, TrainingStream
from opticflow.errors import DatasetError, InputError
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.source import PairSource
from opticflow.scenes.worlds import CHAIRS_SIZE, WORLDS, make_world
from opticflow.shapes import Sample
from opticflow.train.recipe import Part, Recipe, Stage

STAND_INS = {"things-clean": "things", "things-final": "things"}
"""The world in place of a data set, where it is not called like it."""
LAYOUTS = {"mixed": "chairs", "things": "things-final"}
"""The data set in whose layout `opticflow generate` writes a world, where it is not called like it."""
HELD_OUT = 1_000_003
"""The seed of all worlds for validation."""
STAGES_APART = 1000
"""Between the seeds of two stages, so that the second does not see the first's samples again."""


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
    """The pairs of a world as samples, without end; all worlds at the size of FlyingChairs, which is quick to measure."""

    def __init__(self, name: str, seed: int) -> None:
        self.source = PairSource(make_world(name, seed, CHAIRS_SIZE))

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


class RecipeSources:
    """The samples of all stages of a recipe; a `train.Sources`."""

    def __init__(self, recipe: Recipe, folders: Folders, *, seed: int = 0, workers: int = 0, pool: Path | None = None):
        """
        Args:
            recipe: whose data sets are looked for now, so that none is missed after days.
            folders: where they may be.
            seed: of worlds, order and variations.
            workers: processes that prepare samples.
            pool: where the workers share what worlds make; each keeps its own if not given.

        Raises:
            DatasetError: a data set that is not given and that no world stands in for.
        """
        self.recipe, self.seed, self.workers, self.pool = recipe, seed, workers, pool
        self.found: dict[Part, FlowDataset | None] = {}
        for part in dict.fromkeys(part for stage in recipe.stages for part in (*stage.data, *stage.validation)):
            self.found[part] = folders.find(part)
            if self.found[part] is None and _world(part) is None:
                raise DatasetError(
                    f"{recipe.name} needs the data set {part.dataset}, which none of the folders holds and no "
                    f"world stands in for; add --data {part.dataset}=FOLDER, or leave stages out with --stages"
                )

    def batches(self, stage: Stage, start: int, *, rank: int, world: int) -> Iterator[Batch]:
        """Batches for training from sample number `start` on, for one of several processes."""
        number = self.recipe.stages.index(stage)
        seed = self.seed + STAGES_APART * number
        sources = [
            Source(part.dataset, self._samples(part, stage, seed), PRESETS[part.augmentation], part.share)
            for part in stage.data
        ]
        stream = TrainingStream(
            sources,
            stage.crop,
            stage.batch // world,
            seed=seed,
            workers=self.workers,
            rank=rank,
            world_size=world,
        )
        return stream.batches(start)

    def _samples(self, part: Part, stage: Stage, seed: int) -> FlowDataset | Pool:
        if (dataset := self.found[part]) is not None:
            return dataset
        folder = self.pool / stage.name / part.dataset if self.pool else None
        return Pool(make_world(str(_world(part)), seed), seed=seed, folder=folder)

    def validation(self, stage: Stage) -> Sequence[Sample]:
        """The fixed set on which the error is measured; the same whatever the seed."""
        parts = [self.found[part] or Worlds(str(_world(part)), HELD_OUT) for part in stage.validation]
        return Recorded(parts, stage.validation_samples)

    def described(self) -> list[str]:
        """What is taken for each data set, in lines."""
        lines = []
        for part, dataset in self.found.items():
            what = f"{len(dataset)} pairs of {dataset.name}" if dataset else f"made by the world {_world(part)}"
            lines.append(f"{part.dataset}{f' ({part.split})' if part.split else ''}: {what}")
        return list(dict.fromkeys(lines))

    def settings(self) -> dict[str, str]:
        """What a resumed run must find again."""
        return {"data": "; ".join(self.described())}


def _world(part: Part) -> str | None:
    """The world that makes samples for a part."""
    name = STAND_INS.get(part.dataset, part.dataset)
    return name if name in WORLDS else None
