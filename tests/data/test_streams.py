"""The training stream: the same samples however the work is shared and wherever it begins."""

import os
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch

from opticflow.data import slots
from opticflow.data.augmentation import PRESETS, Crop
from opticflow.data.augmentation.presets import Augmentation
from opticflow.data.batches import to_device
from opticflow.data.streams import Source, TrainingStream
from opticflow.errors import DatasetError, InputError
from waves import Waves


def stream(**changes) -> TrainingStream:
    sources = [
        Source("a", Waves(7), PRESETS["raft-chairs"], share=2),
        Source("b", Waves(5), PRESETS["flownet2"], share=1),
    ]
    settings = {"sources": sources, "crop": (24, 32), "batch_size": 4, "seed": 5, "workers": 0}
    return TrainingStream(**{**settings, **changes})


def equal(one, other) -> bool:
    tensors = ("first", "second", "flow", "valid")
    return one.names == other.names and all(torch.equal(getattr(one, name), getattr(other, name)) for name in tensors)


def test_a_batch_is_what_networks_take():
    batch = next(stream().batches())
    assert batch.first.shape == batch.second.shape == (4, 3, 24, 32)
    assert batch.first.dtype == torch.float32 and 0 <= batch.first.min() and 0.5 < batch.first.max() <= 1
    assert batch.first.is_contiguous(memory_format=torch.channels_last)
    assert batch.flow.shape == (4, 2, 24, 32) and batch.valid.dtype == torch.bool
    sample = stream()[2]
    assert batch.names[2] == sample.name
    assert torch.equal(batch.flow[2], torch.from_numpy(sample.flow).permute(2, 0, 1))
    assert torch.allclose(batch.first[2], torch.from_numpy(sample.first).permute(2, 0, 1) / 255)


def test_it_goes_on_where_it_was_left():
    whole = list(islice(stream().batches(), 6))
    resumed = list(islice(stream().batches(start=12), 3))
    assert all(equal(one, other) for one, other in zip(whole[3:], resumed, strict=True))
    assert not equal(whole[0], whole[1])
    assert not equal(whole[0], next(stream(seed=6).batches()))


def test_global_random_numbers_are_left_alone():
    before = torch.get_rng_state()
    next(stream().batches())
    assert torch.equal(torch.get_rng_state(), before)


def test_two_processes_see_what_one_with_the_doubled_batch_sees():
    for start in (0, 8):
        alone = next(stream(batch_size=8).batches(start))
        shared = [next(stream(rank=rank, world_size=2).batches(start)) for rank in (0, 1)]
        for rank, batch in enumerate(shared):
            assert batch.names == alone.names[rank::2]
            assert torch.equal(batch.first, alone.first[rank::2])
    with pytest.raises(InputError, match="begins at sample 3; wanted a multiple of 2"):
        next(stream(world_size=2).batches(3))


def test_workers_change_nothing():
    alone = list(islice(stream().batches(8), 3))
    for_two = stream(workers=2).batches(8)
    assert all(equal(one, other) for one, other in zip(alone, islice(for_two, 3), strict=True))
    for_two.close()


@pytest.mark.parametrize(("free", "ahead"), [(10**9, 2), (180_000, 1), (100_000, 0)])
def test_raw_batches_are_the_same_in_shared_memory_where_there_is_room(monkeypatch, free, ahead):
    """A batch takes 46,080 bytes, and two slots are for reading."""
    monkeypatch.setattr(slots.shutil, "disk_usage", lambda _: type("", (), {"free": free}))
    assert slots.batches_ahead(2, 1, 4 * 24 * 32) == ahead
    alone, threads = list(islice(stream().batches(8), 12)), threading.active_count()
    raw = stream(workers=1, prefetch=2).raw_batches(8)
    taken = list(islice(raw, 12))
    assert threading.active_count() > threads
    raw.close()
    until = time.monotonic() + 20  # queues of the loader end theirs a little later
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == threads
    assert all(equal(one, to_device(other, "cpu")) for one, other in zip(alone, taken, strict=True))


def test_without_workers_raw_batches_are_made_when_they_are_asked_for():
    threads = threading.active_count()
    alone, taken = (list(islice(batches, 2)) for batches in (stream().batches(), stream().raw_batches()))
    assert threading.active_count() == threads
    on_device = [to_device(batch, "cpu") for batch in taken]
    assert all(map(equal, alone, on_device))
    assert on_device[0].first.is_contiguous(memory_format=torch.channels_last)
    assert equal(to_device(alone[0], "cpu"), alone[0])


def test_sources_are_mixed_by_their_shares_and_epochs_are_whole():
    names = [stream()[number].name for number in range(60)]
    from_a = [name for name in names if name.startswith("a ")]
    assert 30 < len(from_a) < 50
    assert sorted(from_a[:7]) == [f"a waves/{index}" for index in range(7)]


def test_the_augmentation_s_schedule_counts_steps_of_all_processes_together():
    told = []

    class Watched(Augmentation):
        def apply(self, sample, rng, crop, *, after: float = 0):
            told.append(after)
            return super().apply(sample, rng, crop, after=after)

    sources = [Source("a", Waves(7), Watched("a test", Crop()))]
    one, shared = stream(sources=sources), stream(sources=sources, batch_size=2, world_size=2, begun=100, pace=10)
    for number in (0, 3, 4, 11):
        assert one[number].flow.shape == shared[number].flow.shape
    assert told == [0, 100, 0, 100, 1, 110, 2, 120]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_sample_is_named(workers):
    bad = [Source("chairs", Waves(3, bad=(0, 1, 2)), PRESETS["none"])]
    with pytest.raises(DatasetError, match=r"^sample 0 of the training, chairs waves/\d: its flow is NaN") as caught:
        next(stream(sources=bad, workers=workers).batches())
    with pytest.raises(DatasetError, match=str(caught.value)):
        next(stream(sources=bad, workers=workers).raw_batches())
    assert "\n" not in str(caught.value)


def test_a_sample_that_cannot_be_read_is_named():
    class Broken(Waves):
        def __getitem__(self, index):
            raise OSError("the disk is gone")

    with pytest.raises(DatasetError, match=r"sample 0 of the training, things \d: the disk is gone"):
        next(stream(sources=[Source("things", Broken(9), PRESETS["none"])]).batches())


ORPHAN = """
import os, psutil, signal, sys
from test_streams import stream
if __name__ == "__main__":
    next(stream(workers=1).batches(0))
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    signal.pause()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_workers_end_with_a_process_that_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(ORPHAN)
    paths = [str(Path(__file__).parent), *sys.path]
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert process.stdout is not None
    workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    assert workers and psutil.wait_procs(workers, timeout=30)[1] == []


@pytest.mark.parametrize("guarded", [True, False])
def test_a_script_without_a_guard_is_told_of_it(tmp_path, guarded):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
from test_streams import stream
if __name__ == "__main__" or {not guarded}:
    next(stream(workers=1).batches())
    print("begun")
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode == 0, "begun" in done.stdout) == (guarded, guarded), done.stderr
    assert guarded or 'outside of `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
