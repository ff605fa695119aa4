"""opticflow models"""

import json

import pytest

from opticflow.models import MODELS
from opticflow.weights import DEFAULT_MODEL
from vectors import read_vector


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTICFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def test_list(opticflow_command):
    code, out, _ = opticflow_command("models", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == list(MODELS)
    assert "RAFT.C_T_SKHT_V2" in out and "to download" in out


def test_no_verb_lists(opticflow_command):
    assert opticflow_command("models") == opticflow_command("models", "list")
    assert opticflow_command("models")[1]


def test_list_as_json(opticflow_command):
    printed = opticflow_command("models", "list", "--json")[1]
    assert opticflow_command("models", "--json")[1] == printed
    models = json.loads(printed)["models"]
    assert [model["name"] for model in models] == list(MODELS)
    by_name = {model["name"]: model for model in models}
    assert by_name["RAFT"]["learned"] and not by_name["DIS"]["learned"]
    (default,) = [w["name"] for model in models for w in model["weights"] if w["default"]]
    assert default == DEFAULT_MODEL
    assert by_name["RAFT-small"]["weights"][0]["error"]["Sintel train clean"] == 1.9901


def test_info(opticflow_command):
    code, out, _ = opticflow_command("models", "info", "RAFT-small", "--size", "128x64")
    assert code == 0 and "990,162" in out and "multiply-adds" in out and "128x64" in out


def test_info_as_json(opticflow_command):
    small, large = (
        json.loads(opticflow_command("models", "info", "FlowNet2-s", "--size", size, "--json")[1])
        for size in ("64x64", "128x128")
    )
    assert small["parameters"] == large["parameters"]
    assert large["multiply_adds"] == 4 * small["multiply_adds"]
    assert large["bytes"] > small["bytes"] > 4 * small["parameters"]


def test_info_of_a_classical_method(opticflow_command):
    assert opticflow_command("models", "info", "DIS")[0] == 0


def test_import_and_info_of_a_file(opticflow_command, tmp_path):
    file = read_vector("torchvision-raft_small").write(tmp_path / "raft_small.pth")
    code, out, _ = opticflow_command("models", "import", file, "-o", tmp_path / "ours.safetensors")
    assert code == 0
    assert "RAFT-small of torchvision, 990,162 parameters" in out and "[-1, 1]" in out and "BSD" in out
    for path in (file, tmp_path / "ours.safetensors"):
        report = json.loads(opticflow_command("models", "info", path, "--size", "64x64", "--json")[1])
        assert (report["network"], report["source"], report["parameters"]) == ("RAFT-small", "torchvision", 990_162)


def test_an_import_is_known_by_its_name(opticflow_command, tmp_path, cache):
    file = read_vector("torchvision-raft_small").write(tmp_path / "raft_small.pth")
    assert "--model RAFT-small.torchvision.raft_small" in opticflow_command("models", "import", file)[1]
    assert (cache / "RAFT-small.torchvision.raft_small.safetensors").is_file()
    assert opticflow_command("models", "info", "RAFT-small.torchvision", "--size", "64x64")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "RAFFT"], "did you mean RAFT"),
        (["info", "RAFT", "--size", "big"], "1024x436"),
        (["info", "RAFT", "--size", "00x10"], "1024x436"),
        (["info", "nowhere.pth"], "no such file"),
        (["import", "nowhere.pth"], "no such file"),
        (["download", "DIS"], "no published weights"),
        (["download", "FlowNet2"], "github.com/NVIDIA"),
        (["download", "RAFT.nonsense"], "known are"),
    ],
)
def test_mistakes_are_one_line(opticflow_command, arguments, said):
    code, out, err = opticflow_command("models", *arguments)
    assert code == 2 and not out
    assert said in err and err.count("\n") == 1


def test_an_import_that_cannot_be_written(opticflow_command, tmp_path):
    file = read_vector("torchvision-raft_small").write(tmp_path / "raft_small.pth")
    for output in (tmp_path / "ours.pth", tmp_path / "nowhere" / "ours.safetensors"):
        code, _, err = opticflow_command("models", "import", file, "-o", output)
        assert code == 2 and err.count("\n") == 1
