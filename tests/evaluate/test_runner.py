"""Evaluation on pairs whose errors are known."""

import hashlib
import json
import math

import numpy as np
import pytest
import torch

import opticflow
from opticflow.data import open_dataset
from opticflow.errors import DatasetError
from opticflow.estimator.describe import describe
from opticflow.evaluate import EvaluatedModel, evaluate, page
from opticflow.evaluate.environment import environment
from opticflow.evaluate.report import HISTOGRAM_EDGES
from opticflow.metrics import PROTOCOLS
from opticflow.weights import DEFAULT_MODEL, find_records
from opticflow.weights.digest import weights_hash
from pictures import moving

HEIGHT, WIDTH = 24, 32


def constant(u: float, v: float = 0.0):
    """A method that always finds the same motion."""
    return lambda first, second: np.full((*first.shape[:2], 2), (u, v), dtype=np.float32)


def finds(name, u) -> EvaluatedModel:
    return EvaluatedModel(name, constant(u))


def pairs_with(truths: dict[str, np.ndarray]) -> dict:
    first, second = moving(HEIGHT, WIDTH, 2)
    files = {}
    for name, truth in truths.items():
        files |= {f"{name}/img1.png": first, f"{name}/img2.png": second, f"{name}/gt.flo": truth}
    return files


def truth(u: float, valid_columns: int = WIDTH) -> np.ndarray:
    flow = np.full((HEIGHT, WIDTH, 2), (u, 0), dtype=np.float32)
    flow[:, valid_columns:] = np.nan
    return flow


@pytest.fixture
def three(write_files):
    """Pairs with true motion of 0, 1 and 5 px; the last is known in a quarter of its pixels."""
    return open_dataset("pairs", write_files(pairs_with({"a": truth(0), "b": truth(1), "c": truth(5, WIDTH // 4)})))


def test_figures_of_a_method_that_finds_no_motion(three):
    report = evaluate([finds("still", 0)], three, PROTOCOLS["per-image"])
    (model,) = report.models
    assert [record.values()[0] for record in model.records] == pytest.approx([0, 1, 5])
    assert model.totals.mean("EPE", average="images") == pytest.approx(2.0)
    assert model.totals.mean("EPE", average="pixels") == pytest.approx((0 + 4 * 1 + 1 * 5) / 9)
    assert {name: totals.mean("EPE") for name, totals in model.sequences.items()} == pytest.approx(
        {"a": 0, "b": 1, "c": 5}
    )
    assert model.histogram.sum() == HEIGHT * WIDTH * 9 // 4
    assert model.histogram[0] == HEIGHT * WIDTH  # the pixels without error
    low, high = model.interval(report.protocol, report.protocol.columns[0])
    assert 0 <= low < 2 < high <= 5
    timing = model.timing()
    assert 0 <= timing["fastest"] <= timing["median"] <= timing["sum"]


def test_histogram_edges_cover_every_error():
    assert HISTOGRAM_EDGES[0] == 0
    assert HISTOGRAM_EDGES[-1] == math.inf
    assert (np.diff(HISTOGRAM_EDGES) > 0).all()


def test_a_broken_pair_is_named_and_left_out_for_all(write_files):
    files = pairs_with({"a": truth(1), "b": truth(1)[1:], "c": truth(1, 0), "d": truth(1)})
    data = open_dataset("pairs", write_files(files))

    def fails_on_the_last(first, second):
        fails_on_the_last.calls += 1
        flow = constant(0)(first, second)
        return flow * np.float32(np.nan) if fails_on_the_last.calls == 2 else flow

    fails_on_the_last.calls = 0
    report = evaluate([finds("good", 1), EvaluatedModel("bad", fails_on_the_last)], data, PROTOCOLS["per-image"])
    assert [broken.name for broken in report.broken] == ["b", "c", "d"]
    assert "the truth is 32x23, the frame 32x24" in report.broken[0].problem
    assert "no valid pixel" in report.broken[1].problem
    assert "NaN or infinite" in report.broken[2].problem
    assert [record.name for model in report.models for record in model.records] == ["a", "a"]
    assert "Incomplete: 3 pairs" in page(report)


def test_nothing_left_is_an_error(write_files):
    data = open_dataset("pairs", write_files(pairs_with({"a": truth(1)[1:]})))
    with pytest.raises(DatasetError, match=r"no pair of pairs .* can be evaluated; the first: a: the truth is 32x23"):
        evaluate([finds("still", 0)], data, PROTOCOLS["KITTI"])


def test_an_interruption_keeps_what_was_measured(three):
    def stopped(after):
        calls = iter(range(10))

        def estimate(first, second):
            if next(calls) == after:
                raise KeyboardInterrupt
            return constant(0)(first, second)

        return estimate

    report = evaluate([EvaluatedModel("stopped", stopped(2))], three, PROTOCOLS["per-image"])
    assert report.interrupted
    assert (report.done, report.pairs) == (2, 3)
    assert report.models[0].totals.mean("EPE", average="images") == pytest.approx(0.5)
    assert "Interrupted: these figures are of the first 2 pairs" in page(report)
    with pytest.raises(KeyboardInterrupt):
        evaluate([EvaluatedModel("stopped", stopped(0))], three, PROTOCOLS["per-image"])


def test_the_worst_cases_come_first(three):
    report = evaluate(
        [finds("still", 0), finds("right", 5)],
        three,
        PROTOCOLS["per-image"],
        cases=2,
    )
    assert [case.name for case in report.cases] == ["c", "b"]
    titles = list(report.cases[0].pictures)
    assert titles[:2] == ["first frame", "second frame"]
    assert [title.split(":")[0] for title in titles[3:]] == ["still", "still", "right", "right"]
    assert all(data.startswith(b"\xff\xd8") for data in report.cases[0].pictures.values())


def test_spring_takes_the_nearest_of_four_vectors(write_files):
    first, second = moving(HEIGHT, WIDTH, 2)
    four = np.zeros((2 * HEIGHT, 2 * WIDTH, 2), dtype=np.float32)
    four[1::2, 1::2] = (6, 0)  # the last of the four vectors of each pixel
    four[0, 1] = np.nan
    scene = "train/0001"
    files = {f"{scene}/frame_left/frame_left_0001.png": first, f"{scene}/frame_left/frame_left_0002.png": second}
    data = open_dataset("spring", write_files(files | {f"{scene}/flow_FW_left/flow_FW_left_0001.flo5": four}))
    report = evaluate([finds("near", 5), finds("still", 0)], data, PROTOCOLS["Spring"])
    assert [model.totals.mean("EPE") for model in report.models] == pytest.approx([1, 0])
    assert report.models[0].totals.pooled.count() == HEIGHT * WIDTH - 1


def test_progress_is_told_after_each_pair(three):
    told = []
    evaluate([finds("still", 0)], three, PROTOCOLS["KITTI"], progress=lambda *step: told.append(step))
    assert told == [(1, "a"), (2, "b"), (3, "c")]


def test_json_holds_every_figure_and_no_nan(three):
    report = evaluate([finds("still", 0)], three, PROTOCOLS["Sintel"], root="r", command="opticflow x")
    text = json.dumps(report.to_json(), allow_nan=False)
    back = json.loads(text)
    (model,) = back["models"]
    assert model["total"]["EPE"] == pytest.approx(1.0)
    assert model["total"]["unmatched"] is None
    assert model["every_metric"]["Fl"]["s0-10"]["over_images"] == pytest.approx(100 / 3)
    assert [pair["EPE"] for pair in model["pairs"]] == pytest.approx([0, 1, 5])
    assert back["protocol"]["averaging"] == "over pixels"
    assert back["command"] == "opticflow x"
    assert set(back["environment"]) >= {"opticflow", "python", "torch", "processor"}


def test_columns_by_occlusion_are_hidden_where_it_is_not_known(three, write_files):
    report = evaluate([finds("still", 0)], three, PROTOCOLS["KITTI"])
    assert [column.name for column in report.columns()] == ["EPE", "Fl-all"]
    write_files({"a/occlusions.png": np.eye(HEIGHT, WIDTH, dtype=bool)})
    known = open_dataset("pairs", three.pairs[0].first.parents[1])
    report = evaluate([finds("still", 0)], known, PROTOCOLS["KITTI"])
    assert [column.name for column in report.columns()] == ["EPE", "Fl-all", "EPE-noc", "Fl-noc"]


def test_the_page_stands_alone(three):
    name = "<b>&still"
    report = evaluate([finds(name, 0)], three, PROTOCOLS["per-image"], cases=3, command="opticflow <x>")
    html = page(report)
    assert html.count("<img ") == 3 * 5
    assert html.count("data:image/jpeg;base64,") == 3 * 5
    assert "http://" not in html
    assert "https://" not in html
    assert "<script" not in html
    assert "&lt;b&gt;&amp;still" in html
    assert "<b>&still" not in html
    assert "opticflow &lt;x&gt;" in html
    assert "<polyline" in html
    assert "averaged over images" in html


def test_the_weight_hash_sees_values_and_names():
    torch.manual_seed(0)
    layer = torch.nn.Linear(2, 3)
    first = weights_hash(layer)
    assert first == weights_hash(layer)
    with torch.no_grad():
        layer.bias[0] += 1e-6
    assert weights_hash(layer) != first
    assert weights_hash(torch.nn.Sequential(layer)) != weights_hash(layer)
    assert weights_hash(torch.nn.ReLU()) is None
    half = weights_hash(layer.bfloat16())
    assert half is not None
    assert len(half) == 64


def test_the_environment_is_words():
    assert all(isinstance(value, str) and value for value in environment().values())


def test_the_weight_hash_does_not_see_what_is_around_a_network():
    """The record of an estimate, a report and `models info` give the same."""
    refined, alone = (opticflow.load(device="cpu", refine=refine) for refine in (True, False))
    first = weights_hash(alone.network)
    assert weights_hash(refined.network) == first == EvaluatedModel.of("refined", refined).weights_sha256
    assert weights_hash(torch.nn.DataParallel(alone.network)) == first
    compiled = torch.nn.Module()
    compiled._orig_mod = alone.network  # as torch.compile has it
    assert weights_hash(compiled) == first
    report = describe(DEFAULT_MODEL, "64x64")
    assert report["weights_sha256"] == first
    (record,) = find_records(DEFAULT_MODEL)
    assert report["file_sha256"] == hashlib.sha256(record.path.read_bytes()).hexdigest()
