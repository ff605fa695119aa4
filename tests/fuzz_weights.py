"""The readers of checkpoints, for `fuzzing.py`."""

import argparse
import io
import tempfile
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from safetensors.torch import save

from fuzzing import Target
from opticflow.errors import WeightsError
from opticflow.models import build
from opticflow.weights import Checkpoint, read_checkpoint

_MARKS = {
    "module.fnet.conv1.weight": torch.ones(2, 3),
    "module.cnet.conv1.weight": torch.ones(4).half(),
    "module.update_block.gru.convz.bias": torch.arange(3.0)[1:],
}
"""Tensors by which a file of the RAFT authors is known; a network has many more."""
_BESIDE = {
    "args": argparse.Namespace(lr=1e-4, out=PurePosixPath("runs"), begun=datetime(2020, 1, 1, tzinfo=UTC)),
    "best": np.float64(0.5),
    "losses": np.arange(3.0),
    "counts": defaultdict(list, {"a": [1, 2]}),
    "optimizer": {"state": {0: {"step": torch.zeros(1)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
}
_CONTENTS = (_MARKS, {"state_dict": _MARKS, **_BESIDE})


def targets() -> list[Target]:
    """One for each kind of file; `pickle` is what lies in an archive of torch.save, whose sums are made right again."""
    archives = [_saved(contents) for contents in _CONTENTS]
    return [
        Target("safetensors", ".safetensors", [_ours(), save(_MARKS, {"format": "pt"})], _read),
        Target("archive", ".pth", archives, _read),
        Target("pickle", ".pth", [_pickle_of(archive) for archive in archives], _read, repair=_archive_of),
        Target("legacy", ".pt", [_saved(c, _use_new_zipfile_serialization=False) for c in _CONTENTS], _read),
    ]


def _read(path: Path) -> None:
    try:
        checkpoint = read_checkpoint(path)
    except WeightsError as error:
        if " missing: " not in str(error) or "unexpected" in str(error):
            raise
        return  # all that is there was read
    network = checkpoint.build()
    assert checkpoint.network == "FlowNet2-S" and all(p.isfinite().all() for p in network.parameters())


def _ours() -> bytes:
    torch.manual_seed(0)
    network = build("FlowNet2-S", width=1 / 64)
    checkpoint = Checkpoint("FlowNet2-S", "a test", "x", network.state_dict(), options={"width": 1 / 64})
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder, "x.safetensors"))
        return Path(folder, "x.safetensors").read_bytes()


def _saved(contents: object, **options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(contents, file, **options)
    return file.getvalue()


def _pickle_of(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read("archive/data.pkl")


def _archive_of(pickled: bytes) -> bytes:
    """An archive of torch.save with another pickle in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as ours, zipfile.ZipFile(io.BytesIO(_saved(_CONTENTS[1]))) as theirs:
        for name in theirs.namelist():
            ours.writestr(name, pickled if name == "archive/data.pkl" else theirs.read(name))
    return made.getvalue()
