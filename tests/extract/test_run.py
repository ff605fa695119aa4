"""Whole clips: what is written, and going on after an interruption."""

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import opticflow
from clips import write_clip
from opticflow.errors import FormatError, InputError, OpticflowError, VideoError
from opticflow.estimator import Estimator
from opticflow.extract import OUTPUTS, ClipOptions, run, run_clip, run_clip_to_video
from opticflow.extract import options as options_module
from opticflow.extract.pairs import segments
from opticflow.io.video import open_clip
from opticflow.models import build
from pictures import moving


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("frames")
    for i, frame in enumerate(moving(48, 64, 13, dx=2, dy=1)):
        cv2.imwrite(str(path / f"frame_{i}.png"), frame[..., ::-1])
    return path


def go(source: Path, target: Path, estimator: Estimator | None = None, *, resume=False, overwrite=False, **options):
    estimator, how = estimator or opticflow.load("DIS"), {"resume": resume, "overwrite": overwrite}
    return run_clip(open_clip(source), estimator, target, ClipOptions(**options), settings={"model": "DIS"}, **how)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_folder_of_frames_gives_every_kind_of_file(folder, tmp_path):
    saves = ("flo", "kitti", "pfm", "npz", "color", "video")
    report = go(folder, tmp_path / "out", saves=saves, backward=True)
    assert report.pairs == report.computed == 12 and report.cuts == []
    for name, motion in [("flo/frame_11.flo", (2, 1)), ("flo-backward/frame_0.flo", (-2, -1))]:
        flow = opticflow.read_flow(tmp_path / "out" / name)
        np.testing.assert_allclose(np.median(flow, (0, 1)), motion, atol=0.1)
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_dir()} == {
        f"{save}{direction}" for save in saves if save != "video" for direction in ("", "-backward")
    } | {"occlusion"}
    for name in ("flow.mp4", "flow-backward.mp4"):
        assert sum(1 for _ in opticflow.read_video(tmp_path / "out" / name)) == 12
    assert cv2.imread(str(tmp_path / "out" / "occlusion" / "frame_3.png"), 0).shape == (48, 64)


class Interrupted(Exception):
    pass


def dies_after(pairs: int) -> Estimator:
    """An Estimator that stops like a killed process: nothing after it runs."""
    network = build("DIS")
    left, match = [pairs], network.match

    def limited(first, *args, **kwargs):
        left[0] -= len(first["grey"])
        if left[0] < 0:
            raise Interrupted
        return match(first, *args, **kwargs)

    network.match = limited  # type: ignore[method-assign]
    return Estimator(network)


@pytest.mark.parametrize(
    "options",
    [
        {"saves": ("flo",)},
        {"saves": ("video", "flo")},
        {"saves": ("flo",), "batch": 3},
        {"saves": ("store",), "backward": True},
        {"saves": ("store", "flo", "overlay-video"), "batch": 3},
    ],
)
@pytest.mark.parametrize("stop", [0, 2, 7])
def test_a_resumed_run_equals_an_uninterrupted_one(folder, tmp_path, monkeypatch, options, stop):
    monkeypatch.setattr(options_module, "SEGMENT", 5)
    whole = go(folder, tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "resumed", dies_after(stop), **options)
    written = {p: p.stat().st_mtime_ns for kind in ("*.flo", "*.mkv") for p in (tmp_path / "resumed").rglob(kind)}
    report = go(folder, tmp_path / "resumed", resume=True, **options)
    assert contents(tmp_path / "whole") == contents(tmp_path / "resumed")
    assert all(path.stat().st_mtime_ns == time for path, time in written.items()), "complete files stay as they are"
    assert report.pairs == whole.pairs
    estimates = 2 if options.get("backward") else 1  # of each pair
    assert report.computed <= whole.computed - (stop // estimates // 5 * 5)


def test_a_run_killed_at_the_end_of_a_piece_loses_none_of_it(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(options_module, "SEGMENT", 5)
    go(folder, tmp_path / "whole")
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "killed", dies_after(5))
    go(folder, tmp_path / "killed", resume=True)
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")
    assert sum(1 for _ in opticflow.read_video(tmp_path / "killed" / "flow.mp4")) == 12


@pytest.mark.parametrize("missing", ["flo/frame_3.flo", "flow.mp4", "flows/000005-000009.mkv", "flows/store.json"])
def test_missing_files_are_made_again(folder, tmp_path, monkeypatch, missing):
    monkeypatch.setattr(options_module, "SEGMENT", 5)
    go(folder, tmp_path / "out", saves=("flo", "video", "store"))
    before = contents(tmp_path / "out")
    (tmp_path / "out" / missing).unlink()
    go(folder, tmp_path / "out", saves=("flo", "video", "store"), resume=True)
    assert contents(tmp_path / "out") == before


def test_a_damaged_file_of_a_store_is_made_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(options_module, "SEGMENT", 5)
    go(folder, tmp_path / "out.flows", saves=("store",))
    before = contents(tmp_path / "out.flows")
    path = tmp_path / "out.flows" / "000005-000009.mkv"
    path.write_bytes(path.read_bytes()[:-100])
    assert go(folder, tmp_path / "out.flows", saves=("store",), resume=True).computed == 7
    assert contents(tmp_path / "out.flows") == before


def test_every_output_of_the_table_is_written(folder, tmp_path):
    go(folder, tmp_path / "out", saves=tuple(OUTPUTS), backward=True, end=4)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    files = {name for name, output in OUTPUTS.items() if not output.in_pieces}
    videos = {"flow", "arrows", "overlay", "magnitude", "side-by-side"}
    assert written == {
        *(name + direction for name in files for direction in ("", "-backward")),
        *(f"{name}{direction}.mp4" for name in videos for direction in ("", "-backward")),
        "flows",
        "occlusion",
        "opticflow.json",
    }
    frame = next(opticflow.read_video(tmp_path / "out" / "side-by-side.mp4"))
    assert frame.shape == (48, 128, 3)
    np.testing.assert_allclose(frame[:, :64].astype(int), opticflow.read_image(folder / "frame_0.png"), atol=60)


def test_other_frames_or_weights_are_not_resumed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "frames")
    go(tmp_path / "frames", tmp_path / "out", saves=("flo",))
    shutil.copy(folder / "frame_5.png", tmp_path / "frames" / "frame_6.png")
    with pytest.raises(InputError, match="other frames"):
        go(tmp_path / "frames", tmp_path / "out", saves=("flo",), resume=True)
    shutil.rmtree(tmp_path / "frames")
    (tmp_path / "frames").mkdir()
    shutil.copy(folder / "frame_5.png", tmp_path / "frames")
    with pytest.raises(InputError, match="other frames"):
        go(tmp_path / "frames", tmp_path / "out", saves=("flo",), resume=True)


def test_a_second_run_must_say_what_becomes_of_the_first(folder, tmp_path):
    go(folder, tmp_path / "out", saves=("flo", "npz"), backward=True)
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"holds a run already; add --resume .* or --overwrite"):
        go(folder, tmp_path / "out", saves=("flo",), end=4)
    (tmp_path / "out" / "flo" / "ground_truth.flo").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"ground_truth\.flo is not of the run"):
        go(folder, tmp_path / "out", saves=("flo",), end=4, overwrite=True)
    (tmp_path / "out" / "flo" / "ground_truth.flo").unlink()
    assert contents(tmp_path) == before
    go(folder, tmp_path / "out", saves=("flo",), end=4, overwrite=True)
    go(folder, tmp_path / "alone", saves=("flo",), end=4)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


@pytest.mark.parametrize(
    "mine", ["flow.mp4", "flo/000000.flo", "flo/my_edit.flo", ".parts/notes.txt", "flows/000000-000031.mkv"]
)
def test_what_no_run_has_written_is_in_the_way(folder, tmp_path, mine):
    path = tmp_path / "out" / mine
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError, match="is there already, and no run"):
            go(folder, tmp_path / "out", saves=("flo", "video", "store"), **how)
    assert contents(tmp_path) == {f"out/{mine}": b"mine"}


def test_files_beside_those_of_a_run_stay(folder, tmp_path):
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "out", dies_after(3), saves=("flo", "video"))
    mine = [tmp_path / "out" / name for name in ("notes.txt", "flo/my_edit.flo", ".parts/x.mp4", "flo/frame_9.flo")]
    for path in mine:
        path.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"frame_9\.flo is there already and is not of this run"):
        go(folder, tmp_path / "out", saves=("flo", "video"), resume=True)
    mine.pop().unlink()
    go(folder, tmp_path / "out", saves=("flo", "video"), resume=True)
    assert all(path.read_bytes() == b"mine" for path in mine)


def test_a_hidden_folder_of_the_user_stays(folder, tmp_path):
    (tmp_path / ".a.opticflow").mkdir()
    (tmp_path / ".a.opticflow" / "notes.txt").write_text("mine")
    arguments = opticflow.load("DIS"), tmp_path / "a.mp4", ClipOptions()
    run_clip_to_video(open_clip(folder), *arguments, settings={})
    assert (tmp_path / "a.mp4").exists() and [path.name for path in (tmp_path / ".a.opticflow").iterdir()] == [
        "notes.txt"
    ]


def test_two_runs_do_not_share_a_folder(folder, tmp_path):
    class Second:
        def __call__(self, done, total):
            if done == 2:
                with pytest.raises(InputError, match="another run is writing to"):
                    go(folder, tmp_path / "out", saves=("flo",), resume=True)

    how = {"settings": {"model": "DIS"}, "progress": Second()}
    run_clip(open_clip(folder), opticflow.load("DIS"), tmp_path / "out", ClipOptions(saves=("flo",)), **how)
    assert len(list((tmp_path / "out" / "flo").iterdir())) == 12


def test_what_a_killed_run_was_writing_goes(folder, tmp_path):
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "out", dies_after(3), saves=("flo",))
    (tmp_path / "out" / "flo" / ".frame_3.flo.0123456789abcdef.part").write_bytes(b"half")
    go(folder, tmp_path / "out", saves=("flo",), resume=True)
    go(folder, tmp_path / "whole", saves=("flo",))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "record",
    ["", "null", "[]", "{", '{"settings": [[1, 2]]}', "[" * 100_000, b"\xff\xfe", {"pairs_done": 10**12},
     {"pairs_done": float("inf")}, {"pairs_done": -1}, {"pairs_done": "3"}, {"settings": [[1, 2]]}, {"begins": "now"},
     {"begins": 10**400}, {"left_out": [[1]]}, {"cuts": ["1"]}, {"written": 1e9}],
)  # fmt: skip
def test_a_damaged_record_is_one_line(folder, tmp_path, record):
    go(folder, tmp_path / "out", saves=("video",), end=4)
    path = tmp_path / "out" / "opticflow.json"
    if isinstance(record, dict):
        record = json.dumps({**json.loads(path.read_text()), **record})
    path.write_bytes(record if isinstance(record, bytes) else record.encode())
    for how in ("resume", "overwrite"):
        with pytest.raises(InputError, match=r"opticflow\.json is damaged"):
            go(folder, tmp_path / "out", saves=("video",), end=4, **{how: True})


def test_a_record_cannot_lead_elsewhere(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    for i in range(3):
        shutil.copy(folder / "frame_0.png", tmp_path / "mine" / f"frame_{i}.png")
    go(folder, tmp_path / "out", saves=("flo",), end=4)
    path, before = tmp_path / "out" / "opticflow.json", contents(tmp_path)
    record = json.loads(path.read_text())
    changes = [
        {"saves": ["../mine"]},
        {"saves": [["flo"]]},
        {"saves": 3},
        {"start": 0.5},
        {"start": "0"},
        {"step": None},
    ]
    for change in changes:
        path.write_text(json.dumps({**record, "settings": {**record["settings"], **change}}))
        with pytest.raises(InputError, match=r"opticflow\.json is damaged"):
            go(folder, tmp_path / "out", saves=("flo",), end=4, overwrite=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("saves", [("flo",), ("flo", "video"), ("flo", "store")])
def test_a_resumed_run_that_is_killed_at_once_can_go_on(folder, tmp_path, saves):
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "out", dies_after(7), saves=saves)
    for _ in range(2):
        with pytest.raises(Interrupted):
            go(folder, tmp_path / "out", dies_after(0), saves=saves, resume=True)
    (tmp_path / "out" / ".opticflow.json.0123456789abcdef.part").write_bytes(b"half")
    go(folder, tmp_path / "out", saves=saves, resume=True)
    go(folder, tmp_path / "whole", saves=saves)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_the_video_begins_at_once_wherever_in_the_clip(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(options_module, "SEGMENT", 3)
    go(folder, tmp_path / "whole", start=4)
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "out", dies_after(4), start=4)
    go(folder, tmp_path / "out", start=4, resume=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    times = [frame.time for frame in open_clip(tmp_path / "out" / "flow.mp4").frames()]
    np.testing.assert_allclose(times, np.arange(8) / 25, atol=1e-3)


def test_names_that_are_no_text(folder, tmp_path):
    name = os.fsdecode(b"c\xff")
    shutil.copytree(folder, tmp_path / name)
    (tmp_path / name / "frame_0.png").rename(tmp_path / name / os.fsdecode(b"frame_0\xff.png"))
    assert go(tmp_path / name, tmp_path / f"{name}-flow", saves=("flo", "video")).pairs == 12
    assert go(tmp_path / name, tmp_path / f"{name}-flow", saves=("flo", "video"), resume=True).computed == 0


def test_what_is_read_is_never_written_to(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "scan" / "color")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="is read"):
        go(tmp_path / "scan" / "color", tmp_path / "scan", saves=("color",))
    assert contents(tmp_path) == before
    with pytest.raises(InputError, match="called like a file"):
        go(folder, tmp_path / "flow.flo")


def test_a_complete_run_is_not_repeated(folder, tmp_path):
    go(folder, tmp_path / "out", saves=("flo",))
    assert go(folder, tmp_path / "out", dies_after(0), saves=("flo",), resume=True).computed == 0


def test_resuming_with_other_options_is_refused(folder, tmp_path):
    go(folder, tmp_path / "out", saves=("flo",))
    with pytest.raises(InputError, match="step was 1 and is 2"):
        go(folder, tmp_path / "out", saves=("flo",), step=2, resume=True)
    (tmp_path / "out" / "opticflow.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        go(folder, tmp_path / "out", saves=("flo",), resume=True)


def test_what_comes_before_a_broken_frame_is_kept(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "frames")
    (tmp_path / "frames" / "frame_6.png").write_bytes(b"broken")
    with pytest.raises(VideoError, match=r"frame 6 .*; the 5 flows before it are kept"):
        go(tmp_path / "frames", tmp_path / "out", saves=("flo", "video", "store"), batch=4)
    assert len(opticflow.open_store(tmp_path / "out" / "flows")) == 5
    assert len(list((tmp_path / "out" / "flo").iterdir())) == 5
    assert sum(1 for _ in opticflow.read_video(tmp_path / "out" / "flow.mp4")) == 5
    shutil.copy(folder / "frame_6.png", tmp_path / "frames")
    go(tmp_path / "frames", tmp_path / "out", saves=("flo", "video", "store"), batch=4, resume=True)
    shutil.copytree(tmp_path / "frames", tmp_path / "same" / "frames")
    go(tmp_path / "same" / "frames", tmp_path / "whole", saves=("flo", "video", "store"), batch=4)
    ours, whole = contents(tmp_path / "out"), contents(tmp_path / "whole")
    assert ours.keys() == whole.keys() and all(ours[k] == whole[k] for k in whole if k != "opticflow.json")


def test_the_video_before_a_broken_frame_stays_of_its_run(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "frames")
    (tmp_path / "frames" / "frame_6.png").write_bytes(b"broken")
    with pytest.raises(VideoError, match="the 5 flows before it are kept"):
        go(tmp_path / "frames", tmp_path / "out")
    with pytest.raises(Interrupted):
        go(tmp_path / "frames", tmp_path / "out", dies_after(2), resume=True)
    shutil.copy(folder / "frame_6.png", tmp_path / "frames")
    assert go(tmp_path / "frames", tmp_path / "out", resume=True).pairs == 12


def left_out(broken: list[int]) -> list[int]:
    return [pair for pair in range(12) if {pair, pair + 1} & {*broken}]


@pytest.mark.parametrize("broken", [[6], [0], [12], [5, 6, 8], [2, 3, 4, 5, 6, 7, 8]])
def test_pairs_of_broken_frames_can_be_left_out(folder, tmp_path, monkeypatch, broken):
    monkeypatch.setattr(options_module, "SEGMENT", 3)
    shutil.copytree(folder, tmp_path / "frames")
    for index in broken:
        (tmp_path / "frames" / f"frame_{index}.png").write_bytes(b"broken")
    options = {"saves": ("flo", "video", "store"), "skip_broken": True}
    report = go(tmp_path / "frames", tmp_path / "out", **options)
    store = opticflow.open_store(tmp_path / "out" / "flows")
    assert [pair.index for pair in store if pair.left_out] == left_out(broken) and len(store) == 12
    go(folder, tmp_path / "whole", saves=("flo", "video"))
    assert report.pairs == 12 and report.left_out == left_out(broken)
    ours, whole = contents(tmp_path / "out" / "flo"), contents(tmp_path / "whole" / "flo")
    assert ours == {name: flow for name, flow in whole.items() if int(name[6:-4]) not in left_out(broken)}
    times = [round(25 * frame.time) for frame in open_clip(tmp_path / "out" / "flow.mp4").frames()]
    there = [pair for pair in range(12) if pair not in left_out(broken)]
    assert times == [pair - there[0] for pair in there]
    assert go(tmp_path / "frames", tmp_path / "out", resume=True, **options).computed == 0


def test_a_run_that_a_broken_frame_ended_can_go_on_without_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "frames")
    (tmp_path / "frames" / "frame_6.png").write_bytes(b"broken")
    with pytest.raises(VideoError, match="frame 6"):
        go(tmp_path / "frames", tmp_path / "out", saves=("flo",))
    report = go(tmp_path / "frames", tmp_path / "out", saves=("flo",), resume=True, skip_broken=True)
    assert report.left_out == [5, 6] and len(list((tmp_path / "out" / "flo").iterdir())) == 10


@pytest.mark.parametrize("stop", [0, 2, 4])
def test_separate_pairs(folder, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(options_module, "SEGMENT", 3)
    options = {"saves": ("flo", "video"), "pairs": "separate"}
    report = go(folder, tmp_path / "out", **options)
    assert report.pairs == 6, "the thirteenth frame has no partner"
    go(folder, tmp_path / "whole", saves=("flo",))
    whole = contents(tmp_path / "whole" / "flo")
    assert contents(tmp_path / "out" / "flo") == {f"frame_{i}.flo": whole[f"frame_{i}.flo"] for i in range(0, 12, 2)}
    with pytest.raises(Interrupted):
        go(folder, tmp_path / "resumed", dies_after(stop), **options)
    go(folder, tmp_path / "resumed", resume=True, **options)
    assert contents(tmp_path / "resumed") == contents(tmp_path / "out")


def test_pairs_across_missing_frames_are_named(tmp_path):
    times = [i / 25 for i in range(20) if not 11 <= i < 14]
    clip = write_clip(tmp_path / "gap.mp4", moving(48, 64, 17), times=times)
    assert go(clip, tmp_path / "out").damaged == [10]


def test_frames_too_wide_for_a_video_are_refused_before_the_run(tmp_path):
    (tmp_path / "frames").mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "frames" / f"{i}.png"), np.zeros((16, 17000, 3), np.uint8))
    with pytest.raises(InputError, match="frames of 17000x16 are too large for a video"):
        go(tmp_path / "frames", tmp_path / "out", dies_after(0))
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_leaves_whole_files(folder, tmp_path, monkeypatch):
    from opticflow.io import atomic

    count, write = iter(range(1000)), Path.write_bytes

    def limited(self, data):
        if self.parent.name == "flo" and next(count) == 4:
            write(self, data[:100])
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(atomic.Path, "write_bytes", limited)
    with pytest.raises(FormatError, match="No space left on device"):
        go(folder, tmp_path / "out", saves=("flo",))
    files = list((tmp_path / "out" / "flo").iterdir())
    assert len(files) == 4 and all(opticflow.read_flow(path).shape == (48, 64, 2) for path in files)
    assert json.loads((tmp_path / "out" / "opticflow.json").read_text())["pairs_done"] == 4


def test_too_little_space_is_said_beforehand(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(run.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 1000))
    with pytest.raises(InputError, match="GB free"):
        go(folder, tmp_path / "out", saves=("flo",))


def test_one_video_may_be_all_that_is_wanted(folder, tmp_path):
    estimator, options = opticflow.load("DIS"), ClipOptions()
    report = run_clip_to_video(open_clip(folder), estimator, tmp_path / "a.mp4", options, settings={})
    assert report.outputs == [str(tmp_path / "a.mp4")] and [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    with pytest.raises(InputError, match="one video"):
        run_clip_to_video(open_clip(folder), estimator, tmp_path / "a.mp4", ClipOptions(saves=("flo",)), settings={})


def test_one_frame_is_not_enough(folder, tmp_path):
    with pytest.raises(OpticflowError, match="fewer than two frames"):
        go(folder, tmp_path / "out", end=1)
    with pytest.raises(OpticflowError, match="fewer than two frames"):
        go(folder, tmp_path / "out", start=100)


@pytest.mark.parametrize("bad", [{"step": 0}, {"start": 5, "end": 5}, {"start": -1}, {"batch": 0}, {"max_flow": 0.0}])
def test_options_without_sense_are_refused(bad):
    with pytest.raises(InputError, match="wanted"):
        ClipOptions(**bad)


@pytest.mark.parametrize(
    ("count", "done", "expected"),
    [(10, 0, [4, 4, 1]), (9, 0, [4, 4]), (2, 0, [1]), (1, 0, []), (10, 3, [1, 4, 4]), (0, 0, [])],
)
def test_segments_share_their_ends(count, done, expected):
    runs = [list(run) for run in segments(iter(range(count)), 4, done=done)]
    assert [len(run) - 1 for run in runs] == expected
    assert all(before[-1] == after[0] for before, after in pairwise(runs))
