"""What files are recognised, and what is said of the others."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from opticflow.errors import WeightsError
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
    empty = {key: torch.empty(shape, device="meta") for key, shape in vector.shapes.items()}
    from pathlib import Path

    from opticflow.weights import checkpoint

    monkeypatch.setattr(checkpoint, "read_tensors", lambda path: (empty, {}))
    found = read_checkpoint(Path("some.pth"))
    wanted = {
        "pinard-flownets": "FlowNetS.pinard",
        "pinard-flownets_bn": "FlowNetS.pinard-bn",
        "pinard-flownetc": "FlowNetC.pinard",
        "pinard-flownetc_bn": "FlowNetC.pinard-bn",
    }
    nvidia = name.replace("nvidia-FlowNet2", "FlowNet2-").removesuffix("-") + ".nvidia"
    assert found.name == wanted.get(name, nvidia)
    assert found.licence == "MIT" if name.startswith("pinard") else "research" in found.licence


def test_halves_are_widened(weights, tmp_path):
    path = saved({name: tensor.half() for name, tensor in weights.items()}, tmp_path / "half.pth")
    assert all(parameter.dtype == torch.float32 for parameter in load_network(path).parameters())


def test_numbers_beside_the_weights_do_no_harm(weights, tmp_path):
    extras = {"epoch": 3, "best_EPE": np.float64(1.5), "lr": np.float32(1e-4), "arch": "raft"}
    assert load_network(saved({"state_dict": weights, **extras}, tmp_path / "run.pth.tar"))


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
    with pytest.raises(WeightsError):
        load_network(tmp_path / "trap.pkl")
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
