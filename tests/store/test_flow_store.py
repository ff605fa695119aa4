"""Stores of flow: what is written is read, anywhere, by anyone, and damage is noticed."""

import concurrent.futures
import multiprocessing
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import opticflow
from clips import write_clip
from opticflow.errors import FormatError, InputError
from opticflow.store import check_store, compact_store, pack_store
from opticflow.store.segment import SegmentReader
from opticflow.store.writer import SegmentWriter
from pictures import moving
from stores import smooth_flow, sum_of_pair, write_store

PAGE = Path(__file__).parents[2] / "docs" / "flow-store.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return write_store(tmp_path_factory.mktemp("made") / "made.flows", 40, unknown=True)


def whole(path: Path) -> list[np.ndarray]:
    with opticflow.open_store(path) as store:
        return [flow for pair in store for flow in (pair.forward, pair.backward, pair.occluded)]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second, [True] * len(first)))


def test_every_pair_is_read_at_any_place(made):
    store = opticflow.open_store(made)
    assert len(store) == 40 and store.error == Fraction(1, 64) and store.missing == store.left_out == []
    for index in (39, 0, 31, 32, 5, 6, -1):
        pair = store[index]
        wanted, back = smooth_flow(pair.index, unknown=True), smooth_flow(1000 + pair.index)
        assert np.nanmax(np.abs(pair.forward - wanted)) <= 1 / 64 and np.abs(pair.backward - back).max() <= 1 / 64
        np.testing.assert_array_equal(np.isnan(pair.forward), np.isnan(wanted))
        known = np.isfinite(wanted).all(-1)
        hidden = opticflow.occlusion(wanted, back)
        np.testing.assert_array_equal(pair.occluded[known], hidden[known])
        assert pair.time == pytest.approx(pair.index / 25) and pair.name == f"{pair.index:06d}" and not pair.cut
    with pytest.raises(IndexError, match="there is no pair 40"):
        store[40]


def test_stacks_are_u1_v1_u2_v2(made):
    store = opticflow.open_store(made)
    stack = store.stack(30, 4)
    assert stack.shape == (8, 24, 32) and stack.dtype == np.float32 and np.isfinite(stack).all()
    for number in range(4):
        flow = np.nan_to_num(store[30 + number].forward)
        np.testing.assert_array_equal(stack[2 * number : 2 * number + 2], np.moveaxis(flow, -1, 0))
    np.testing.assert_array_equal(store.stack(3, 1, backward=True)[0], store[3].backward[..., 0])
    with pytest.raises(InputError, match="not within the 40 pairs"):
        store.stack(35, 6)


def test_one_frame_is_decoded_for_a_random_read(made, monkeypatch):
    decoded = []
    decode = SegmentReader._decoded
    monkeypatch.setattr(SegmentReader, "_decoded", lambda self, *rest: decoded.append(rest[1]) or decode(self, *rest))
    store = opticflow.open_store(made)
    for index in (17, 3, 38):
        decoded.clear()
        _ = store[index].backward
        assert decoded == [1], "one frame of the backward stream, whose flow is known everywhere"


SCRIPT = re.search(r"```python\n(import json\nfrom glob.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_a_short_script_without_this_package_reads_the_same(made, tmp_path):
    assert SCRIPT is not None and "opticflow" not in SCRIPT[1]
    script = "import sys; sys.modules['opticflow'] = None\n" + SCRIPT[1] + "numpy.savez('read.npz', **streams)\n"
    shutil.copytree(made, tmp_path / "clip.flows")
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    read = np.load(tmp_path / "read.npz")
    store = opticflow.open_store(made)
    np.testing.assert_array_equal(read["forward"], np.stack([store[i].forward for i in range(32)]))
    np.testing.assert_array_equal(read["backward"], np.stack([store[i].backward for i in range(32)]))


def test_opencv_reads_the_forward_flow(made):
    capture = cv2.VideoCapture(str(made / "000000-000031.mkv"), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    store = opticflow.open_store(made)
    for index in range(3):
        values = capture.read()[1].astype(np.float32)
        flow = np.stack([values[:24] - 32768, values[24:] - 32768], -1) / 32
        np.testing.assert_array_equal(flow, store.flow(index, unknown=0.0))


def test_two_writers_give_the_same_bytes(made, tmp_path):
    again = write_store(tmp_path / "again.flows", 40, unknown=True)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in made.iterdir()}


@pytest.mark.parametrize("packed", [False, True])
def test_damage_is_found_and_never_read(tmp_path, packed):
    """Each flipped byte and each truncation is reported with its file and pairs; a read gives the flow or an error."""
    store = write_store(tmp_path / "a.flows", 6, length=3, size=(9, 11), unknown=True)
    wanted = whole(store)
    if packed:
        pack_store(store, tmp_path / "a.flows.mkv")
    path = tmp_path / "a.flows.mkv" if packed else store / "000003-000005.mkv"
    source = path if packed else store
    good, rng = path.read_bytes(), random.Random(0)
    assert check_store(source) == []
    for number in range(250):
        if number < 200:
            place = rng.randrange(len(good))
            path.write_bytes(good[:place] + bytes([good[place] ^ rng.randrange(1, 256)]) + good[place + 1 :])
        else:
            path.write_bytes(good[: rng.randrange(len(good))])
        found = check_store(source)
        try:
            read = whole(source)
        except OpticflowErrors:
            assert found, "what cannot be read is reported"
            read = wanted
        assert same(read, wanted), "nothing wrong is read"
        if not packed:
            assert len(found) == 1 and found[0].file == path.name, "every change of a file is reported"
            assert not found[0].pairs or {*found[0].pairs} <= {3, 4, 5}


OpticflowErrors = (FormatError, InputError)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: (path / "000000-000031.mkv").unlink(), "000000-000031.mkv: is missing; lost: pairs 0 to 31"),
        (lambda path: (path / "store.json").write_text("{"), "store.json.* is damaged"),
        (lambda path: (path / "store.json").write_text((path / "store.json").read_text().replace("made", "mode")),
         "says otherwise than the files of the store: provenance"),
        (lambda path: (path / "000032-000039.mkv").rename(path / "000033-000040.mkv"), "covers other pairs"),
    ],
)  # fmt: skip
def test_what_else_can_be_wrong_with_a_store(made, tmp_path, damage, words):
    path = shutil.copytree(made, tmp_path / "a.flows")
    damage(path)
    assert any(re.search(words, str(found)) for found in check_store(path)), check_store(path)


def test_files_of_two_stores_are_not_mixed(made, tmp_path):
    path = shutil.copytree(made, tmp_path / "a.flows")
    other = write_store(tmp_path / "b.flows", 40, error=Fraction(1, 16))
    shutil.copy(other / "000032-000039.mkv", path)
    with pytest.raises(FormatError, match="of another store"):
        _ = opticflow.open_store(path)[35].forward
    assert any("another store" in damage.what for damage in check_store(path))


def test_a_packed_store_reads_like_its_folder(made, tmp_path):
    pack_store(made, tmp_path / "made.flows.mkv")
    assert same(whole(tmp_path / "made.flows.mkv"), whole(made)) and check_store(tmp_path / "made.flows.mkv") == []
    with pytest.raises(InputError, match=r"called NAME\.flows\.mkv"):
        pack_store(made, tmp_path / "made.mp4")
    shutil.copytree(made, tmp_path / "part.flows")
    (tmp_path / "part.flows" / "000000-000031.mkv").unlink()
    with pytest.raises(InputError, match="missing are pairs 0 to 31"):
        pack_store(tmp_path / "part.flows", tmp_path / "part.flows.mkv")


def test_small_files_are_joined_to_the_bytes_of_large_ones(made, tmp_path):
    small = write_store(tmp_path / "small.flows", 40, length=1, unknown=True)
    before = whole(small)
    assert compact_store(small) == 40 and same(whole(small), before)
    assert {p.name: p.read_bytes() for p in small.iterdir()} == {p.name: p.read_bytes() for p in made.iterdir()}
    assert compact_store(small) == 0


def test_a_joining_that_was_killed_leaves_a_store_that_can_be_read(tmp_path):
    small = write_store(tmp_path / "a.flows", 5, length=2)
    before, copies = whole(small), {path.name: path.read_bytes() for path in small.iterdir()}
    compact_store(small)
    for name in ("000000-000001.mkv", "000004-000004.mkv", "store.json"):  # as if they had not been removed yet
        (small / name).write_bytes(copies[name])
    assert same(whole(small), before)


def test_pairs_without_flow(tmp_path):
    path = tmp_path / "a.flows"
    for first, left_out in ((0, {0, 1}), (2, {3}), (4, set()), (6, {6, 7})):
        writer = SegmentWriter(path, Fraction(1, 64), {})
        for index in (first, first + 1):
            if index in left_out:
                writer.leave_out(index)
            else:
                writer.add(index, f"{index}", index / 25, smooth_flow(index))
        writer.write()
    store = opticflow.open_store(path)
    assert len(store) == 8 and store.left_out == [0, 1, 3, 6, 7] and store.missing == []
    assert [pair.left_out for pair in store] == [index in (0, 1, 3, 6, 7) for index in range(8)]
    assert np.isnan(store[3].forward).all() and store[2].backward is None and not store.stack(0, 2).any()
    with pytest.raises(InputError, match="forward flow alone"):
        store.flow(2, backward=True)
    assert check_store(path) == []
    compact_store(path)
    assert opticflow.open_store(path).left_out == [0, 1, 3, 6, 7] and check_store(path) == []


def test_flow_of_another_size_is_refused(tmp_path):
    writer = SegmentWriter(tmp_path / "a.flows", Fraction(1, 64), {})
    writer.add(0, "0", 0.0, smooth_flow(0))
    with pytest.raises(InputError, match="pair 1 is 30x24 and those before it are 32x24"):
        writer.add(1, "1", 0.04, smooth_flow(0, 24, 30))


@pytest.mark.parametrize("source", ["nothing.flows", "empty.flows", "text.flows.mkv", "clip.mkv is no file of a flow"])
def test_what_is_no_store_is_refused(tmp_path, source):
    (tmp_path / "empty.flows").mkdir()
    write_clip(tmp_path / "clip.mkv", moving(24, 32, 2))
    (tmp_path / "text.flows.mkv").write_text("words")
    with pytest.raises(FormatError, match=source):
        opticflow.open_store(tmp_path / source.split()[0])


def test_a_store_at_an_address(made):
    system = fsspec.filesystem("memory")
    system.put(str(made), "/bucket/made.flows", recursive=True)
    store = opticflow.open_store("memory://bucket/made.flows")
    assert len(store) == 40 and same([pair.forward for pair in store], [p.forward for p in opticflow.open_store(made)])
    with pytest.raises(FormatError, match="there is no flow store"):
        opticflow.open_store("memory://bucket/other.flows")
    with pytest.raises(InputError, match="cannot be opened"):
        opticflow.open_store("nosuchthing://bucket/other.flows")


@pytest.mark.parametrize("method", ["fork", "spawn"] if hasattr(os, "fork") else ["spawn"])
def test_processes_share_a_store(made, method):
    store = opticflow.open_store(made)
    wanted = [float(np.nansum(store[index].forward)) for index in range(4)]
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as workers:
        found = list(workers.map(sum_of_pair, [store] * 4, range(4), timeout=60))
    assert found == wanted and float(np.nansum(store[0].forward)) == wanted[0]
    assert len(pickle.loads(pickle.dumps(store))) == 40


def test_stacks_for_two_stream_networks(made, tmp_path):
    short = write_store(tmp_path / "short.flows", 12)
    dense = opticflow.FlowStacks([made, short], length=10, sampling="dense")
    assert len(dense) == 31 + 3
    store = opticflow.open_store(made)
    for item, (start, clip) in {0: (0, 0), 30: (30, 0), 31: (0, 1), -1: (2, 1)}.items():
        stack, index = dense[item]
        wanted = store if clip == 0 else opticflow.open_store(short)
        assert index == clip and torch.equal(stack, torch.from_numpy(wanted.stack(start, 10)))
    torch.manual_seed(0)
    picked = opticflow.FlowStacks([made, short], length=10, transform=lambda stack: stack[:, :8, :8] / 20)
    batches = list(DataLoader(picked, batch_size=2, num_workers=2))
    assert len(batches) == 1 and batches[0][0].shape == (2, 20, 8, 8) and batches[0][1].tolist() == [0, 1]
    with pytest.raises(InputError, match="wanted at least 13"):
        opticflow.FlowStacks([short], length=13)


def test_files_that_another_process_joins_are_found_again(tmp_path):
    small = write_store(tmp_path / "a.flows", 6, length=1)
    store = opticflow.open_store(small)
    wanted = [pair.forward for pair in opticflow.open_store(small)]
    _ = store[2].forward
    compact_store(small)
    np.testing.assert_array_equal([pair.forward for pair in store], wanted)
