"""What a flow store says of the origin of its flow."""

import hashlib
from typing import Any

import opticflow
from opticflow.estimator import Estimator
from opticflow.extract.options import ClipOptions
from opticflow.io.video import Clip
from opticflow.weights.digest import weights_hash

_DECIDES = ("start", "end", "step", "pairs", "batch", "warm_start", "reuse")


def provenance_of(
    source: dict[str, Any], estimator: Estimator | None, settings: dict[str, Any], options: ClipOptions
) -> dict[str, Any]:
    """Return the program, the method, its weights and settings, and the source.

    There is no date in it, so that the same estimate gives the same bytes; a file's time of change is its date.

    Args:
        source: what `source_of` says of the clip.
        estimator: the method; without it, the weights are left out.
        settings: its name and the settings of the estimate.
        options: which pairs of the clip.
    """
    return {
        "program": f"opticflow {opticflow.__version__}",
        **{name: value for name, value in settings.items() if name != "device"},  # each file says its own
        "weights": estimator and weights_hash(estimator.network),
        **{name: getattr(options, name) for name in _DECIDES},
        "source": source,
    }


def source_of(clip: Clip) -> dict[str, Any]:
    """Return what identifies a clip. All of its files are read, for their SHA-256."""
    return {
        "name": clip.name,
        "files": len(clip.sources),
        "bytes": sum(path.stat().st_size for path in clip.sources),
        "sha256": _digest(clip),
        "frames": clip.count,
        "rate": str(clip.rate),
    }


def _digest(clip: Clip) -> str:
    """Return the SHA-256 of a file; of several files, that of their SHA-256 digests one after the other."""
    found = []
    for path in clip.sources:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256"))
    if len(found) == 1:
        return found[0].hexdigest()
    return hashlib.sha256(b"".join(digest.digest() for digest in found)).hexdigest()
