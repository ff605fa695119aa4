"""What is known of a method, a weight set or a checkpoint file, and what an estimate costs."""

import re
from functools import partial
from typing import Any

from opticflow.errors import InputError
from opticflow.models import build
from opticflow.models.cost import measure
from opticflow.weights import as_file, find_records, is_learned, read_checkpoint

KEYS = "name", "state", "trained_on", "licence", "error", "training", "use"
"""Of a weight set."""


def describe(name_or_file: str, size: str) -> dict[str, Any]:
    """A report, ready for JSON.

    Args:
        name_or_file: NETWORK, NETWORK.TAG or a checkpoint file.
        size: width x height of the frames, `1024x436`.

    Raises:
        InputError: an unknown name, or a size that is none.
        WeightsError: a file that does not fit.
    """
    width, height = parse_size(size)
    report: dict[str, Any]
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
    if is_learned(network):
        cost = measure(partial(build, network, **options), height, width)
        report |= {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds, "bytes": cost.memory}
    else:
        report |= {"parameters": 0}
    return report


def parse_size(size: str) -> tuple[int, int]:
    """Width and height from `1024x436`."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if not match or 0 in map(int, match.groups()):
        raise InputError(f"the size is {size!r}; wanted width x height, as 1024x436")
    return int(match[1]), int(match[2])
