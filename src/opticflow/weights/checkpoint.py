"""Checkpoint files: recognise the layout and the network of a file, load its weights, and save weights."""

import inspect
import json
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from opticflow.errors import FormatError, InputError, WeightsError
from opticflow.io.atomic import atomic_path
from opticflow.io.contents import one_line
from opticflow.models import MODELS, FlowNetwork, build
from opticflow.weights.checkpoint_layouts import LAYOUTS, CheckpointLayout, Rules
from opticflow.weights.reading import listed, read_tensors

OURS = "opticflow"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
"""Allowed names of networks and tags, since they become file names."""
_VALUES: dict[Any, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (float, int), str: (str,)}
"""JSON types that an option of each declared type may have."""
_SUFFIXES = re.compile(r"(\.(pth|pt|tar|ckpt|safetensors|pkl|bin))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Checkpoint:
    """Weights under this package's parameter names, with their metadata."""

    network: str
    """A key of MODELS."""
    source: str
    """The project whose code wrote the file."""
    tag: str
    """Tag of the weights, which follows the network's name: AUTHORS.FILE for a foreign file."""
    tensors: dict[str, Tensor]
    normalisation: str = ""
    licence: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the network's function in MODELS."""

    @property
    def name(self) -> str:
        """Name of the weight set: NETWORK.TAG."""
        return f"{self.network}.{self.tag}" if self.tag else self.network

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(self.network, **self.options).parameters())

    def build(self) -> FlowNetwork:
        """Return the network with these weights, in evaluation mode."""
        with torch.device("meta"):  # avoids drawing random weights that would be overwritten
            network = build(self.network, **self.options)
        # the network takes the tensors themselves, without a copy
        network.load_state_dict(self.tensors, assign=True)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write a safetensors file that `read_checkpoint` reads again.

        Raises:
            FormatError: the file cannot be written.
        """
        notes = {
            "format": OURS,
            "network": self.network,
            "options": json.dumps(self.options),
            "source": self.source,
            "tag": self.tag,
            "normalisation": self.normalisation,
            "licence": self.licence,
        }
        with atomic_path(path) as beside:
            try:
                save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, beside, notes)
            except SafetensorError as error:  # such as a full disk
                raise FormatError(f"cannot write {path}: {error}") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of this package or of another project, and check it.

    Raises:
        WeightsError: not a checkpoint, damaged, of an unknown layout, or one whose tensors do not fit the network.
    """
    tensors, notes = read_tensors(path, lambda names: _layout_of(names) is not None)
    if notes.get("format") == OURS:
        found = _ours(tensors, notes, path)
        original = {name: name for name in tensors}
    else:
        layout = _recognise(tensors, path)
        original, unexpected = _renamed(tensors, layout.rules)
        # tensors that no rule knows are kept, so that the check below can name them
        found = Checkpoint(
            layout.network,
            layout.source,
            f"{layout.tag}.{_stem(path)}",
            {ours: tensors[theirs] for ours, theirs in original.items()} | {name: tensors[name] for name in unexpected},
            layout.normalisation,
            layout.licence,
            layout.options,
        )
    _check_fit(found, original, path)  # before any computation with tensors whose size comes from the file
    # weights that are stored in half precision are used as float32
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.tensors.items()}
    if useless := [original.get(name, name) for name, tensor in floats.items() if not tensor.isfinite().all()]:
        raise WeightsError(f"{path}: {len(useless)} tensors hold NaN or infinity: {listed(useless)}")
    return replace(found, tensors=floats)


def _ours(tensors: dict[str, Tensor], notes: Mapping[str, str], path: Path) -> Checkpoint:
    known = {key: notes.get(key, "") for key in ("network", "source", "tag", "normalisation", "licence")}
    known["tag"] = known["tag"] or _stem(path)
    for key in ("network", "tag"):
        if not _NAME.fullmatch(known[key]):
            raise WeightsError(
                f"{path}: its header gives the {key} {reprlib.repr(known[key])}; wanted at most 200 letters, digits, "
                "_ - and, not first, dots"
            )
    try:
        options = json.loads(notes.get("options", "{}"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: the options in its header are not JSON ({one_line(error)})") from error
    if not isinstance(options, dict):
        raise WeightsError(f"{path}: the options in its header are {reprlib.repr(options)}; wanted names with values")
    return Checkpoint(**known, options=options, tensors=tensors)


def _stem(path: Path) -> str:
    """Return the file's stem in a form that can be part of a name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", _SUFFIXES.sub("", path.name)).strip("-.") or "weights"


def _recognise(names: Iterable[str], path: Path) -> CheckpointLayout:
    if layout := _layout_of(names):
        return layout
    known = ", ".join(dict.fromkeys(layout.source for layout in LAYOUTS))
    raise WeightsError(
        f"{path}: a checkpoint of an unknown layout, beginning with {listed(names)}; "
        f"known are opticflow's own and those of {known}"
    )


def _layout_of(names: Iterable[str]) -> CheckpointLayout | None:
    return next(
        (one for one in LAYOUTS if all(any(re.match(mark, name) for name in names) for mark in one.marks)), None
    )


def _renamed(names: Iterable[str], rules: Rules) -> tuple[dict[str, str], list[str]]:
    """Return the foreign name of each of our tensors, and the foreign names that no rule matches."""
    original: dict[str, str] = {}
    unexpected: list[str] = []
    for name in names:
        for pattern, target in rules:
            if match := re.fullmatch(pattern, name):
                if target is not None:
                    original[match.expand(target) if isinstance(target, str) else target(match)] = name
                break
        else:
            unexpected.append(name)
    return original, unexpected


def _check_fit(found: Checkpoint, original: Mapping[str, str], path: Path) -> None:
    try:
        _check_options(found)
        with torch.device("meta"):
            wanted = build(found.network, **found.options).state_dict()
    except (InputError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        options = reprlib.repr(found.options)
        raise WeightsError(f"{path}: says it is for {found.network!r} with {options}: {one_line(error)}") from error
    missing = [name for name in wanted if name not in found.tensors]
    unexpected = [original.get(name, name) for name in found.tensors if name not in wanted]
    misshapen = [
        f"{original.get(name, name)} {list(found.tensors[name].shape)} (wanted {list(tensor.shape)})"
        for name, tensor in wanted.items()
        if name in found.tensors and found.tensors[name].shape != tensor.shape
    ]
    mistyped = [
        f"{original.get(name, name)} {found.tensors[name].dtype} (wanted {tensor.dtype})"
        for name, tensor in wanted.items()
        if name in found.tensors and found.tensors[name].is_floating_point() != tensor.is_floating_point()
    ]
    faults = [
        f"{len(names)} {kind}: {listed(names)}"
        for kind, names in [
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
            ("of another type", mistyped),
        ]
        if names
    ]
    if faults:
        said = "; ".join(faults)
        said = said if len(said) <= 450 else f"{said[:450]}..."
        raise WeightsError(
            f"{path}: does not fit {found.network} ({one_line(ValueError(found.source[:60]))}): {'; '.join(faults)}"
        )


def _check_options(found: Checkpoint) -> None:
    """Compare the types of options, which come from a file, with those declared by the network's function."""
    if found.network not in MODELS:
        return  # `build` gives a better error
    parameters = inspect.signature(MODELS[found.network]).parameters
    for name, value in found.options.items():
        declared = parameters[name].annotation if name in parameters else None
        accepted = _VALUES.get(declared)
        if accepted and type(value) not in accepted:
            raise InputError(f"the option {name} is {reprlib.repr(value)}; wanted {accepted[0].__name__}")
