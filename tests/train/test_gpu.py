"""What training and estimates do on a GPU, against the same on a CPU or in single precision; skipped where none is."""

import csv

import numpy as np
import pytest
import torch

import opticflow
from opticflow.data.augmentation import PRESETS
from opticflow.data.batches import to_device
from opticflow.data.streams import Source, TrainingStream
from opticflow.estimator import Estimator
from opticflow.models import build
from opticflow.train.loop import train
from opticflow.train.recipe import Part, Recipe
from pictures import moving
from train_toys import ToySources, small_stage
from waves import Waves

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
    pytest.mark.filterwarnings("default"),  # the machine's, of which others have none
]
GPU = "cuda"


@pytest.fixture
def single_precision():
    """Convolutions in fp32, where PyTorch takes TF32 if nothing is said; products of matrices are in fp32 anyway."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def run(folder, *, precision="fp32", resume=False, report=lambda progress: None, **changes):
    """A run on the GPU, and the rows of its log."""
    recipe = Recipe("gpu", "a test", (small_stage(**changes),))
    options = {"device": GPU, "precision": precision, "resume": resume, "report": report}
    train(recipe, folder, ToySources(), log_every=1, checkpoint_every=2, **options)
    with (folder / "log.csv").open(newline="") as file:
        return [
            {name: float(row[name]) for name in ("step", "loss", "gradient", "rate")} for row in csv.DictReader(file)
        ]


FLOWNET = {"model": "FlowNet2-s", "options": {}, "loss": "multiscale", "iterations": None}


@pytest.mark.parametrize(
    "changes", [{}, {"model": "RAFT"}, FLOWNET, {"coarse_starts": 1.0}], ids=["small", "RAFT", "FlowNet2-s", "coarse"]
)
def test_a_step_in_half_precision_is_near_that_in_single(tmp_path, single_precision, changes):
    changes = {"steps": 1, "crop": (128, 192), **changes}
    (single,), (half,) = (run(tmp_path / kind, precision=kind, **changes) for kind in ("fp32", "bf16"))
    assert half["loss"] == pytest.approx(single["loss"], rel=0.02) and np.isfinite(half["gradient"])
    assert half["loss"] != single["loss"]


def test_a_resumed_run_goes_on(tmp_path, single_precision):
    """Not to the last bit: a GPU adds in varying order."""

    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step == 5:
            raise Killed

    numbers = {"steps": 8, "epsilon": 1e-3, "validation": (Part("toy"),), "validate_every": 4}
    whole = run(tmp_path / "whole", **numbers)
    with pytest.raises(Killed):
        run(tmp_path / "cut", report=kill, **numbers)
    cut = run(tmp_path / "cut", resume=True, **numbers)
    assert [row["step"] for row in cut] == [row["step"] for row in whole] == list(range(1, 9))
    for ours, wanted in zip(cut, whole, strict=True):
        assert ours["loss"] == pytest.approx(wanted["loss"], rel=0.01) and ours["rate"] == wanted["rate"]


@pytest.mark.parametrize("coarse_start", [False, True])
def test_the_shipped_weights_give_the_flow_that_they_give_on_a_cpu(single_precision, coarse_start):
    frames = moving(120, 168, 2, dx=5, dy=-3)
    options = {"precision": "fp32", "refine": False, "coarse_start": coarse_start}
    ours, wanted = (opticflow.load(device=device, **options)(*frames) for device in (GPU, "cpu"))
    assert np.abs(ours - wanted).max() < 0.02
    assert np.abs(np.median(ours, (0, 1)) - [5, -3]).max() < 0.5


@pytest.mark.parametrize("model", ["FlowNet2-s", "FlowNet2-c", "RAFT"])
def test_a_network_gives_the_flow_that_it_gives_on_a_cpu(single_precision, model):
    frames = moving(128, 192, 2)
    torch.manual_seed(0)
    network = build(model, **({"iterations": 3} if model == "RAFT" else {}))
    wanted = Estimator(network, device="cpu", precision="fp32")(*frames)
    ours = Estimator(network, device=GPU, precision="fp32")(*frames)
    assert np.abs(ours - wanted).max() < 0.02


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_to_the_gpu_as_they_are(workers):
    sources = [Source("waves", Waves(7), PRESETS["raft-chairs"])]
    stream = TrainingStream(sources, crop=(24, 32), batch_size=4, workers=workers, prefetch=1)
    batches = stream.raw_batches()
    for _, wanted, raw in zip(range(6), stream.batches(), batches, strict=False):
        assert raw.first.is_pinned() and raw.flow.is_pinned()
        batch = to_device(raw, GPU)
        assert batch.first.device.type == "cuda" and batch.names == wanted.names
        assert batch.first.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(batch.first.cpu(), wanted.first, rtol=1e-6, atol=0)  # it multiplies by 1 / 255
        assert torch.equal(batch.flow.cpu(), wanted.flow) and torch.equal(batch.valid.cpu(), wanted.valid)
    batches.close()
