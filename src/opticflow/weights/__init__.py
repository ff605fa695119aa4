"""Load networks with weights, by name or from a file."""

import os
from pathlib import Path
from typing import Any

import torch

from opticflow.errors import InputError, WeightsError
from opticflow.io.atomic import make_folder
from opticflow.models import MODELS, FlowNetwork, LearnedNetwork, build
from opticflow.weights.checkpoint import Checkpoint, read_checkpoint
from opticflow.weights.download import download, verify
from opticflow.weights.manifest import WeightsRecord, imported_files, imported_path, records

SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".safetensors")
"""Suffixes by which a name is recognised as a file."""
DEFAULT_MODEL = "RAFT-pyramid.worlds"
"""The model that `load`, `estimate` and the commands use by default; its weights come with the package."""
RUN_WEIGHTS = "weights.safetensors"
"""Weights inside a folder that is given as a model: those of a training run, or of one of its checkpoints."""


def load_network(name_or_file: str | Path) -> FlowNetwork:
    """Return a method with its weights, if it has any, in evaluation mode.

    Args:
        name_or_file: NETWORK or NETWORK.TAG, a checkpoint in a layout that `read_checkpoint` knows, or a run's folder.

    Raises:
        InputError: there is no such name; the message lists similar ones.
        WeightsError: the file does not fit, or the weights of the network are not on this machine.
    """
    checkpoint = load_checkpoint(name_or_file)
    return build(str(name_or_file)).eval() if checkpoint is None else checkpoint.build()


def load_checkpoint(name_or_file: str | Path) -> Checkpoint | None:
    """Return the weights with this name or in this file; None for a method that has none. See `load_network`."""
    if (file := as_file(name_or_file)) is not None:
        return read_checkpoint(file)
    network, _, tag = str(name_or_file).partition(".")
    if is_learned(network):
        return read_checkpoint(_weights_here(network, tag))
    if tag:
        raise InputError(f"{network} has no weights, so there is no {name_or_file!r}; call it {network!r}")
    return None


def usual_settings(name_or_file: str | Path) -> dict[str, Any]:
    """Return the default settings for named weights: the field `use` of their record, or {} if there is no record.

    Arguments and errors are those of `load_network`, but missing weights are no error.
    """
    record = _record_here(name_or_file)
    return dict(record.use) if record else {}


def full_name(name_or_file: str | Path) -> str:
    """Return the name with the tag of the weights that it refers to: `RAFT-small.worlds` for `RAFT-small`. For a file,
    its path. Arguments and errors are those of `usual_settings`."""
    record = _record_here(name_or_file)
    return record.name if record else str(name_or_file)


def _record_here(name_or_file: str | Path) -> WeightsRecord | None:
    """Return the record of the weights with this name, if they are present."""
    if as_file(name_or_file) is not None:
        return None
    network, _, tag = str(name_or_file).partition(".")
    return _present(find_records(f"{network}.{tag}" if tag else network)) if is_learned(network) else None


def as_file(name_or_file: str | Path) -> Path | None:
    """Return the file that a name refers to: an existing file, that of a training run's folder, one with the suffix of
    a checkpoint, or an imported one.

    Raises:
        InputError: the name fits several imported files.
    """
    if name_or_file in MODELS:
        return None
    path = Path(name_or_file)
    # os.path, because pathlib raises an error for a name that is too long
    if os.path.isfile(path / RUN_WEIGHTS):  # noqa: PTH113
        return path / RUN_WEIGHTS
    if isinstance(name_or_file, Path) or path.name.endswith(SUFFIXES) or os.path.isfile(path):  # noqa: PTH113
        return path
    imported = imported_files(name_or_file) if "." in name_or_file else []
    if len(imported) > 1:
        raise InputError(f"{name_or_file} may be {' or '.join(file.stem for file in imported)}; give the whole name")
    return imported[0] if imported else None


def is_learned(network: str) -> bool:
    """Return whether a method has weights.

    Raises:
        InputError: no such method.
    """
    with torch.device("meta"):
        return isinstance(build(network), LearnedNetwork)


def import_checkpoint(file: Path, output: Path | None = None) -> tuple[Checkpoint, Path]:
    """Recognise a checkpoint of another project and store it in this package's format.

    Args:
        file: in a layout that `read_checkpoint` knows.
        output: a `.safetensors` file; if None, the weights are stored so that their name, NETWORK.TAG, finds them.

    Raises:
        InputError: `output` has another suffix.
        WeightsError: the file is no valid checkpoint, or other weights already have its name.
        FormatError: the output cannot be written.
    """
    checkpoint = read_checkpoint(file)
    if output is None:
        output = imported_path(checkpoint.name)
        make_folder(output.parent)
        _check_free(output, checkpoint, file)
    elif output.suffix != ".safetensors":
        raise InputError(f"{output}: the suffix is {output.suffix!r}; wanted .safetensors")
    checkpoint.save(output)
    return checkpoint, output


def _check_free(output: Path, checkpoint: Checkpoint, file: Path) -> None:
    if not output.exists():
        return
    try:
        there = read_checkpoint(output)
    except WeightsError:
        return  # a damaged file may be replaced
    same = there.options == checkpoint.options and all(
        torch.equal(tensor, there.tensors[name]) for name, tensor in checkpoint.tensors.items()
    )
    if not same:
        raise WeightsError(
            f"{checkpoint.name} is known already, with other contents than {file}: give {file.name} another name, "
            f"say where to write with -o, or delete {output}"
        )


def list_models() -> list[str]:
    """Return the names that `load` accepts at present: methods without weights, networks whose weights are present, and
    each present weight set by its full name.

    Example:
        >>> names = opticflow.list_models()
        >>> "RAFT-pyramid.worlds" in names and "DIS" in names
        True
    """
    names: list[str] = []
    for name in MODELS:
        sets = [record.name for record in records() if record.network == name and record.present]
        sets += [file.stem for file in imported_files(name) if file.stem not in sets]
        if sets or not is_learned(name):
            names += [name, *sets]
    return names


def find_records(name: str) -> list[WeightsRecord]:
    """Return the weight sets that a name refers to: that of NETWORK.TAG, or all of NETWORK.

    Raises:
        InputError: no such network or tag.
    """
    network, _, tag = name.partition(".")
    is_learned(network)
    own = [record for record in records() if record.network == network]
    if not tag:
        return own
    tagged = [record for record in own if record.tag == tag]
    if not tagged:
        known = ", ".join(record.name for record in own) or f"none for {network}"
        raise InputError(f"there are no weights {name}; known are {known}")
    return tagged


def download_named(name: str, *, progress: Any = None) -> tuple[WeightsRecord, Path]:
    """Download the weight set with this name, or the first available one of a network; see `download`."""
    known = find_records(name)
    if not known:
        raise WeightsError(
            f"there are no published weights for {name}; a checkpoint file, or the folder of a training run, may be "
            "given in their place"
        )
    # a set that can be downloaded or is shipped comes before one that must be fetched by hand
    record = next((record for record in known if record.url or record.file), known[0])
    return record, download(record, progress=progress)


def _present(known: list[WeightsRecord]) -> WeightsRecord | None:
    return next((record for record in known if record.present), None)


def _weights_here(network: str, tag: str) -> Path:
    """Return the file of a weight set, or raise an error that says how to get it."""
    name = f"{network}.{tag}" if tag else network
    known = find_records(name)
    if record := _present(known):
        # an imported file is stored in another layout, so its hash differs from the published one
        if record.file or record.url:
            verify(record, record.path)
        return record.path
    if not tag and (imported := imported_files(network)):
        return imported[0]
    cures = [f"`opticflow models download {record.name}`" for record in known if record.url][:1]
    cures += [f"get a file from {record.page} and `opticflow models import FILE`" for record in known if record.page][
        :1
    ]
    cures += ["give a checkpoint file, or the folder of a training run, in place of the name"]
    raise WeightsError(f"there are no weights for {name} here: {', or '.join(cures)}")


__all__ = [
    "DEFAULT_MODEL",
    "Checkpoint",
    "WeightsRecord",
    "as_file",
    "download",
    "download_named",
    "find_records",
    "full_name",
    "import_checkpoint",
    "is_learned",
    "list_models",
    "load_checkpoint",
    "load_network",
    "read_checkpoint",
    "records",
    "usual_settings",
]
