"""Sets on disk: the same bytes however they are made, and nothing lost or half-written."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opticflow.errors import DatasetError, InputError
from opticflow.scenes import generation
from opticflow.scenes.generation import MANIFEST, Order, estimate_size, generate
from opticflow.scenes.textures import TexturePool


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> dict[str, str]:
    """A user's picture and object, so that no process has to make its own."""
    import cv2
    import numpy as np

    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for name, channels in (("pictures", 3), ("objects", 4)):
        (root / name).mkdir()
        for number in range(3):
            cv2.imwrite(str(root / name / f"{number}.png"), rng.integers(0, 256, (60, 70, channels)).astype(np.uint8))
    return {"backgrounds": str(root / "pictures"), "objects": str(root / "objects")}


def digests(root: Path) -> dict[str, str]:
    """The SHA-256 of every file, by its path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_bytes_from_one_and_two_jobs_and_twice(material, tmp_path):
    order = Order("chairs", 5, 96, 128, **material)
    seen = []
    generate(order, tmp_path / "one", 5, progress=lambda done, total: seen.append((done, total)))
    generate(order, tmp_path / "again", 5)
    generate(order, tmp_path / "two", 5, jobs=2)
    one = digests(tmp_path / "one")
    assert len(one) == 5 * 5 + 2
    assert one == digests(tmp_path / "again") == digests(tmp_path / "two")
    assert seen == [(n, 5) for n in range(6)]


def test_more_items_leave_the_first_as_they_are(material, tmp_path):
    order = Order("chairs-sdhom", 1, 64, 96, **material)
    generate(order, tmp_path / "set", 2)
    before = digests(tmp_path / "set")
    generate(order, tmp_path / "set", 4, resume=True)
    after = digests(tmp_path / "set")
    assert before.items() < after.items()


def test_killed_run_is_completed_to_the_same_set(material, tmp_path):
    order = Order("chairs", 2, 96, 128, **material)
    code = (
        "from pathlib import Path; from opticflow.scenes.generation import Order, generate\n"
        f"if __name__ == '__main__': generate({order!r}, Path({str(tmp_path / 'killed')!r}), 40, jobs=2)"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    data, deadline = tmp_path / "killed" / "data", time.monotonic() + 120
    while len(list(data.glob("*_flow.flo"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(data.glob("*_flow.flo")))
    assert 4 <= done < 40
    (data / ".00039_flow.flo.0123456789abcdef.part").write_bytes(b"half")  # what a kill in mid-write leaves
    plan = generate(order, tmp_path / "killed", 40, resume=True)
    assert len(plan.missing) == 40 - done
    generate(order, tmp_path / "whole", 40)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


def test_worker_that_fails_says_why(material, tmp_path):
    broken = tmp_path / "objects"
    broken.mkdir()
    for number in range(3):
        (broken / f"{number}.png").write_bytes(b"no picture")
    order = Order("chairs", 0, 96, 128, backgrounds=material["backgrounds"], objects=str(broken))
    with pytest.raises(DatasetError, match="cannot read the picture"):
        generate(order, tmp_path / "set", 4, jobs=2)


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"seed": 6}, "seed"), ({"width": 96}, "width"), ({"kind": "mixed"}, "kind"), ({"objects": None}, "objects")],
)
def test_another_set_in_the_same_folder_is_refused(material, tmp_path, changed, word):
    from dataclasses import replace

    order = Order("chairs", 5, 96, 128, **material)
    generate(order, tmp_path, 1)
    before = digests(tmp_path)
    with pytest.raises(InputError, match=f"holds a set with {word}"):
        generate(replace(order, **changed), tmp_path, 2, resume=True)
    with pytest.raises(InputError, match="add --resume"):
        generate(order, tmp_path, 2)
    assert digests(tmp_path) == before


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        estimate_size(Order("chairs", 0, 96, 128), tmp_path, 1, resume=True)
    with pytest.raises(InputError, match="is a file"):
        estimate_size(Order("chairs", 0, 96, 128), tmp_path / "notes.txt", 1, resume=False)


@pytest.mark.parametrize("record", ["", "null", "[1]", "Infinity", "[" * 100_000, '{"kind": 7}', "\udcff"])
def test_a_damaged_record_is_named(tmp_path, record):
    (tmp_path / MANIFEST).write_bytes(record.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"generation\.json is damaged|holds a set with kind 7"):
        estimate_size(Order("chairs", 0, 96, 128), tmp_path, 1, resume=True)


def test_full_disk_is_foreseen(tmp_path, monkeypatch):
    order = Order("chairs", 0, 384, 512)
    plan = estimate_size(order, tmp_path / "set", 10, resume=False)
    assert plan.bytes == pytest.approx(10 * 14 * 384 * 512, rel=0.01)
    usage = type(generation.shutil.disk_usage(tmp_path))(10**9, 7 * 10**8, 3 * 10**8)
    monkeypatch.setattr(generation.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatasetError, match=r"need about 2.8 GB and .* has 300.0 MB free"):
        estimate_size(order, tmp_path / "set", 1000, resume=False)
    assert not (tmp_path / "set").exists()


def test_pool_entries_depend_on_their_number_alone():
    import pickle

    made = []

    def make(rng, number):
        made.append(number)
        return rng.random()

    forwards, backwards = TexturePool(make, 4, [1, 2]), TexturePool(make, 4, [1, 2])
    assert [forwards[n] for n in range(4)] == [backwards[n] for n in reversed(range(4))][::-1]
    assert sorted(made) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert forwards[2] == forwards[2]
    assert len(made) == 8
    assert TexturePool(make, 4, [1, 3])[0] != forwards[0]
    assert pickle.loads(pickle.dumps(TexturePool(max, 3, [0]))).__dict__ == TexturePool(max, 3, [0]).__dict__
