"""Describe a method, a weight set or a checkpoint file, and the cost of an estimate."""

import hashlib
import re
from typing import Any

import torch

from opticflow.errors import InputError
from opticflow.estimator.composition import compose, use_in_words
from opticflow.estimator.loading import resolve
from opticflow.estimator.memory import memory_of_process
from opticflow.models import build
from opticflow.models.cost import measure_cost
from opticflow.settings import Settings
from opticflow.weights import WeightsRecord, as_file, find_records, is_learned, read_checkpoint
from opticflow.weights.digest import weights_hash

KEYS = "name", "state", "trained_on", "licence", "error", "training", "use"
"""Fields of a weight set's record that are reported."""


def describe(name_or_file: str, size: str) -> dict[str, Any]:
    """Return a report, ready for JSON. Its `multiply_adds` and `bytes` are the cost of an estimate in float32 on a CPU,
    with the settings that suit the weights best (coarse start, refinement), as `load` uses them. `bytes` is the peak
    memory of a process. `weights_sha256` is the hash of the numbers (`weights.digest`), `file_sha256` that of their
    file.

    Args:
        name_or_file: NETWORK, NETWORK.TAG or a checkpoint file.
        size: width x height of the frames, `1024x436`.

    Raises:
        InputError: an unknown name, or an invalid size.
        WeightsError: a file that does not fit.
    """
    width, height = parse_size(size)
    report: dict[str, Any]
    known: list[WeightsRecord] = []
    options: dict[str, Any] = {}
    if (file := as_file(name_or_file)) is not None:
        checkpoint = read_checkpoint(file)
        network, options = checkpoint.network, checkpoint.options
        report = {
            "name": name_or_file,
            "network": network,
            "source": checkpoint.source,
            "normalisation": checkpoint.normalisation,
            "licence": checkpoint.licence,
        }
    else:
        network = name_or_file.partition(".")[0]
        known = find_records(name_or_file)
        report = {
            "name": name_or_file,
            "weights": [{key: getattr(record, key) for key in KEYS} for record in known],
        }
    if path := file or next((record.path for record in known if record.present), None):
        with path.open("rb") as contents:
            report["file_sha256"] = hashlib.file_digest(contents, "sha256").hexdigest()
        report["weights_sha256"] = weights_hash(read_checkpoint(path).build())
    settings = resolve(name_or_file, Settings())
    learned = is_learned(network)
    with torch.device("meta" if learned else "cpu"):
        method = compose(build(network, **options), settings)
    iterations = settings.iterations or method.iterations
    report["used_with"] = use_in_words(iterations, method.uses) or "nothing"
    report |= {"parameters": 0}
    if learned:
        cost = measure_cost(lambda: compose(build(network, **options), settings), height, width, iterations)
        report |= {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds}
    return {**report, "bytes": memory_of_process(method, height, width)}


def parse_size(size: str) -> tuple[int, int]:
    """Parse width and height from `1024x436`."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if not match or 0 in map(int, match.groups()):
        raise InputError(f"the size is {size!r}; wanted width x height, as 1024x436")
    return int(match[1]), int(match[2])
