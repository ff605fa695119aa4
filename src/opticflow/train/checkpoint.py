"""The folder of a run: all that is needed to rebuild the network, and to go on as if nothing had happened.

    RUN/
      run.json                     recipe with all its numbers, seed, version
      weights.safetensors          what `opticflow.load(RUN)` takes: the best of the newest stage, or
                                   its last where nothing was measured
      log.csv, tensorboard/        the curves
      stages/NAME/step-00001000/   the last checkpoint of a stage: weights.safetensors, training.pt, state.json
      stages/NAME/best.safetensors

A checkpoint is written beside its place and renamed as one folder: weights and optimiser always belong together.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import opticflow
from opticflow.errors import InputError, WeightsError
from opticflow.io import make_folder
from opticflow.io.atomic import write_bytes
from opticflow.models import LearnedNetwork
from opticflow.train.recipe import Recipe, Stage
from opticflow.weights import Checkpoint, read_checkpoint

WEIGHTS, TRAINING, STATE = "weights.safetensors", "training.pt", "state.json"


@dataclass(frozen=True)
class State:
    """Where a stage stands."""

    step: int = 0
    """How many updates were made; times the batch, the position in the data."""
    best: float | None = None
    """The lowest error on the validation set, in pixels."""
    frozen: str = ""
    """The hash of the parameters that must not change."""


@dataclass(frozen=True)
class Run:
    """A run and its folder."""

    folder: Path
    recipe: Recipe
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    """What else must be the same for the same result: data folders, precision."""

    @classmethod
    def begin(cls, folder: Path, recipe: Recipe, seed: int, settings: dict[str, Any], *, resume: bool) -> "Run":
        """Make the folder, or find that it is this run's.

        Raises:
            InputError: it holds a run and `resume` is off, holds another run, or holds other things.
        """
        run = cls(folder, recipe, seed, settings)
        if (folder / "run.json").is_file():
            if not resume:
                raise InputError(f"{folder} already holds a run; add --resume to go on with it, or give a new folder")
            run._must_be(json.loads((folder / "run.json").read_text()))
            return run
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is not empty and holds no run; give a new folder")
        make_folder(folder)
        write_bytes(folder / "run.json", json.dumps(run._record(), indent=2).encode())
        return run

    def _record(self) -> dict[str, Any]:
        return {
            "opticflow": opticflow.__version__,
            "seed": self.seed,
            "settings": self.settings,
            "recipe": self.recipe.to_json(),
        }

    def _must_be(self, found: dict[str, Any]) -> None:
        wanted = json.loads(json.dumps(self._record()))
        for key in ("seed", "settings", "recipe"):
            if found.get(key) != wanted[key]:
                raise InputError(
                    f"{self.folder} holds a run with another {key}: {_difference(found.get(key), wanted[key])}; "
                    "resume with the options it was begun with, or give a new folder"
                )

    def place(self, stage: Stage) -> "Place":
        """Where a stage is kept."""
        return Place(self.folder / "stages" / stage.name, stage, self.recipe.name)

    def publish(self, weights: Path) -> None:
        """Make these weights the ones that `opticflow.load` finds."""
        write_bytes(self.folder / WEIGHTS, weights.read_bytes())


@dataclass(frozen=True)
class Place:
    """The folder of a stage."""

    folder: Path
    stage: Stage
    tag: str
    """Of the weights: the recipe's name."""

    @property
    def best(self) -> Path:
        """The weights with the lowest error so far; there once it was measured."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path | None:
        """The newest checkpoint's folder."""
        found = [path for path in self.folder.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
        return max(found, key=lambda path: int(path.name[5:]), default=None)

    def state(self) -> State:
        """Of the newest checkpoint."""
        last = self.last
        return State(**json.loads((last / STATE).read_text())) if last else State()

    def weights(self) -> Path:
        """The newest weights."""
        if (last := self.last) is None:
            raise WeightsError(f"{self.folder} holds no checkpoint yet; run the stage {self.stage.name} first")
        return last / WEIGHTS

    def save(
        self,
        network: LearnedNetwork,
        optimiser: torch.optim.Optimizer,
        state: State,
        publish: Callable[[Path], None] | None = None,
    ) -> None:
        """Write a checkpoint, then remove the one before it. Its weights are published before it counts: a run that is
        killed in between makes it again.
        """
        final = self.folder / f"step-{state.step:08d}"
        beside = self.folder / f".{final.name}.part"
        _remove(beside)
        make_folder(beside)
        self.save_weights(network, beside / WEIGHTS)
        training = {"optimiser": optimiser.state_dict(), "random": _random_state()}
        torch.save(training, beside / TRAINING)
        (beside / STATE).write_text(json.dumps(vars(state)))
        if publish:
            publish(beside / WEIGHTS)
        _remove(final)
        beside.rename(final)
        for path in self.folder.glob("step-*"):
            if path != final:
                _remove(path)

    def save_weights(self, network: LearnedNetwork, path: Path) -> None:
        """Write weights that `opticflow.load` reads."""
        stage = self.stage
        make_folder(path.parent)
        Checkpoint(stage.model, "opticflow", self.tag, network.state_dict(), options=dict(stage.options)).save(path)

    def restore(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Bring back weights, optimiser and random state of the newest checkpoint, where there is one."""
        if (last := self.last) is None:
            return
        network.load_state_dict(read_checkpoint(last / WEIGHTS).tensors)
        training = torch.load(last / TRAINING, map_location="cpu", weights_only=True)
        optimiser.load_state_dict(training["optimiser"])
        _set_random_state(training["random"])


def _random_state() -> dict[str, Any]:
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "gpus": gpus}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    gpus: list[Tensor] = state["gpus"]
    if gpus and len(gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(gpus)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _difference(found: Any, wanted: Any, path: str = "") -> str:
    """Where two JSON values differ first."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*found, *wanted]:
            if found.get(key) != wanted.get(key):
                return _difference(found.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, (theirs, ours) in enumerate(zip(found, wanted, strict=True)):
            if theirs != ours:
                return _difference(theirs, ours, f"{path}[{index}]")
    return f"{path or 'value'} is {json.dumps(found)}, and {json.dumps(wanted)} was asked for"
