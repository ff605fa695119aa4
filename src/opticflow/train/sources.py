"""The samples of a recipe: read from folders of data sets, or made by synthetic worlds where no folder is given."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from opticflow.data import DATASETS, FlowDataset, open_dataset
from opticflow.data.augmentation import PRESETS
from opticflow.data.batches import Batch, RawBatch
from opticflow.data.device_stream import DeviceStream
from opticflow.data.pool import SamplePool
from opticflow.data.raw import Origin
from opticflow.data.streams import Source, TrainingStream
from opticflow.errors import DatasetError, InputError, did_you_mean
from opticflow.scenes.mixed_config import MIXED_WORLDS
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.source import PairSource
from opticflow.scenes.textures import folder_digest
from opticflow.scenes.things_config import THINGS_WORLDS
from opticflow.scenes.worlds import CHAIRS_SIZE, WORLDS, make_world
from opticflow.shapes import Sample
from opticflow.train.recipe import Part, Recipe, Stage

STAND_INS = {"things-clean": "things", "things-final": "things"}
"""World that replaces each data set without a folder, where their names differ."""
LAYOUTS = {**dict.fromkeys(MIXED_WORLDS, "chairs"), **dict.fromkeys(THINGS_WORLDS, "things-final")}
"""Data set in whose layout `opticflow generate` writes each world, where their names differ."""
HELD_OUT_SHARE = 10
"""One in this many pairs of a data set is held out to measure the error, if a stage asks for it."""
HELD_OUT = 1_000_003
"""Seed of all worlds for validation."""
POOLED = 2048
"""Number of samples in use at a time, over all worlds of a stage: 6 GB at the size of FlyingChairs."""
LARGEST_POOL = 512
"""Largest number of samples kept of one world."""
RING_SHARE = 0.35
"""Share of a GPU's free memory that holds samples."""
SMALLEST_RING, LARGEST_RING = 512, 12_000
"""Smallest and largest number of samples in that memory. The smallest is enough for batches without repetition; the
largest is what the processes make in a few minutes."""
STAGES_APART = 1000
"""Difference between the seeds of consecutive stages, so that a stage does not see the samples of the previous one."""


@dataclass(frozen=True)
class Locations:
    """The locations of data sets given with `--data`."""

    named: Mapping[str, Path | None] = field(default_factory=dict)
    """Folder of each data set by name; None for the world of that name."""
    others: tuple[Path, ...] = ()
    """Folders in which all other data sets are looked for."""
    used: set[str | Path] = field(default_factory=set, compare=False)
    """Names and folders in which a part was found so far."""

    @classmethod
    def parse(cls, values: Sequence[str]) -> "Locations":
        """Parse `NAME=DIR`, `NAME=world` or `DIR`.

        Raises:
            InputError: a name is no data set or world, or is given twice, or a folder does not exist.
        """
        named: dict[str, Path | None] = {}
        others = []
        for value in values:
            name, equals, folder = value.partition("=")
            path = Path(folder if equals else value).expanduser()
            if equals and name not in DATASETS and name not in WORLDS:
                raise InputError(f"there is no data set {name!r}; known are {', '.join({**DATASETS, **WORLDS})}")
            if equals and name in named:
                raise InputError(f"--data gives {name} twice; give it one folder, or world")
            if equals and folder == "world":
                named[name] = None
            elif not path.exists():
                raise InputError(f"there is no folder {path}; --data takes FOLDER, DATASET=FOLDER or DATASET=world")
            elif equals:
                named[name] = path
            else:
                others.append(path)
        return cls(named, tuple(others))

    def find(self, part: Part) -> "FlowDataset | str":
        """Return the data set of a part, or the name of the world that makes it.

        Raises:
            DatasetError: the data set is in none of the given folders; none was given and no world replaces it; or its
                folder cannot be opened.
        """
        found = self._find(part)
        return found if isinstance(found, str) else _fold(found, part)

    def _find(self, part: Part) -> "FlowDataset | str":
        options = {"cameras": part.cameras} if part.cameras else {}
        layout, world = LAYOUTS.get(part.dataset, part.dataset), STAND_INS.get(part.dataset, part.dataset)
        # a fold divides the training data, so the split for training is opened
        split = part.split or (_training_split(layout) if part.fold else None)
        if part.dataset in self.named:
            self.used.add(part.dataset)
        if self.named.get(part.dataset) is not None:
            return open_dataset(layout, str(self.named[part.dataset]), split, **options)
        problems = []
        # generated worlds are not looked for here: they have the folder layout of a published data set
        for folder in self.others if part.dataset in DATASETS and part.dataset not in self.named else ():
            try:
                found = open_dataset(layout, folder, split, **options)
            except DatasetError as error:
                problems.append(str(error))
            else:
                self.used.add(folder)
                return found
        if not problems and world in WORLDS:
            return world
        if part.dataset not in DATASETS:
            hint = did_you_mean(part.dataset, sorted({*DATASETS, *WORLDS}))
            raise DatasetError(f"there is no data set and no world {part.dataset!r}; {hint}")
        found = "; ".join(problems) or f"{part.dataset} was not given"
        instead = f", or {part.dataset}=world to have it made" if world in WORLDS else ""
        raise DatasetError(f"{found}; add --data {part.dataset}=FOLDER{instead}")

    def must_be_used(self, parts: Iterable[Part]) -> None:
        """Raise an error if a given location was used for nothing.

        Args:
            parts: all parts; `find` was called for each of them.

        Raises:
            InputError: no part has a given name, or a given folder was used for no part.
        """
        wanted = ", ".join(dict.fromkeys(part.dataset for part in parts))
        if names := [name for name in self.named if name not in self.used]:
            raise InputError(f"--data gives {', '.join(names)}, which nothing takes: the data here are {wanted}")
        if folders := [str(folder) for folder in self.others if folder not in self.used]:
            raise InputError(
                f"nothing is taken from --data {', '.join(folders)}: the data here are {wanted}, which are not in it "
                "or were found in a folder before it; leave it out, or say what it holds with DATASET=FOLDER"
            )


def _training_split(dataset: str) -> str | None:
    """Return the training split of a data set; None for its first split, where none has that name."""
    splits = DATASETS[dataset].splits if dataset in DATASETS else ()
    return next((split for split in splits if split.lower().startswith("train")), None)


def _fold(dataset: FlowDataset, part: Part) -> FlowDataset:
    # rounded up, so that a small data set has at least one pair held out
    held_out = -(-len(dataset) // HELD_OUT_SHARE) if len(dataset) > 1 else 0
    if part.fold == "held-out":
        if not held_out:
            raise DatasetError(f"{dataset.name} has one pair, which is trained on; give more to measure the error")
        return dataset[-held_out:]
    return dataset[: len(dataset) - held_out] if part.fold else dataset


class Worlds(Sequence[Sample]):
    """The pairs of a world as samples, without end; always at the size of FlyingChairs, which is fast to measure."""

    def __init__(self, name: str, seed: int) -> None:
        self.source = PairSource(make_world(name, seed, CHAIRS_SIZE))

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        pair: RenderedPair = self.source[index]
        return pair.sample()


class HeldOutSamples(Sequence[Sample]):
    """An equal number of samples from each of several sources. Samples of worlds are kept in memory after their first
    use; samples on disk are read at every use."""

    def __init__(self, parts: Sequence[FlowDataset | Worlds], number: int) -> None:
        self.places: list[tuple[FlowDataset | Worlds, int]] = []
        each = max(1, number // max(1, len(parts)))
        for part in parts:
            # evenly spaced pairs of a data set; the first pairs of a world, which is endless
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
    """The samples of all stages of a recipe; implements the protocol `train.Sources`."""

    def __init__(
        self,
        recipe: Recipe,
        folders: Locations,
        *,
        seed: int = 0,
        workers: int = 0,
        pool: Path | None = None,
        photographs: Path | None = None,
        gpu: bool = False,
    ):
        """
        Args:
            recipe: the recipe. The data sets of all stages are looked for at once, so that a missing one is found
                before days of training.
            folders: the locations of the data sets.
            seed: random seed of worlds, order and augmentation.
            workers: number of processes that prepare samples.
            pool: folder that keeps the samples of worlds, up to 3 GB for each; None: the memory of each worker.
            photographs: folder of pictures that worlds for training use for a share of their textures. Worlds for
                validation do not use them, so that errors can be compared.
            gpu: whether the network is on a GPU. Samples of worlds are then augmented on it; other batches come in a
                form that is quick to copy to it.

        Raises:
            DatasetError: a training data set is missing and no world replaces it, a validation data set is not in the
                folder that was given for it by name, or there is no photograph.
            InputError: there is no augmentation of a name, or the recipe does not use one of the folders, or the
                photographs.
        """
        self.photographs = photographs
        self.digest = folder_digest(photographs, "photographs") if photographs else None
        self.recipe, self.seed, self.workers, self.pool, self.gpu = recipe, seed, workers, pool, gpu
        self.found: dict[Part, FlowDataset | str] = {}
        """Data set of each part, or the name of its world."""
        self.missing: dict[Part, str] = {}
        """Why the error on a validation part is not measured."""
        self._recorded: dict[tuple[tuple[Part, ...], int], HeldOutSamples] = {}
        taught = {part.dataset for stage in recipe.stages for part in stage.data}
        for stage in recipe.stages:
            for part in stage.data:
                if part.augmentation not in PRESETS:
                    known = ", ".join(PRESETS)
                    raise InputError(
                        f"there is no augmentation {part.augmentation!r} ({stage.name}); known are {known}"
                    )
                self.found[part] = folders.find(part)
            for part in stage.validation:
                try:
                    self.found[part] = folders.find(part)
                except DatasetError as error:
                    # a folder that was named for validation alone is meant to be used, so its fault is an error
                    if folders.named.get(part.dataset) is not None and part.dataset not in taught:
                        raise
                    self.missing[part] = str(error)
        folders.must_be_used(part for stage in recipe.stages for part in (*stage.data, *stage.validation))
        if photographs and not any(isinstance(self.found[part], str) for stage in recipe.stages for part in stage.data):
            raise InputError(
                f"{recipe.name} is trained on data sets alone here, and photographs are for worlds; leave them out"
            )

    def batches(self, stage: Stage, start: int, *, rank: int, world: int) -> Iterator[Batch | RawBatch]:
        """Yield training batches from sample number `start` on, for one of several processes."""
        number = [one.name for one in self.recipe.stages].index(stage.name)
        start -= start % stage.batch  # an earlier piece of training may have had smaller batches
        seed = self.seed + STAGES_APART * number
        if self.gpu and world == 1 and self.workers and all(isinstance(self.found[part], str) for part in stage.data):
            return self._on_device(stage, seed, start)
        sources = [
            Source(part.dataset, self._samples(part, stage, seed + self._twins(stage, part)), preset, part.share)
            for part, preset in ((part, PRESETS[part.augmentation]) for part in stage.data)
        ]
        stream = TrainingStream(
            sources,
            stage.crop_of,
            stage.batch // world,
            seed=seed,
            workers=self.workers,
            rank=rank,
            world_size=world,
            begun=stage.augmentation_begins,
            pace=stage.augmentation_pace,
        )
        return stream.raw_batches(start) if self.gpu else stream.batches(start)

    def _on_device(self, stage: Stage, seed: int, start: int) -> Iterator[Batch]:
        """Yield batches augmented on the GPU from worlds generated by processes, which keeps a GPU busy."""
        mix = [
            Origin(
                part.dataset,
                partial(
                    make_world,
                    str(self.found[part]),
                    seed + self._twins(stage, part),
                    CHAIRS_SIZE,
                    photographs=self.photographs,
                ),
                PRESETS[part.augmentation],
                part.share,
            )
            for part in stage.data
        ]
        torch.cuda.empty_cache()  # frees the memory of an earlier stage; does nothing without a GPU
        free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else 0
        capacity = max(
            SMALLEST_RING, min(LARGEST_RING, int(RING_SHARE * free) // (11 * CHAIRS_SIZE[0] * CHAIRS_SIZE[1]))
        )
        with DeviceStream(
            mix,
            crop=stage.crop_of,
            batch=stage.batch,
            device="cuda" if torch.cuda.is_available() else "cpu",
            workers=self.workers,
            capacity=capacity,
            size=CHAIRS_SIZE,
            seed=seed,
            begun=stage.augmentation_begins,
            pace=stage.augmentation_pace,
            first=start // 2,
        ) as stream:
            yield from stream.batches(start)

    def _twins(self, stage: Stage, part: Part) -> int:
        """Return how many earlier parts of the stage use the same world; added to the seed, so that their samples
        differ."""
        before = stage.data[: stage.data.index(part)]
        return sum(isinstance(self.found[part], str) and self.found[one] == self.found[part] for one in before)

    def _samples(self, part: Part, stage: Stage, seed: int) -> FlowDataset | SamplePool:
        found = self.found[part]
        if not isinstance(found, str):
            return found
        folder = self.pool / stage.name / f"{part.dataset}-{seed}" if self.pool else None
        make = partial(make_world, found, seed, photographs=self.photographs)
        capacity = min(LARGEST_POOL, POOLED // len(stage.data))
        return SamplePool(make, seed=seed, capacity=capacity, folder=folder)

    def validation(self, stage: Stage) -> Sequence[Sample]:
        """Return the fixed set on which the error is measured; it does not depend on the seed, and is made once for all
        stages with the same validation data."""
        what = stage.validation, stage.validation_samples
        if what not in self._recorded:
            parts = [self.found[part] for part in stage.validation if part in self.found]
            sources = [Worlds(found, HELD_OUT) if isinstance(found, str) else found for found in parts]
            self._recorded[what] = HeldOutSamples(sources, stage.validation_samples)
        return self._recorded[what]

    def described(self) -> list[str]:
        """Return lines that say what is used for each data set."""
        lines = [f"{_title(part)}: not measured: {why}" for part, why in self.missing.items()]
        for part, found in self.found.items():
            what = f"made by the world {found}" if isinstance(found, str) else f"{len(found)} pairs of {found.name}"
            lines.append(f"{_title(part)}: {what}")
        if self.digest:
            lines.append(f"photographs among the pictures of worlds: {self.digest}")
        return list(dict.fromkeys(lines))

    def settings(self) -> dict[str, str]:
        """Return the settings that must be equal in a resumed run."""
        return {"data": "; ".join(self.described())}


def _title(part: Part) -> str:
    return f"{part.dataset} ({part.split})" if part.split else part.dataset
