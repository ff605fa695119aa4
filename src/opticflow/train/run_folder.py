"""The folder of a training run: everything needed to rebuild the network, and to resume as if it had not been
interrupted.

    RUN/
      run.json                     recipe with all its numbers, seed, version
      weights.safetensors          read by `opticflow.load(RUN)`: of the newest stage, the weights with the
                                   lowest error if the stage keeps them (with a budget of steps), or the last
      log.csv, tensorboard/        the curves
      stages/NAME/step-00001000/   the last checkpoint of a stage
        weights.safetensors        for `opticflow.load`: the average of the weights if the stage keeps one
        training-1-of-1.safetensors   weights, their average, the optimiser's moments, the state of random numbers
        state.json
      stages/NAME/decay-00001200/  the same, with a time budget, while the learning rate falls to zero
      stages/NAME/best.safetensors

A checkpoint is written under a temporary name and renamed as one folder, so that weights and optimiser always belong
together. With a time budget, `step-...` is the newest state before the learning rate falls: the next piece of training
starts there.
"""

import json
import math
import re
import reprlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

import opticflow
from opticflow.errors import InputError, OpticflowError, TrainingError, WeightsError
from opticflow.io import make_folder
from opticflow.io.atomic import write_bytes
from opticflow.io.contents import one_line
from opticflow.models import LearnedNetwork
from opticflow.train.averaging import WeightAverage
from opticflow.train.parts import read_parts, write_parts
from opticflow.train.recipe import Recipe, Stage
from opticflow.weights import Checkpoint

WEIGHTS, TRAINING, STATE, RECORD = "weights.safetensors", "training", "state.json", "run.json"
OURS = (RECORD, WEIGHTS, "log.csv", "tensorboard", "stages", "pool")
"""Files and folders that a run makes in its folder."""
DAMAGED = "bring the run back from a copy, or give a new folder"
"""Advice for a run that cannot be read."""


@dataclass(frozen=True)
class State:
    """The progress of a stage."""

    step: int = 0
    """Number of updates so far."""
    samples: int = 0
    """Number of samples used: the position in the data."""
    best: float | None = None
    """Lowest error on the validation set, in pixels."""
    frozen: str = ""
    """Hash of the frozen parameters."""
    piece: int = 0
    """Number of the piece of training, from 1; 0 with a budget of steps."""
    seconds: float = 0.0
    """Time budget of that piece for this stage."""
    used: float = 0.0
    """Seconds of the budget that are used."""
    warm: bool = False
    """Whether the learning rate has reached its constant level, where a later piece continues."""
    decays: bool = False
    """Whether the learning rate is falling to zero."""
    finished: bool = False
    """Whether the piece is complete."""


@dataclass(frozen=True)
class Run:
    """A training run and its folder."""

    folder: Path
    recipe: Recipe
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    """What else must be equal for the same result: data folders, precision."""
    pieces: tuple[float, ...] = ()
    """Minutes of each piece of training, the present one last; empty with a budget of steps."""

    @classmethod
    def begin(
        cls,
        folder: Path,
        recipe: Recipe,
        seed: int,
        settings: dict[str, Any],
        *,
        resume: bool,
        minutes: float | None = None,
        writes: bool = True,
    ) -> "Run":
        """Make the folder, or check that it belongs to this run.

        A run with a budget of steps can only be resumed with the same recipe, seed and settings. A piece of training
        with a time budget must have the same networks as the pieces before it; device, batch and crop may differ.

        Args:
            folder: new or empty, unless `resume`.
            recipe: the recipe that is trained.
            seed: random seed of weights and samples.
            settings: what else must be equal for the same result.
            resume: continue the run in the folder.
            minutes: time budget of a new piece; None: a budget of steps, or with `resume` the interrupted piece.
            writes: whether this process writes run.json; one of several processes does.

        Raises:
            InputError: the folder holds a run and `resume` is off, holds another run, or holds other files.
        """
        run = cls(folder, recipe, seed, settings, () if minutes is None else (minutes,))
        if (folder / RECORD).is_file():
            if not resume:
                raise InputError(f"{folder} already holds a run; add --resume to go on with it, or give a new folder")
            found = read_record(folder)
            # the minutes of earlier pieces stay in the record, and a new piece is added at the end
            run = replace(run, pieces=(*found.get("pieces", ()), *run.pieces))
            run._must_be(found)
        elif folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is not empty and holds no run; give a new folder")
        if writes:
            make_folder(folder)
            write_bytes(folder / RECORD, json.dumps(run._record(), indent=2).encode())
        return run

    def _record(self) -> dict[str, Any]:
        record = {
            "opticflow": opticflow.__version__,
            "seed": self.seed,
            "settings": self.settings,
            "recipe": self.recipe.to_json(),
        }
        return {**record, "pieces": self.pieces} if self.pieces else record

    def _must_be(self, found: dict[str, Any]) -> None:
        # through JSON and back, because tuples become lists there
        wanted = json.loads(json.dumps(self._record()))
        if self.pieces:
            # pieces with a budget of time may differ in batch, crop and steps, but not in their networks
            found, wanted = ({"recipe": {"stages": _networks(record)}} for record in (found, wanted))
        for key in ("seed", "settings", "recipe"):
            if found.get(key) != wanted.get(key):
                raise InputError(
                    f"{self.folder} holds a run with another {key}: {_difference(found.get(key), wanted[key])}; "
                    "resume with the options it was begun with, or give a new folder"
                )

    def place(self, stage: Stage) -> "StageFolder":
        """Return the folder of a stage."""
        return StageFolder(self.folder / "stages" / stage.name, stage, self.recipe.name)

    def publish(self, weights: Path) -> None:
        """Make these weights the ones that `opticflow.load` finds."""
        write_bytes(self.folder / WEIGHTS, weights.read_bytes())


@dataclass(frozen=True)
class StageFolder:
    """The folder of a stage."""

    folder: Path
    stage: Stage
    tag: str
    """Tag of the weights: the name of the recipe."""

    @property
    def best(self) -> Path:
        """File of the weights with the lowest error so far; it exists once the error was measured."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path | None:
        """Folder of the newest checkpoint; None if there is none. A checkpoint with a falling learning rate is newer
        than the one it started from."""
        return self._newest("decay") or self._newest("step")

    def _newest(self, kind: Literal["step", "decay"]) -> Path | None:
        # the pattern of `glob` also matches other names, such as a copy that a user made
        found = [path for path in self.folder.glob(f"{kind}-*") if re.fullmatch(rf"{kind}-\d+", path.name)]
        return max(found, key=_step_of, default=None)

    def state(self) -> State:
        """Return the progress recorded in the newest checkpoint.

        Raises:
            InputError: its record is damaged.
        """
        return _read_state(last / STATE) if (last := self.last) else State()

    def weights(self) -> Path:
        """Return the file of the weights of the newest checkpoint.

        Raises:
            WeightsError: there is no checkpoint yet.
        """
        if (last := self.last) is None:
            raise WeightsError(f"{self.folder} holds no checkpoint yet; run the stage {self.stage.name} first")
        return last / WEIGHTS

    def forget_decay(self) -> None:
        """Remove the checkpoints written while the learning rate fell, so that the newest one is from before."""
        for path in self.folder.glob("decay-*"):
            _remove(path)

    def save(
        self,
        network: LearnedNetwork,
        optimiser: torch.optim.Optimizer,
        state: State,
        *,
        average: WeightAverage | None = None,
        publish: Callable[[Path], None] | None = None,
        largest: int | None = None,
    ) -> None:
        """Write a checkpoint, then remove the previous one of the same kind.

        The weights are published before the checkpoint gets its final name, so that a run that is killed in between
        writes the checkpoint again.

        Args:
            network: the network whose weights are saved.
            optimiser: its optimiser.
            state: the progress of the stage.
            average: moving average of the weights, which is published in their place; None without one.
            publish: function that publishes the file of the weights; None: nothing is published.
            largest: largest size in bytes of a file of the training state; None: one file.
        """
        kind = "decay" if state.decays else "step"
        final = self.folder / f"{kind}-{state.step:08d}"
        # hidden until it is renamed at the end, so that a killed run leaves no half checkpoint under a final name
        beside = self.folder / f".{final.name}.part"
        for path in self.folder.glob(".*.part"):  # left by a run that was killed while writing or removing
            shutil.rmtree(path)
        make_folder(beside)
        self.save_weights(network, beside / WEIGHTS, average)
        write_parts(_training_state(network, optimiser, average), beside, TRAINING, largest)
        (beside / STATE).write_text(json.dumps(vars(state)))
        if publish:
            publish(beside / WEIGHTS)
        # a folder cannot be renamed to one that exists and is not empty
        _remove(final)
        beside.rename(final)
        # older checkpoints are removed only after the new one has its final name
        for path in self.folder.glob(f"{kind}-*"):
            if path != final:
                _remove(path)

    def save_weights(self, network: LearnedNetwork, path: Path, average: WeightAverage | None = None) -> None:
        """Write weights that `opticflow.load` reads."""
        stage = self.stage
        make_folder(path.parent)
        # averaged weights are published; those of the last step are kept in the training state
        tensors = network.state_dict() if average is None else average.tensors
        Checkpoint(stage.model, "opticflow", self.tag, tensors, options=dict(stage.options)).save(path)

    def restore(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage | None = None
    ) -> None:
        """Restore weights, optimiser and random state of the newest checkpoint, if there is one."""
        if (last := self.last) is None:
            return
        tensors = read_parts(last, TRAINING)
        try:
            network.load_state_dict(_under("network", tensors))
        except RuntimeError as error:
            raise WeightsError(f"{last} holds the weights of another network; give a new folder") from error
        try:
            _restore_optimiser(optimiser, network, tensors)
            if average is not None:
                # if the checkpoint has no average, it starts with the present weights and 0 updates
                average.restore(_under("average", tensors) or {**network.state_dict(), "": torch.tensor(0)})
            torch.set_rng_state(tensors["random/cpu"])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{last} is damaged: it is not the whole state of a training; {DAMAGED}") from error
        # random states are only restored for the same number of GPUs; otherwise the seed determines them
        gpus = _under("random/gpu", tensors)
        if gpus and len(gpus) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([gpus[str(i)] for i in range(len(gpus))])


@contextmanager
def unchanged_if_refused(folder: Path) -> Iterator[None]:
    """Return a context in which an error raised before a checkpoint is written leaves the folder of the run as it was,
    so that a corrected command finds nothing in its way. A run that stopped in the middle of training is kept."""
    there, before, checkpoints = folder.exists(), _record_of(folder), _checkpoints(folder)
    try:
        yield
    except OpticflowError as error:
        # a record that is new was made in an empty folder, so everything in it was made by this run
        made = before is None and _record_of(folder) is not None
        # without a new checkpoint, the files that were made are of no use
        if not isinstance(error, TrainingError) and _checkpoints(folder) <= checkpoints:
            if before is not None:
                write_bytes(folder / RECORD, before)
            for name in OURS if made else ():
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            if made and not there and not any(folder.iterdir()):
                folder.rmdir()
        raise


def _record_of(folder: Path) -> bytes | None:
    return (folder / RECORD).read_bytes() if (folder / RECORD).is_file() else None


def _checkpoints(folder: Path) -> set[Path]:
    return {path for path in folder.glob("stages/*/*-*") if path.is_dir()}


def read_record(folder: Path) -> dict[str, Any]:
    """Read run.json: `recipe`, `seed`, `settings` and possibly `pieces`.

    Raises:
        InputError: it is damaged.
    """
    record = _read_json(folder / RECORD)
    recipe, pieces = record.get("recipe"), record.get("pieces", [])
    stages = recipe.get("stages") if isinstance(recipe, dict) else None
    whole = isinstance(stages, list) and all(
        isinstance(stage, dict) and isinstance(stage.get("name"), str) and isinstance(stage.get("model"), str)
        and isinstance(stage.get("options"), dict)
        for stage in stages
    )  # fmt: skip
    if not whole or not stages:
        raise InputError(f"{folder / RECORD} is damaged: it holds no recipe with stages; {DAMAGED}")
    if not isinstance(pieces, list) or not all(_is(float, minutes) and 0 < minutes < math.inf for minutes in pieces):
        raise InputError(f"{folder / RECORD} is damaged: pieces is {reprlib.repr(pieces)}, not minutes; {DAMAGED}")
    return record


def _read_state(path: Path) -> State:
    record = _read_json(path)
    kinds = {one.name: one.type for one in fields(State)}
    for name, value in record.items():
        if name not in kinds:
            raise InputError(f"{path} is damaged: it has an entry {reprlib.repr(name)}; {DAMAGED}")
        # the range also excludes NaN and infinity, which Python's JSON reader accepts
        if not _is(kinds[name], value) or (isinstance(value, int | float) and not 0 <= value < 2**53):
            raise InputError(f"{path} is damaged: {name} is {reprlib.repr(value)}; {DAMAGED}")
    return State(**record)


def _is(kind: Any, value: Any) -> bool:
    """Whether a JSON value has this type; an integer also counts as a float, and a Boolean is not a number."""
    kinds = get_args(kind) or (kind,)
    return type(value) in kinds or (type(value) is int and float in kinds)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {one_line(error)}; {DAMAGED}") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} is damaged: it holds {reprlib.repr(record)}, no record; {DAMAGED}")
    return record


def _step_of(folder: Path) -> int:
    return int(folder.name.rsplit("-", 1)[1])


def _networks(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return name, model and options of each stage, which must be equal in all pieces of a run."""
    return [{key: stage[key] for key in ("name", "model", "options")} for stage in record["recipe"]["stages"]]


def _training_state(
    network: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage | None
) -> dict[str, Tensor]:
    """Return the training state by name: weights, the optimiser's moments, the average, the random number generators'
    states."""
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        # Adam's step, exp_avg and exp_avg_sq, stored by the name of the parameter and not by its position
        for kind, moment in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser/{kind}/{name}"] = moment
    if average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in average.state().items()}
    tensors["random/cpu"] = torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return tensors | {f"random/gpu/{i}": state for i, state in enumerate(gpus)}


def _restore_optimiser(optimiser: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    parameters = dict(network.named_parameters())
    moments: dict[str, dict[str, Tensor]] = {}
    for name, tensor in _under("optimiser", tensors).items():
        kind, _, owner = name.partition("/")
        parameter = parameters[owner]
        if tensor.shape == parameter.shape:
            # the fused optimiser runs over memory in order, so moments need the memory layout of their parameter
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        moments.setdefault(owner, {})[kind] = tensor
    names = {parameter: name for name, parameter in parameters.items()}
    # the state dict of an optimiser numbers the parameters through all groups, in this order
    order = [names[parameter] for group in optimiser.param_groups for parameter in group["params"]]
    state = {index: moments[name] for index, name in enumerate(order) if name in moments}
    # `load_state_dict` converts the tensors to the device and the number format of their parameters
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}


def _remove(folder: Path) -> None:
    """Remove a checkpoint; it is renamed first, so that a half-removed one is never read."""
    if folder.exists():
        hidden = folder.with_name(f".{folder.name}.part")
        folder.rename(hidden)
        shutil.rmtree(hidden)


def _difference(found: Any, wanted: Any, path: str = "") -> str:
    """Return where two JSON values first differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*found, *wanted]:
            if found.get(key) != wanted.get(key):
                return _difference(found.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, (theirs, ours) in enumerate(zip(found, wanted, strict=True)):
            if theirs != ours:
                return _difference(theirs, ours, f"{path}[{index}]")
    return f"{one_line(ValueError(path)) or 'value'} is {_brief(found)}, and {_brief(wanted)} was asked for"


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 150 else f"{text[:150]}..."
