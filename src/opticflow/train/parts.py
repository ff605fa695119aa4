"""Tensors by name in one safetensors file, or in several that do not exceed a given size."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from opticflow.errors import WeightsError
from opticflow.io.contents import one_line

HEADERS = 200
"""Upper bound of the bytes that the description of a tensor takes in a file."""


def write_parts(tensors: dict[str, Tensor], folder: Path, stem: str, largest: int | None = None) -> list[Path]:
    """Write `stem-1-of-3.safetensors` and so on.

    Args:
        tensors: tensors by name.
        folder: an existing folder.
        stem: beginning of the file names.
        largest: largest size of a file in bytes; a larger tensor is split. None: one file.

    Returns:
        The paths of the files.
    """
    shapes = json.dumps({name: list(tensor.shape) for name, tensor in tensors.items()})
    parts: list[dict[str, Tensor]] = [{}]
    # the shapes are JSON text within the JSON header, where a quotation mark takes two bytes
    room = limit = math.inf if largest is None else largest - 2 * len(shapes) - 1000
    for name, piece in _pieces(tensors, limit):
        size = piece.nbytes + HEADERS + len(name)
        if size > room:
            parts.append({})
            room = limit
        parts[-1][name] = piece
        room -= size
    paths = [folder / f"{stem}-{i}-of-{len(parts)}.safetensors" for i in range(1, len(parts) + 1)]
    for number, (path, part) in enumerate(zip(paths, parts, strict=True)):
        save_file(part, path, {"shapes": shapes} if number == 0 else None)
    return paths


def _pieces(tensors: dict[str, Tensor], limit: float) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().flatten()
        # number of values in a piece, such that it stays below the limit together with its entry in the header
        length = len(flat) if limit == math.inf else max(1, int(limit - HEADERS - len(name)) // flat.itemsize - 64)
        for number, piece in enumerate(flat.split(max(length, 1))):
            # a line break, which no tensor name has, separates the name from the number of the piece; a copy, because
            # safetensors refuses tensors that share memory
            yield f"{name}\n{number}", piece.clone()


def read_parts(folder: Path, stem: str) -> dict[str, Tensor]:
    """Read what `write_parts` has written.

    Raises:
        WeightsError: a part is missing or damaged.
    """
    found = sorted(folder.glob(f"{stem}-*-of-*.safetensors"))
    # each file name says how many files there are
    count = found[0].stem.rsplit("-", 1)[1] if found else "1"
    wanted = int(count) if count.isdecimal() else 1
    pieces: dict[str, dict[int, Tensor]] = {}
    shapes: dict[str, list[int]] = {}
    for number in range(1, wanted + 1):
        path = folder / f"{stem}-{number}-of-{wanted}.safetensors"
        try:
            with safe_open(path, "pt") as file:
                shapes |= json.loads((file.metadata() or {}).get("shapes", "{}"))
                for key in file.keys():
                    name, _, place = key.partition("\n")
                    pieces.setdefault(name, {})[int(place)] = file.get_tensor(key)
        except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
            raise WeightsError(f"{path}: the state of a training run cannot be read ({one_line(error)})") from error
    try:
        return {name: torch.cat([pieces[name][i] for i in sorted(pieces[name])]).view(shapes[name]) for name in shapes}
    except (KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{folder}: the parts of the state of a training run do not fit together") from error
