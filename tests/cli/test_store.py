"""`opticflow store`, and the verbs that take a store where they take a folder of flow."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import opticflow
from clips import write_clip
from opticflow.extract.export import to_grey
from opticflow.visualize import draw_flow
from pictures import moving
from stores import smooth_flow, write_store

FRAMES = moving(48, 64, 7)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A clip, and its flow in a store and in `.flo` files."""
    from opticflow.extract import ClipOptions, run_clip
    from opticflow.io.video import open_clip

    folder = tmp_path_factory.mktemp("made")
    clip = write_clip(folder / "clip.mp4", FRAMES)
    options = ClipOptions(saves=("flo", "store"), backward=True, start=1)
    run_clip(open_clip(clip), opticflow.load("DIS"), folder / "out", options, settings={"model": "DIS"})
    (folder / "out" / "flows").rename(folder / "clip.flows")
    return folder


def test_estimate_writes_a_store(tmp_path, opticflow_command):
    clip = write_clip(tmp_path / "clip.mp4", FRAMES)
    usual = ("estimate", clip, "--model", "DIS", "-q")
    assert opticflow_command(*usual, "-o", tmp_path / "a.flows", "--error", "1/16")[0] == 0
    store = opticflow.open_store(tmp_path / "a.flows")
    assert len(store) == 6 and store.error == 1 / 16 and store.provenance["model"] == "DIS"
    assert opticflow_command(*usual, "-o", tmp_path / "a.flows", "--error", "1/16")[0] == 2, "it is there already"
    assert opticflow_command(*usual, "-o", tmp_path / "a.flows", "--error", "1/16", "--resume")[0] == 0
    assert opticflow_command(*usual, "-o", tmp_path / "out", "--save", "store,video")[0] == 0
    assert opticflow.open_store(tmp_path / "out" / "flows").error == 1 / 64
    assert (tmp_path / "out" / "flow.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "a.flows", "--error", "0.01"), "wanted a power of two"),
        (("-o", "out", "--save", "flo", "--error", "1/16"), "error is for the store"),
        (("-o", "a.flows", "--save", "flo"), "cannot take flo"),
        (("-o", "a.mp4", "--save", "store"), "cannot take store"),
    ],
)
def test_options_that_do_not_fit_a_store(made, tmp_path, opticflow_command, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = opticflow_command("estimate", made / "clip.mp4", "--model", "DIS", *arguments)
    assert code == 2 and words in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_video_of_any_style_straight_from_the_clip(made, tmp_path, opticflow_command):
    target = tmp_path / "overlay.mp4"
    words = ("estimate", made / "clip.mp4", "--model", "DIS", "--save", "overlay-video", "-o", target, "-q")
    assert opticflow_command(*words, "--start", 1, "--max-flow", 4)[0] == 0
    frames = list(opticflow.read_video(made / "clip.mp4", start=1))
    for index, picture in enumerate(opticflow.read_video(target)):
        flow = opticflow.read_flow(made / "out" / "flo" / f"{index + 1:06d}.flo")
        wanted = draw_flow(flow, "overlay", max_flow=4, frame=frames[index])
        assert np.abs(picture.astype(int) - wanted).mean() < 8  # a quarter of the colours is kept by H.264


def test_info(made, opticflow_command):
    code, out, _ = opticflow_command("store", "info", made / "clip.flows")
    assert code == 0 and "5 pairs of 64x48: forward and backward flow, with masks" in out and "model: DIS" in out
    found = json.loads(opticflow_command("store", "info", made / "clip.flows", "--json")[1])
    assert found["pairs"] == 5 and found["error"] == "1/64" and found["provenance"]["start"] == 1
    assert found["bytes"] == sum(path.stat().st_size for path in (made / "clip.flows").glob("*.mkv"))
    assert opticflow_command("store", "info", made)[0] == 2


def test_check_pack_and_compact(made, tmp_path, opticflow_command):
    assert opticflow_command("store", "check", made / "clip.flows")[0] == 0
    packed = tmp_path / "clip.flows.mkv"
    assert opticflow_command("store", "pack", made / "clip.flows", "-o", packed)[0] == 0
    assert opticflow_command("store", "check", packed)[0] == 0
    small = write_store(tmp_path / "small.flows", 40, length=3)
    code, out, _ = opticflow_command("store", "compact", small)
    assert code == 0 and "has 3 files" in out  # 0 to 29, 30 to 32 (across the border of a block), 33 to 39
    broken = tmp_path / "small.flows" / "000000-000029.mkv"
    broken.write_bytes(broken.read_bytes()[:-3000])
    code, out, _ = opticflow_command("store", "check", small)
    assert code == 1 and out.startswith("000000-000029.mkv: ") and "lost: pairs" in out


def test_view_takes_a_store_and_a_part_of_it(made, tmp_path, opticflow_command):
    store = opticflow.open_store(made / "clip.flows")
    frames = list(opticflow.read_video(made / "clip.mp4"))
    one = tmp_path / "one.png"
    assert opticflow_command("view", f"{made / 'clip.flows'}#3", "-o", one)[0] == 0
    np.testing.assert_array_equal(opticflow.read_image(one), opticflow.flow_to_image(store[3].forward))
    words = ("view", f"{made / 'clip.flows'}#backward,1:3", "-o", tmp_path / "two", "--max-flow", 5)
    assert opticflow_command(*words)[0] == 0
    for index in (1, 2):  # the clip's flow begins with frame 1
        picture = opticflow.read_image(tmp_path / "two" / f"{index + 1:06d}.color.png")
        np.testing.assert_array_equal(picture, opticflow.flow_to_image(store[index].backward, max_flow=5))
    words = ("view", f"{made / 'clip.flows'}#2:", "-o", tmp_path / "over", "--style", "overlay", "--max-flow", 5)
    assert opticflow_command(*words, "--frame", made / "clip.mp4")[0] == 0
    picture = opticflow.read_image(tmp_path / "over" / "000003.overlay.png")
    np.testing.assert_array_equal(picture, draw_flow(store[2].forward, "overlay", max_flow=5, frame=frames[3]))
    assert opticflow_command("view", made / "clip.flows", "-o", tmp_path / "film.mp4")[0] == 0
    assert sum(1 for _ in opticflow.read_video(tmp_path / "film.mp4")) == 5
    for part in ("#9", "#2:9", "#x", "#3:3"):
        code, _, err = opticflow_command("view", f"{made / 'clip.flows'}{part}", "-o", one)
        assert code == 2 and ("is not among them" in err or "no part of a store" in err)


def test_check_takes_a_store(made, opticflow_command):
    found = json.loads(opticflow_command("check", made / "clip.flows", made / "clip.mp4", "--json")[1])
    assert found["pairs"] == 5 and found["forward_backward_error_px"] < 0.5
    assert found["photometric_error"] < 1 < 10 < found["photometric_error_without_motion"]
    one = json.loads(opticflow_command("check", f"{made / 'clip.flows'}#1:3", made / "clip.mp4", "--json")[1])
    assert one["pairs"] == 2 and one["photometric_error"] == pytest.approx(found["photometric_error"], rel=0.5)


def test_convert_goes_into_a_store_and_out_of_it(made, tmp_path, opticflow_command):
    code, out, _ = opticflow_command("convert", made / "out" / "flo", tmp_path / "a.flows", "--error", "1/128")
    assert code == 0 and out.count("rounded by at most 0.0078 px") == 5
    assert opticflow_command("convert", tmp_path / "a.flows", tmp_path / "npz", "--to", "npz")[0] == 0
    for path in sorted((made / "out" / "flo").iterdir()):
        flow = opticflow.read_flow(tmp_path / "npz" / f"{path.stem}.npz")
        assert np.abs(flow - opticflow.read_flow(path)).max() <= 1 / 128
    code, out, _ = opticflow_command("convert", f"{made / 'clip.flows'}#0", tmp_path / "one.pfm")
    assert code == 0 and "nothing lost" in out
    code, _, err = opticflow_command("convert", made / "out" / "flo", tmp_path / "a.flows")
    assert code == 2 and "is there already" in err


def test_export_for_two_stream_networks(made, tmp_path, opticflow_command):
    words = ("store", "export", made / "clip.flows", "-o", tmp_path / "out", "--save", "jpeg", "--bound", 1.5)
    code, out, _ = opticflow_command(*words)
    store = opticflow.open_store(made / "clip.flows")
    clipped = np.mean([(np.abs(pair.forward) > 1.5).any(-1).mean() for pair in store])
    assert code == 0 and f"{clipped:.2%} of the pixels beyond the bound of 1.5 px" in out and clipped > 0.5
    beside = json.loads((tmp_path / "out" / "flow.json").read_text())
    assert beside["bound"] == 1.5 and beside["clipped"] == pytest.approx(clipped) and beside["pairs"] == 5
    for index, pair in enumerate(store):
        for channel, name in enumerate("xy"):
            picture = cv2.imread(str(tmp_path / "out" / f"flow_{name}_{index:05d}.jpg"), cv2.IMREAD_UNCHANGED)
            # the formula of denseflow, with its rounding
            levels = np.clip(np.rint(255 * (pair.forward[..., channel] + 1.5) / 3), 0, 255)
            assert picture.shape == (48, 64) and np.abs(picture - levels).mean() < 1
    assert len(list((tmp_path / "out").glob("flow_x_0*.jpg"))) == 5
    assert opticflow_command(*words)[0] == 2, "files are there already"
    assert opticflow_command(*words, "--overwrite")[0] == 0


def test_export_at_another_size_and_rate(tmp_path, opticflow_command):
    store = write_store(tmp_path / "a.flows", 10, backward=False, size=(40, 60))
    words = ("store", "export", store, "-o", tmp_path / "out", "--save", "jpeg")
    assert opticflow_command(*words, "--short-side", 20, "--rate", 12.5, "--json")[0] == 0
    files = sorted((tmp_path / "out").glob("flow_x_*.jpg"))
    assert [path.name for path in files] == [f"flow_x_{index:05d}.jpg" for index in range(5)]
    picture = cv2.imread(str(files[1]), cv2.IMREAD_UNCHANGED)
    flow = cv2.resize(smooth_flow(2, 40, 60), (30, 20), interpolation=cv2.INTER_AREA) / 2  # pixels of the small frame
    assert picture.shape == (20, 30) and np.abs(picture - to_grey(flow, 20.0)[0].astype(float)).mean() < 1
    assert opticflow_command(*words, "--rate", 50)[0] == 2


def test_export_writes_what_a_run_writes(made, tmp_path, opticflow_command):
    words = ("store", "export", made / "clip.flows", "-o", tmp_path / "out", "--save", "flo,color,video,kitti", "-q")
    assert opticflow_command(*words)[0] == 0
    store = opticflow.open_store(made / "clip.flows")
    for pair in store:
        for folder, flow in (("flo", pair.forward), ("flo-backward", pair.backward), ("kitti", pair.forward)):
            suffix = ".png" if folder == "kitti" else ".flo"
            np.testing.assert_array_equal(opticflow.read_flow(tmp_path / "out" / folder / f"{pair.name}{suffix}"), flow)
        mask = opticflow.read_image(tmp_path / "out" / "occlusion" / f"{pair.name}.png")[..., 0] > 0
        np.testing.assert_array_equal(mask, pair.occluded)
    assert sum(1 for _ in opticflow.read_video(tmp_path / "out" / "flow-backward.mp4")) == 5
    code, _, err = opticflow_command("store", "export", made / "clip.flows", "-o", tmp_path / "b", "--save", "overlay")
    assert code == 2 and "cannot export overlay" in err


def test_a_damaged_store_is_one_line(made, tmp_path, opticflow_command):
    path = shutil.copytree(made / "clip.flows", tmp_path / "a.flows") / "000000-000004.mkv"
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(len(data) // 3)
    path.write_bytes(data)
    for words in (
        ("view", tmp_path / "a.flows"),
        ("store", "export", tmp_path / "a.flows", "--save", "flo", "-o", "x"),
    ):
        code, _, err = opticflow_command(*words)
        assert code == 2 and err.count("\n") == 1 and "000000-000004.mkv" in err
