"""A file of weights: whose it is, which network it is for, and that network with them in it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from opticflow.errors import InputError, WeightsError
from opticflow.io.atomic import atomic_path
from opticflow.models import FlowNetwork, build
from opticflow.weights.layouts import LAYOUTS, Layout, Rules
from opticflow.weights.reading import read_tensors

OURS = "opticflow"


@dataclass(frozen=True)
class Checkpoint:
    """Weights under our names, with what is known of them."""

    network: str
    """A key of MODELS."""
    source: str
    """Whose code wrote the file."""
    tag: str
    """Names the weights, behind the network's name."""
    tensors: dict[str, Tensor]
    normalisation: str = ""
    licence: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the network's function in MODELS."""

    @property
    def name(self) -> str:
        """Of the weight set: NETWORK.TAG."""
        return f"{self.network}.{self.tag}" if self.tag else self.network

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(self.network, **self.options).parameters())

    def build(self) -> FlowNetwork:
        """The network with these weights, ready to be used (in evaluation mode)."""
        with torch.device("meta"):  # saves drawing random weights only to overwrite them
            network = build(self.network, **self.options)
        network.load_state_dict(self.tensors, assign=True)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write a safetensors file that `read_checkpoint` reads again."""
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
            save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, beside, notes)


def read_checkpoint(path: Path) -> Checkpoint:
    """Recognise and check a checkpoint, ours or a foreign one.

    Raises:
        WeightsError: not a checkpoint, damaged, of an unknown layout, or one whose tensors do not fit the network.
    """
    tensors, notes = read_tensors(path)
    if notes.get("format") == OURS:
        known = {key: notes.get(key, "") for key in ("network", "source", "tag", "normalisation", "licence")}
        found = Checkpoint(**known, options=json.loads(notes.get("options", "{}")), tensors=tensors)
        original = {name: name for name in tensors}
    else:
        layout = _recognise(tensors, path)
        original, unexpected = _renamed(tensors, layout.rules)
        found = Checkpoint(
            layout.network,
            layout.source,
            layout.tag,
            {ours: tensors[theirs] for ours, theirs in original.items()} | {name: tensors[name] for name in unexpected},
            layout.normalisation,
            layout.licence,
            layout.options,
        )
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.tensors.items()}
    _check_fit(found, original, path)
    return Checkpoint(**{**vars(found), "tensors": floats})


def _recognise(names: Iterable[str], path: Path) -> Layout:
    for layout in LAYOUTS:
        if all(any(re.match(mark, name) for name in names) for mark in layout.marks):
            return layout
    known = ", ".join(dict.fromkeys(layout.source for layout in LAYOUTS))
    raise WeightsError(
        f"{path}: a checkpoint of an unknown layout, beginning with {_listed(list(names))}; "
        f"known are opticflow's own and those of {known}"
    )


def _renamed(names: Iterable[str], rules: Rules) -> tuple[dict[str, str], list[str]]:
    """Their name for each of ours, and those of their names that no rule matches."""
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
        with torch.device("meta"):
            wanted = build(found.network, **found.options).state_dict()
    except (InputError, TypeError) as error:
        raise WeightsError(f"{path}: says it is for {found.network!r} with {found.options}: {error}") from error
    missing = [name for name in wanted if name not in found.tensors]
    unexpected = [original.get(name, name) for name in found.tensors if name not in wanted]
    misshapen = [
        f"{original.get(name, name)} {list(found.tensors[name].shape)} (wanted {list(tensor.shape)})"
        for name, tensor in wanted.items()
        if name in found.tensors and found.tensors[name].shape != tensor.shape
    ]
    faults = [
        f"{len(names)} {kind}: {_listed(names)}"
        for kind, names in [("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen)]
        if names
    ]
    if faults:
        raise WeightsError(f"{path}: does not fit {found.network} ({found.source}): {'; '.join(faults)}")


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
