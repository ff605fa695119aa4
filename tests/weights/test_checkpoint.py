"""What files are recognised, and what is said of the others."""

import argparse
import pickle
import zipfile
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from opticflow.errors import FormatError, WeightsError
from opticflow.estimator.speed import peak_memory
from opticflow.models import build
from opticflow.weights import import_checkpoint, load_network, read_checkpoint
from vectors import PARITY, read_vector

SMALL = "princeton-raft-small-pad_sintel"
RECOGNISED = {
    "princeton-raft-things-pad_sintel": ("RAFT", "the RAFT authors", {}),
    SMALL: ("RAFT-small", "the RAFT authors", {}),
    "torchvision-raft_large": ("RAFT", "torchvision", {}),
    "torchvision-raft_small": ("RAFT-small", "torchvision", {}),
}


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return read_vector(SMALL).state_dict()


def refusal(path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def saved(contents, path):
    torch.save(contents, path)
    return path


@pytest.mark.parametrize("name", RECOGNISED)
@pytest.mark.parametrize("legacy", [True, False])
def test_recognised(name, legacy, tmp_path):
    path = tmp_path / "weights"  # the suffix does not matter
    torch.save(read_vector(name).state_dict(), path, _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(path)
    assert (found.network, found.source, found.options) == RECOGNISED[name]
    assert "[-1, 1]" in found.normalisation and "BSD" in found.licence


@pytest.mark.parametrize("name", sorted(path.stem for path in PARITY.glob("*.json") if "raft" not in path.stem))
def test_flownets_are_recognised_by_their_names(name, monkeypatch):
    vector = read_vector(name)
    types = {key: torch.int64 if key.endswith("num_batches_tracked") else torch.float32 for key in vector.shapes}
    empty = {key: torch.zeros((), dtype=types[key]).expand(shape) for key, shape in vector.shapes.items()}
    from pathlib import Path

    from opticflow.weights import checkpoint

    monkeypatch.setattr(checkpoint, "read_tensors", lambda *_: (empty, {}))
    found = read_checkpoint(Path("some.pth"))
    wanted = {
        "pinard-flownets": "FlowNetS.pinard",
        "pinard-flownets_bn": "FlowNetS.pinard-bn",
        "pinard-flownetc": "FlowNetC.pinard",
        "pinard-flownetc_bn": "FlowNetC.pinard-bn",
    }
    nvidia = name.replace("nvidia-FlowNet2", "FlowNet2-").removesuffix("-") + ".nvidia"
    assert found.name == wanted.get(name, nvidia) + ".some"
    assert found.licence == "MIT" if name.startswith("pinard") else "research" in found.licence


def test_halves_are_widened(weights, tmp_path):
    path = saved({name: tensor.half() for name, tensor in weights.items()}, tmp_path / "half.pth")
    assert all(parameter.dtype == torch.float32 for parameter in load_network(path).parameters())


def test_numbers_beside_the_weights_do_no_harm(weights, tmp_path):
    extras = {"epoch": 3, "best_EPE": np.float64(1.5), "lr": np.float32(1e-4), "arch": "raft"}
    assert load_network(saved({"state_dict": weights, **extras}, tmp_path / "run.pth.tar"))


@dataclass
class Config:
    rate: float = 0.1


BESIDE = {
    "args": argparse.Namespace(lr=1e-4, out=PurePosixPath("runs"), begun=datetime(2020, 1, 1, tzinfo=UTC)),
    "folder": Path("runs") / "one",
    "when": datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    "counts": defaultdict(list, {"a": [1, 2]}),
    "last": deque([1.0, 2.0], maxlen=3),
    "order": OrderedDict(a=1),
    "best": np.int64(3),
    "flag": np.bool_(True),
    "losses": np.arange(3.0),
    "names": np.array(["a", "b"]),
    "things": np.array([1, None], dtype=object),
    "random": np.random.RandomState(0).get_state(),
    "other": SimpleNamespace(a=1),
    "ids": {1, 2},
    "size": torch.Size([1, 2]),
    "type": torch.float16,
    "device": torch.device("cpu"),
}


@pytest.mark.parametrize("legacy", [True, False])
def test_what_training_programs_write_beside_the_weights_does_no_harm(weights, tmp_path, legacy):
    path = tmp_path / "run.pth"
    torch.save({"model": weights, **BESIDE}, path, _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(path)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in read_own(weights, tmp_path).items())
    torch.save({"model": weights, "config": Config()}, path, _use_new_zipfile_serialization=not legacy)
    assert "would run code" in refusal(path) and "Config" in refusal(path)


def read_own(weights, folder):
    return read_checkpoint(saved(weights, folder / "own.pth")).tensors


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


CONTAINERS = {
    "Lightning": lambda state: {"state_dict": prefixed("model.", state), "hyper_parameters": {"a": 1}},
    "compiled": lambda state: prefixed("_orig_mod.", state),
    "compiled within": lambda state: {name.replace("fnet.", "fnet._orig_mod."): t for name, t in state.items()},
    "several": lambda state: {"state_dict": prefixed("model._orig_mod.module.flow_net.", state)},
    "nested": lambda state: {"net": state, "epoch": 3},
    "deeper": lambda state: {"run": {"weights": {"net": state}}, "losses": {"a": torch.zeros(2)}},
    "beside an optimiser": lambda state: {
        "network": state,
        "optimizer": {"state": {0: {"step": torch.zeros(1), "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1}]},
    },
    "beside its average": lambda state: {"model": state, "ema": {name: 2 * t for name, t in state.items()}},
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_weights_are_found_in_what_training_programs_save(weights, tmp_path, container):
    state = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    found = read_checkpoint(saved(CONTAINERS[container](state), tmp_path / "theirs.pth"))
    own = read_own(weights, tmp_path)
    assert found.tensors.keys() == own.keys()
    assert all(torch.equal(found.tensors[name], own[name]) for name in own)


def test_which_of_several_sets_is_meant_is_not_guessed(weights, tmp_path):
    message = refusal(saved({"teacher": weights, "student": {**weights}}, tmp_path / "a.pth"))
    assert "several sets of weights: teacher, student" in message


def test_a_state_dict_as_safetensors_is_recognised(weights, tmp_path):
    save_file(weights, tmp_path / "theirs.safetensors")
    assert read_checkpoint(tmp_path / "theirs.safetensors").source == "the RAFT authors"


def test_ours_keeps_what_is_known(tmp_path):
    checkpoint, path = import_checkpoint(read_vector(SMALL).write(tmp_path / "a.pth"), tmp_path / "b.safetensors")
    again = read_checkpoint(path)
    assert (again.network, again.source, again.tag, again.licence, again.normalisation) == (
        checkpoint.network,
        checkpoint.source,
        checkpoint.tag,
        checkpoint.licence,
        checkpoint.normalisation,
    )
    assert again.parameters == 990_162
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "b.safetensors"]


def test_missing_tensors_are_named(weights, tmp_path):
    del weights["module.fnet.layer2.0.conv2.weight"], weights["module.update_block.gru.convz.bias"]
    message = refusal(saved(weights, tmp_path / "a.pth"))
    assert "2 missing" in message
    assert "feature_encoder.stages.1.0.residual.1.conv.weight" in message and "update_gate.bias" in message


def test_unexpected_tensors_are_named(weights, tmp_path):
    weights["module.fnet.extra.weight"] = torch.zeros(3)
    assert "1 unexpected: fnet.extra.weight" in refusal(saved(weights, tmp_path / "a.pth"))


def test_misshapen_tensors_are_named(weights, tmp_path):
    weights["module.cnet.conv2.weight"] = torch.zeros(256, 96, 1, 1)
    message = refusal(saved(weights, tmp_path / "a.pth"))
    assert "1 of another shape: cnet.conv2.weight [256, 96, 1, 1] (wanted [160, 96, 1, 1])" in message


def test_a_list_of_faults_is_cut(weights, tmp_path):
    kept = {name: tensor for name, tensor in weights.items() if "conv1" in name or "convz" in name}
    assert "more" in refusal(saved(kept, tmp_path / "a.pth"))


def test_another_network_is_not_guessed(tmp_path):
    state = torch.nn.Linear(2, 2).state_dict()
    assert "unknown layout" in refusal(saved(state, tmp_path / "a.pth"))


class Shell:
    def __reduce__(self):
        import os

        return (os.system, ("touch ran",))


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_pickle_that_would_run_code_is_refused(weights, tmp_path, monkeypatch, legacy, nested):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trap.pth"
    contents = {"state_dict": weights, "optimizer": Shell()} if nested else Shell()
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    assert "system" in refusal(path)
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Shell()))
    assert "system" in refusal(tmp_path / "trap.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_refused(weights, tmp_path, legacy, share):
    path = tmp_path / "cut.pth"
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    assert "not a whole checkpoint" in refusal(path)


def test_a_truncated_safetensors_file_is_refused(weights, tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file(weights, path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "safetensors" in refusal(path)


@pytest.mark.parametrize(
    "contents", [b"", b"not a checkpoint\n", b"<html>404</html>", b"\x1f\x8b\x08\x00rest", bytes(100)]
)
def test_other_files_are_refused(tmp_path, contents):
    path = tmp_path / "weights.pth"
    path.write_bytes(contents)
    assert "not a checkpoint" in refusal(path)


@pytest.mark.parametrize("contents", [torch.zeros(3), [1, 2], {}, {"a": 1}, {"state_dict": {"a": "b"}}])
def test_contents_that_are_no_weights_are_refused(tmp_path, contents):
    assert "wanted a" in refusal(saved(contents, tmp_path / "a.pth"))


def test_a_file_that_is_not_there(tmp_path):
    assert "no such file" in refusal(tmp_path / "nowhere.pth")


def test_notes_that_name_no_network_of_ours(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"format": "opticflow", "network": "RAFT-huge"})
    assert "RAFT-huge" in refusal(path)
    save_file({"a": torch.zeros(1)}, path, {"format": "opticflow", "network": "RAFT", "options": '{"colour": 1}'})
    assert "colour" in refusal(path)


def test_options_are_kept(tmp_path):
    """A network with batch normalisation comes back as one."""
    network = build("FlowNetS", batch_norm=True)
    from opticflow.weights import Checkpoint

    checkpoint = Checkpoint("FlowNetS", "a test", "x", network.state_dict(), options={"batch_norm": True})
    checkpoint.save(tmp_path / "bn.safetensors")
    again = load_network(tmp_path / "bn.safetensors")
    for (name, one), (_, other) in zip(network.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"options": "{bad"}, "not JSON"),
        ({"options": "[1]"}, "wanted names with values"),
        ({"options": '{"iterations": "x"}'}, "iterations is 'x'; wanted int"),
        ({"options": '{"iterations": true}'}, "iterations is True; wanted int"),
        ({"tag": "../../../evil"}, "gives the tag '../../../evil'"),
        ({"tag": ".hidden"}, "gives the tag"),
        ({"network": "a/b"}, "gives the network 'a/b'"),
    ],
)
def test_a_header_is_not_trusted(tmp_path, notes, said):
    path = tmp_path / "odd.safetensors"
    save_file(build("RAFT-small").state_dict(), path, {"format": "opticflow", "network": "RAFT-small", **notes})
    assert said in refusal(path)


def test_whole_numbers_are_no_weights(tmp_path):
    path = tmp_path / "ints.safetensors"
    tensors = {name: tensor.int() for name, tensor in build("RAFT-small").state_dict().items()}
    save_file(tensors, path, {"format": "opticflow", "network": "RAFT-small"})
    message = refusal(path)
    assert "of another type" in message and "torch.int32 (wanted torch.float32)" in message


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(weights, tmp_path, value):
    weights["module.cnet.conv2.weight"][0, 0] = value
    assert "1 tensors hold NaN or infinity: cnet.conv2.weight" in refusal(saved(weights, tmp_path / "a.pth"))


def test_a_torchscript_file_is_called_that(tmp_path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is going out of use, which is not our matter
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "a.pt")
    assert "TorchScript program" in refusal(tmp_path / "a.pt")


def test_a_disk_that_fills_up(tmp_path):
    """The limit on file sizes stands in for it."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = read_vector(SMALL).write(tmp_path / "a.pth")
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(FormatError, match=r"cannot write .*b.safetensors"):
            import_checkpoint(file, tmp_path / "b.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


MARKS = {"fnet.a": torch.zeros(1), "cnet.a": torch.zeros(1), "update_block.gru.convz.x": torch.zeros(1)}


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.ones(1).half().expand(10**6, 10**6), "does not fit"),
        (torch.ones(1).half().expand(40_000, 60_000), "does not fit"),
        (torch.zeros(3).to_sparse(), "sparse, quantised or without contents: fnet.a"),
        (torch.zeros(3, device="meta"), "sparse, quantised or without contents: fnet.a"),
        (torch.zeros(3, dtype=torch.complex64), "does not fit"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_what_they_seem_take_nothing(tmp_path, tensor, said):
    before = peak_memory(torch.device("cpu"))
    assert said in refusal(saved({**MARKS, "fnet.a": tensor}, tmp_path / "a.pth"))
    assert peak_memory(torch.device("cpu")) < before + 2e8


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_does(tmp_path, monkeypatch):
    plain = saved({**MARKS, "text": "a" * 30_000_000}, tmp_path / "plain.pth")
    with zipfile.ZipFile(plain) as theirs, zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as ours:
        for name in theirs.namelist():
            ours.writestr(name, theirs.read(name))
    assert (tmp_path / "a.pth").stat().st_size < 100_000
    assert "OPTICFLOW_READ_LIMIT" in refusal(tmp_path / "a.pth") and "OPTICFLOW_READ_LIMIT" in refusal(plain)
    monkeypatch.setenv("OPTICFLOW_READ_LIMIT", "4")
    assert "these entries are no tensors: text" in refusal(plain)


def test_a_pickle_without_end_is_stopped(tmp_path, monkeypatch):
    """Of the older kind of file, which does not say how long its pickle is."""
    path = tmp_path / "a.pt"
    torch.save(MARKS, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    monkeypatch.setenv("OPTICFLOW_READ_LIMIT", "0.01")
    path.write_bytes(whole[: whole.rindex(b"}q", 0, whole.index(b"fnet.a"))] + b"}" * 200_000)
    assert "OPTICFLOW_READ_LIMIT" in refusal(path)


@pytest.mark.parametrize("share", [*range(1, 40, 3), 100, 300, 590])
def test_a_file_of_the_older_kind_that_is_cut_is_refused(tmp_path, share):
    path = tmp_path / "cut.pt"
    torch.save(MARKS, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:share])
    assert "checkpoint" in refusal(path) or share == 300  # in the middle of a name, which is no longer a known one


@pytest.mark.parametrize("iterations", [0, -3, 10**9, 10**30])
def test_iterations_in_a_header_are_within_reason(tmp_path, iterations):
    notes = {"format": "opticflow", "network": "RAFT-small", "options": f'{{"iterations": {iterations}}}'}
    save_file(build("RAFT-small").state_dict(), tmp_path / "a.safetensors", notes)
    assert "wanted a whole number from 1 on, 10,000 at most" in refusal(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"options": "[" * 100_000}, "not JSON"),
        ({"options": '{"iterations": "' + "x" * 10**5 + '"}'}, "wanted int"),
        ({"network": "R" * 10**5}, "gives the network"),
        ({"tag": "t" * 10**5}, "gives the tag"),
        ({"network": "FlowNet2-S", "options": '{"width": 1e300}'}, "says it is for"),
        ({"network": "FlowNet2-S", "options": '{"width": -1}'}, "says it is for"),
        ({"source": "s" * 10**5}, "does not fit"),
    ],
)
def test_messages_are_short_whatever_a_file_says(tmp_path, notes, said):
    save_file(
        {"n" * 10**5: torch.zeros(1)}, tmp_path / "a.safetensors", {"format": "opticflow", "network": "RAFT", **notes}
    )
    message = refusal(tmp_path / "a.safetensors")
    assert said in message and len(message) < 2500 + len(str(tmp_path))
