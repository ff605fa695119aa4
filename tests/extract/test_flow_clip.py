"""Flow on demand: each pair is estimated once, whoever asks for it."""

import multiprocessing
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import opticflow
from clips import write_clip
from counting import CountingFlowClip
from opticflow.errors import InputError, VideoError
from opticflow.extract import ClipOptions, run_clip
from opticflow.io.video import open_clip
from opticflow.store import check_store, compact_store
from pictures import moving


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", moving(40, 56, 101, dx=1, dy=0))


@pytest.fixture(scope="module")
def eager(clip, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("eager") / "clip.flows"
    options = ClipOptions(saves=("store",), backward=True)
    record = {"model": "DIS", **opticflow.Settings().resolved({}).record(), "iterations": None}
    run_clip(open_clip(clip), opticflow.load("DIS"), folder, options, settings=record)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "opticflow.json"}


def test_each_pair_is_estimated_once(clip, tmp_path):
    flows = CountingFlowClip(clip, "DIS", store=tmp_path / "a.flows", backward=True)
    asked = np.random.default_rng(0).choice(100, 30, replace=False)
    first = [flows[int(index)].forward for index in asked]
    assert sorted(flows.estimated) == sorted(asked) and len(flows) == 100
    again = CountingFlowClip(clip, "DIS", store=tmp_path / "a.flows", backward=True)
    np.testing.assert_array_equal(first, [again[int(index)].forward for index in asked])
    assert again.estimated == []


def test_a_store_that_is_filled_on_demand_becomes_that_of_a_run(clip, eager, tmp_path):
    flows = opticflow.FlowClip(clip, "DIS", store=tmp_path / "a.flows", backward=True)
    assert repr(flows).startswith("FlowClip('clip', 'DIS', store=")
    store = opticflow.open_store(eager)
    np.testing.assert_array_equal(flows.stack(60, 10), store.stack(60, 10))
    np.testing.assert_array_equal(flows[65].occluded, store[65].occluded)
    for start in range(0, 100, 10):
        flows.stack(start, 10)
    assert check_store(tmp_path / "a.flows") == []
    compact_store(tmp_path / "a.flows")
    assert contents(tmp_path / "a.flows") == contents(eager)


@pytest.mark.parametrize("method", ["fork", "spawn"] if hasattr(os, "fork") else ["spawn"])
def test_workers_of_a_data_loader_share_the_work(clip, eager, tmp_path, method):
    flows = CountingFlowClip(clip, "DIS", store=tmp_path / "a.flows", backward=True, end=31, log=tmp_path / "log")
    stacks = opticflow.FlowStacks([flows], length=5, sampling="dense")
    loader = DataLoader(stacks, batch_size=2, num_workers=2, multiprocessing_context=method)
    found = torch.cat([stack for stack, _ in loader])
    store = opticflow.open_store(eager)
    wanted = np.stack([store.stack(start, 5) for start in range(26)])
    np.testing.assert_array_equal(found, wanted)
    estimated = sorted(map(int, (tmp_path / "log").read_text().split()))
    assert estimated == list(range(30)), "no pair is estimated twice"
    assert check_store(tmp_path / "a.flows") == []


def test_other_flow_is_not_mixed_in(clip, tmp_path):
    store = tmp_path / "a.flows"
    _ = opticflow.FlowClip(clip, "DIS", store=store)[3].forward
    for other in ({"scale": 0.5}, {"step": 2}, {"error": "1/16"}, {"backward": True}, {"model": "Farneback"}):
        with pytest.raises(InputError, match="holds other flow"):
            opticflow.FlowClip(clip, other.pop("model", "DIS"), store=store, **other)
    shutil.copy(clip, tmp_path / "clip.mp4")
    with (tmp_path / "clip.mp4").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="source was"):
        opticflow.FlowClip(tmp_path / "clip.mp4", "DIS", store=store)


def test_broken_frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, frame in enumerate(moving(40, 56, 6)):
        cv2.imwrite(str(folder / f"{index}.png"), frame[..., ::-1])
    (folder / "3.png").write_bytes(b"broken")
    with pytest.raises(VideoError, match=r"frame 3 \(3\.png\) cannot be read"):
        _ = opticflow.FlowClip(folder, "DIS", store=tmp_path / "a.flows")[2].forward
    flows = opticflow.FlowClip(folder, "DIS", store=tmp_path / "b.flows", skip_broken=True)
    assert [pair.left_out for pair in flows] == [False, False, True, True, False]


def test_separate_pairs_and_a_list_of_pictures(tmp_path):
    frames = moving(40, 56, 7)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{index}.png"), frame[..., ::-1])
    paths = [tmp_path / f"{index}.png" for index in range(7)]
    flows = opticflow.FlowClip(paths, "DIS", store=tmp_path / "a.flows", pairs="separate")
    estimator = opticflow.load("DIS")
    assert len(flows) == 3
    for index in (2, 0):
        wanted = estimator(frames[2 * index], frames[2 * index + 1])
        assert np.abs(flows[index].forward - wanted).max() <= 1 / 64


def test_a_killed_worker_leaves_a_store_that_goes_on(clip, tmp_path):
    store = tmp_path / "a.flows"
    context = multiprocessing.get_context("spawn")
    flows = CountingFlowClip(clip, "DIS", store=store)
    worker = context.Process(target=flows.endless)
    worker.start()
    while not list(store.glob("*.mkv")):
        worker.join(0.01)
        assert worker.is_alive()
    worker.kill()
    worker.join()
    assert not [damage for damage in check_store(store) if damage.pairs]
    flows.stack(0, 20)
    found = opticflow.open_store(store)
    assert found.missing == [] and len(found) >= 20
