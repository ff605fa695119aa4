"""Fine-tuning on pairs of one's own, from given weights."""

import json

import numpy as np
import pytest

from opticflow.io import write_flow, write_image
from opticflow.train.recipe import Part
from opticflow.train.recipes import finetune
from opticflow.train.sources import Locations
from opticflow.weights import DEFAULT_MODEL, load_checkpoint, read_checkpoint
from train_toys import toy_sample

QUICK = ("--steps", 2, "--batch", 1, "--crop", "64x64", "--device", "cpu", "--precision", "fp32", "--validation", 2)


@pytest.fixture
def pairs(tmp_path):
    """A folder of twelve pairs of one's own."""
    for number in range(12):
        sample = toy_sample(number, (80, 96))
        folder = tmp_path / "pairs" / f"{number:02d}"
        folder.mkdir(parents=True)
        write_image(folder / "img1.png", sample.first)
        write_image(folder / "img2.png", sample.second)
        write_flow(folder / "gt.flo", sample.flow)
    return tmp_path / "pairs"


def test_the_last_tenth_is_held_out(pairs):
    folders = Locations(others=(pairs,))
    training, held_out = (folders.find(Part("pairs", fold=fold)) for fold in ("training", "held-out"))
    assert [sample.name for sample in training] == [f"{number:02d}" for number in range(10)]
    assert [sample.name for sample in held_out] == ["10", "11"]


def test_weights_by_name_go_on_with_pairs_of_ones_own(command, pairs, tmp_path):
    arguments = ("train", "finetune", "--weights", DEFAULT_MODEL, "--data", pairs, "-o", tmp_path / "run")
    code, out, err = command(*arguments, *QUICK)
    assert code == 0 and "pairs: 10 pairs of pairs" in out and "error" in err
    begun, ended = (
        load_checkpoint(DEFAULT_MODEL).tensors,
        read_checkpoint(tmp_path / "run" / "weights.safetensors").tensors,
    )
    change = max(float((ended[name] - begun[name].float()).abs().max()) for name in begun)
    assert 0 < change < 1e-3  # two steps with a small rate, averaged
    # a run's folder is a name, too, and a table a data set
    table = tmp_path / "pairs.csv"
    rows = [f"pairs/{n:02d}/img1.png,pairs/{n:02d}/img2.png,pairs/{n:02d}/gt.flo" for n in range(12)]
    table.write_text("\n".join(["first,second,flow", *rows]))
    arguments = ("train", "finetune", "--weights", tmp_path / "run", "--data", f"pairs={table}", "-o", tmp_path / "on")
    assert command(*arguments, *QUICK)[0] == 0
    stage = json.loads((tmp_path / "on" / "run.json").read_text())["recipe"]["stages"][0]
    assert stage["model"] == DEFAULT_MODEL.partition(".")[0]


def test_what_is_missing_is_said_in_a_line(command, pairs, tmp_path):
    for arguments, message in [
        (("finetune", "--data", pairs), "goes on from weights; add --weights"),
        (("finetune", "--weights", DEFAULT_MODEL), "pairs was not given"),
        (("finetune", "--weights", "DIS", "--data", pairs), "DIS has no weights"),
        (("S_short", "--weights", DEFAULT_MODEL), "cannot begin with weights of"),
    ]:
        code, _, err = command("train", *arguments, "-o", tmp_path / "run", *QUICK)
        assert code == 2 and message in err.replace("\n", " ") and "Traceback" not in err
        assert not (tmp_path / "run").exists()


def test_every_kind_of_network_has_its_loss():
    assert finetune("RAFT").stages[0].loss == "sequence"
    assert finetune("FlowNet2-S").stages[0].loss == "multiscale"
    assert [part.dataset for part in finetune("RAFT", ("kitti-2015", "hd1k")).stages[0].data] == ["kitti-2015", "hd1k"]
    assert np.isclose(sum(part.share for part in finetune().stages[0].data), 1)
