"""The scripts under `benchmarks/` run, on the smallest that they take."""

import json
import runpy
from pathlib import Path

import pytest
import torch

from opticflow.errors import InputError
from opticflow.estimator import speed
from train_toys import ToySources, small_curriculum

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch, tmp_path, capsys):
    """A function that runs a script in an empty folder and gives the lines that it prints."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> list[str]:
        monkeypatch.setattr("sys.argv", line.split())
        runpy.run_path(str(FOLDER / line.split()[0]), run_name="benchmark")["main"]()
        return capsys.readouterr().out.splitlines()

    return run


def test_frame_sizes_go_on_where_they_stopped_and_are_drawn(script, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def measure(model, width, height, *, settings, bare, **others):
        iterations, max_memory = settings.iterations, settings.max_memory
        made.append((width, height, iterations, others["rounds"]))
        return speed.Speed(
            model=model,
            width=width,
            height=height,
            precision="fp32",
            device="cpu",
            threads=1,
            iterations=iterations,
            uses=(),
            max_memory=max_memory,
            tiles=1 + width // 5000,
            trained=False,
            milliseconds=width * height / 1e3,
            frames_per_second=1,
            memory=width * height * 400,
            plain_milliseconds=None,
            plain_memory=None,
            ratio=None,
        )

    monkeypatch.setattr(speed, "measure_speed", measure)
    for line in ("frame_sizes.py RAFT-small --size 64x48 1920x1080", "frame_sizes.py RAFT-small"):
        with pytest.raises(SystemExit) as ended:
            script(line)
        assert ended.value.code == 0
    assert made[:2] == [(64, 48, 12, 2), (1920, 1080, 12, 1)], "the network's own iterations"
    assert len(made) == len(set(made)) == 2 + 7, "what is there is not measured again"
    assert made[-2:] == [(3840, 2160, 2, 0), (7680, 4320, 2, 0)]
    assert len(Path("frame_sizes.jsonl").read_text().splitlines()) == len(made)
    drawn = Path("frame_sizes.svg").read_text()
    assert "RAFT-small, 12 iterations" in drawn and "RAFT-small, 2 iterations" in drawn


def test_the_memory_of_tiles_is_that_of_a_quarter_of_a_frame(script):
    line = "approximations.py tiles DIS --size 300x200 --world chairs --pairs 1 --json tiles.json"
    (row,) = map(json.loads, script(line))
    assert json.loads(Path("tiles.json").read_text())["rows"] == [row]
    assert row["tiles"] >= 4 and 0 < row["overlapping"] < 1
    assert 0 < row["outside"]["mean"] and 0 < row["inside"]["mean"]


def test_number_formats_are_compared(script):
    line = "approximations.py precision FlowNet2-s --size 64x64 --world chairs --pairs 1 --formats"
    same, other = map(json.loads, script(f"{line} fp32 bf16"))
    assert same["difference"]["mean"] == 0 and same["ratio"] == 1 and not same["trained"]
    assert other["precision"] == "bf16" and 0 < other["difference"]["mean"] < 0.1
    with pytest.raises(InputError, match="int8"):
        script(f"{line} int8")


def test_the_shares_of_operations_are_of_the_whole(script):
    (line,) = script("operations.py FlowNetS --size 64x64 --rounds 1 --json")
    row = json.loads(line)
    assert row["seconds"] > 0 and 0.99 < sum(row["shares"].values()) < 1.2
    products = ("aten::mm", "aten::bmm", "aten::mkldnn_convolution", "aten::_slow_conv2d_forward")
    assert sum(row["shares"].get(name, 0) for name in products) > 0.2
    printed = script("operations.py FlowNetS --size 64x64 --rounds 1 --most 3")
    assert printed[0].startswith("FlowNetS, 64x64: ") and len(printed) == 4


def test_compiled_networks_stand_beside_the_others(script, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    raft, flownet = map(json.loads, script("torch_compile.py RAFT-small FlowNetS --size 64x64 --rounds 1"))
    assert set(raft["milliseconds"]) == {"as it is", "plain", "compiled"}
    assert set(flownet["milliseconds"]) == {"as it is", "plain", "compiled"} and len(compiled) == 2


@pytest.mark.parametrize("model", ["RAFT-small --iterations 2 --form gather", "FlowNet2-s"])
def test_a_training_step_is_the_sum_of_its_parts(script, model):
    line = (
        f"training_step.py --model {model} --crop 64x64 --batch 2 --steps 2 --warm-up 0 --precision fp32 --device cpu"
    )
    (row,) = map(json.loads, script(f"{line} --json --profile profile.txt"))
    times = row["milliseconds"]
    assert sum(times[part] for part in ("forward", "backward", "update")) == pytest.approx(times["step"], rel=0.1)
    assert row["samples_per_second"] == pytest.approx(2e3 / times["step"], rel=0.01) and row["memory"] > 10**8
    assert "aten::convolution_backward" in Path("profile.txt").read_text()
    assert script(f"{line} --no-tuned")[0].startswith(f"{row['model']}, 2 x 64x64, fp32, cpu: step ")


def test_a_curriculum_is_measured_stage_by_stage(script, monkeypatch):
    monkeypatch.setattr("opticflow.train.recipes.find_recipe", lambda name: small_curriculum(1))
    monkeypatch.setattr("opticflow.train.sources.RecipeSources", lambda *_, **__: ToySources())
    line = "curriculum.py -o run --steps 10 --batch 1 --crop 64x64"
    rows = list(map(json.loads, script(line)))
    by_stage = {row["stage"]: row for row in rows}
    assert [row["stage"] for row in rows] == [stage.name for stage in small_curriculum(1).stages]
    assert all(row["begins"] > 0 and row["ends"] > 0 for row in rows)
    held = {name: row["frozen_unchanged"] for name, row in by_stage.items() if row["frozen_unchanged"]}
    assert set(held) == {"CS-chairs", "CS-things", "CSS-chairs", "CSS-things", "fusion-chairs", "fusion-things"}
    assert held["CS-things"] < held["CSS-things"] < held["fusion-things"]
    assert list(map(json.loads, script(line))) == rows, "what is trained is not trained again"
