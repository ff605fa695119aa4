"""The readers of a training run's folder, for `fuzzing.py`."""

import tempfile
from pathlib import Path

import torch

from fuzzing import Target
from opticflow.models import build
from opticflow.train.averaging import WeightAverage
from opticflow.train.logbook import Logbook
from opticflow.train.recipe import Recipe
from opticflow.train.run_folder import Run, State
from train_toys import small_stage

_STAGE = small_stage(model="FlowNet2-S", options={"width": 1 / 64}, loss="multiscale", iterations=None)
_RECIPE = Recipe("small", "a test", (_STAGE,))
_TABLE = "stage,step,loss,gradient,rate,error,skipped\r\nonly,1,0.5,1.0,0.0004,,\r\nonly,2,0.25,1.0,0.0004,3.5,0\r\n"


def _network():
    torch.manual_seed(0)
    return build(_STAGE.model, **_STAGE.options)


def _optimiser(network):
    return torch.optim.AdamW(network.parameters())


def _folder(root: str) -> Path:
    """A run with one checkpoint."""
    folder = Path(root, "run")
    place = Run.begin(folder, _RECIPE, 0, {"precision": "fp32"}, resume=False).place(_STAGE)
    network = _network()
    optimiser = _optimiser(network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    place.save(network, optimiser, State(step=1, samples=2, best=1.5), average=WeightAverage(network, 0.9))
    (folder / "log.csv").write_bytes(_TABLE.encode())
    return folder


def targets() -> list[Target]:
    """One for each kind of file in the folder."""
    with tempfile.TemporaryDirectory() as root:
        folder = _folder(root)
        names = {name: next(folder.rglob(f"{name}*")) for name in ("run.json", "state.json", "log.csv", "training-")}
        seeds = {name: path.read_bytes() for name, path in names.items()}
        places = {name: path.relative_to(folder) for name, path in names.items()}
    return [Target(name, ".x", [seeds[name]], _Reader(places[name])) for name in seeds]


class _Reader:
    """Resumes a run in whose folder one file is another."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __call__(self, path: Path) -> None:
        with tempfile.TemporaryDirectory() as root:
            folder = _folder(root)
            (folder / self.place).write_bytes(path.read_bytes())
            place = Run.begin(folder, _RECIPE, 0, {"precision": "fp32"}, resume=True).place(_STAGE)
            state = place.state()
            assert state.step >= 0 and state.samples >= 0
            network = _network()
            place.restore(network, _optimiser(network), WeightAverage(network, 0.9))
            Logbook(folder, "only", state.step).close()
            assert (folder / "log.csv").read_bytes().startswith(b"stage,step,")
