"""Tensors out of files that nobody vouches for. No code of a file is ever run."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from opticflow.errors import WeightsError

# NumPy numbers, which training loops write beside the tensors ("best_EPE"), under their old and new module names.
_SCALAR = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
]
_NESTS = ("state_dict", "model_state_dict", "model")
"""Under which training loops keep the weights."""


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a checkpoint by name, and the notes that a safetensors file carries.

    A dictionary of weights within the file is found, and a prefix that all its names share (`module.`) is dropped.

    Raises:
        WeightsError: no such file; damaged; something else than a checkpoint; a pickle that wants to run code.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    with path.open("rb") as file:
        head = file.read(16)
    if head[8:10] == b'{"' or path.suffix == ".safetensors":
        tensors, notes = _read_safetensors(path)
        return _unprefixed(tensors), notes
    if not head.startswith((b"PK\x03\x04", b"\x80")):
        raise WeightsError(
            f"{path}: not a checkpoint: it begins with {head[:8]!r}; wanted a file of torch.save or safetensors"
        )
    return _unprefixed(_weights_within(_read_pickle(path), path)), {}


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = "module."  # of DataParallel
    if all(name.startswith(prefix) for name in tensors):
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error}); fetch it again") from error


def _read_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle, which our error speaks of
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted or "Unsupported" in str(error):
            what = f"{wanted[1]!r}" if wanted else "something else than tensors"
            raise WeightsError(
                f"{path}: refused: loading it would run code (the pickle wants {what}); nothing was run. "
                "Save the state dict alone: torch.save(network.state_dict(), file)"
            ) from error
        raise WeightsError(f"{path}: not a whole checkpoint ({_first_line(error)}); fetch it again") from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: not a whole checkpoint ({_first_line(error)}); fetch it again") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def _weights_within(loaded: Any, path: Path) -> dict[str, Tensor]:
    for nest in _NESTS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(nest), Mapping):
            loaded = loaded[nest]
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{path}: holds {type(loaded).__name__}; wanted a dictionary of tensors by name")
    strange = [str(name) for name, value in loaded.items() if not isinstance(value, Tensor)]
    if strange:
        raise WeightsError(f"{path}: these entries are no tensors: {', '.join(strange[:5])}; wanted a state dict")
    return {str(name): tensor for name, tensor in loaded.items()}
