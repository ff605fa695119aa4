"""Each reader on a tiny copy of its data set's layout."""

import numpy as np
import pytest

from opticflow.data import DATASETS, kitti, open_dataset, sintel, spring, things
from opticflow.errors import DatasetError

HEIGHT, WIDTH = 8, 12
RANDOM = np.random.default_rng(0)


def frame(level: int) -> np.ndarray:
    """A frame that can be told from others by its values."""
    return np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)


def flow(u: float, v: float = 0.0, size: int = 1) -> np.ndarray:
    return np.full((HEIGHT * size, WIDTH * size, 2), (u, v), dtype=np.float32)


def corner() -> np.ndarray:
    """A mask that holds in the upper left corner only."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[:2, :3] = True
    return mask


def chairs_files() -> dict:
    files = {"FlyingChairs_train_val.txt": "1\n2\n1\n"}
    for i in (1, 2, 3):
        files |= {
            f"data/0000{i}_img1.ppm": frame(10 * i),
            f"data/0000{i}_img2.ppm": frame(10 * i + 1),
            f"data/0000{i}_flow.flo": flow(i),
        }
    return files


def sdhom_files() -> dict:
    files = {}
    for i in ("00001", "08755"):
        files |= {f"data/train/t0/{i}.png": frame(1), f"data/train/t1/{i}.png": frame(2)}
        files |= {f"data/train/flow/{i}.pfm": flow(0.25, -0.5)}
    return files


def things_files() -> dict:
    files = {}
    for number in (6, 7, 8):
        for render, base in (("clean", 0), ("final", 100)):
            for camera in ("left", "right"):
                files[f"frames_{render}pass/TEST/A/0000/{camera}/{number:04d}.png"] = frame(base + number)
        for direction, word, sign in (("into_future", "Future", 1), ("into_past", "Past", -1)):
            for camera in ("left", "right"):
                path = f"optical_flow/TEST/A/0000/{direction}/{camera}/OpticalFlowInto{word}_{number:04d}"
                files[f"{path}_{camera[0].upper()}.pfm"] = flow(sign * number)
    return files


def sintel_files(scene: str = "alley_1", split: str = "training", frames: int = 3) -> dict:
    files = {}
    for number in range(1, frames + 1):
        name = f"{scene}/frame_{number:04d}"
        for render, base in (("clean", 0), ("final", 100)):
            files[f"{split}/{render}/{name}.png"] = frame(base + number)
        if split == "training" and number < frames:
            files[f"training/flow/{name}.flo"] = flow(number)
            files[f"training/occlusions/{name}.png"] = corner()
            files[f"training/invalid/{name}.png"] = ~corner()
    return files


def kitti_files(folder: str = "image_2") -> dict:
    known = np.ones((HEIGHT, WIDTH), dtype=bool)
    known[0] = False
    return {
        f"training/{folder}/000000_10.png": frame(1),
        f"training/{folder}/000000_11.png": frame(2),
        "training/flow_occ/000000_10.png": (flow(3, 4), known),
        "training/flow_noc/000000_10.png": (flow(3, 4), known & ~corner()),
        f"testing/{folder}/000000_10.png": frame(3),
        f"testing/{folder}/000000_11.png": frame(4),
    }


def hd1k_files() -> dict:
    files = {}
    for name in ("000000_0000", "000000_0010", "000001_0000", "000001_0010"):
        files |= {f"hd1k_input/image_2/{name}.png": frame(1), f"hd1k_flow_gt/flow_occ/{name}.png": flow(2)}
    return files


def middlebury_files() -> dict:
    truth = flow(1.5)
    truth[0, 0] = np.nan
    return {
        "other-data/Venus/frame10.png": frame(1),
        "other-data/Venus/frame11.png": frame(2),
        "other-gt-flow/Venus/flow10.flo": truth,
    }


def spring_files(split: str = "train") -> dict:
    files = {}
    for camera in ("left", "right"):
        for number in (1, 2, 3):
            files[f"{split}/0001/frame_{camera}/frame_{camera}_{number:04d}.png"] = frame(number)
        for direction in ("FW", "BW"):
            kind = f"flow_{direction}_{camera}"
            for number in (1, 2, 3) if split == "train" else ():
                truth = flow(number, size=2)
                truth[0, 0] = np.nan
                truth[1::2] = 99  # the other vectors of each pixel
                files[f"{split}/0001/{kind}/{kind}_{number:04d}.flo5"] = truth
                match = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
                match[corner()] = (255, 0, 0)
                match[-1] = (0, 0, 255)  # blue says nothing about flow
                files[f"{split}/0001/maps/matchmap_{kind}/matchmap_{kind}_{number:04d}.png"] = match
    return files


def pairs_files() -> dict:
    return {
        "pairs/b/img1.ppm": frame(1),
        "pairs/b/img2.ppm": frame(2),
        "pairs/b/gt.flo": flow(1),
        "pairs/a/img1.png": frame(3),
        "pairs/a/img2.jpg": frame(4),
        "pairs/a/gt_kitti.png": (flow(5), corner()),
        "pairs/c/img1.png": frame(5),
        "pairs/c/img2.png": frame(6),
        "pairs/c/gt.npy": flow(2),
        "pairs/c/occlusions.png": corner(),
        "pairs/c/invalid.png": corner(),
    }


FILES = {
    "chairs": chairs_files,
    "chairs-sdhom": sdhom_files,
    "things-clean": things_files,
    "things-final": things_files,
    "sintel-clean": sintel_files,
    "sintel-final": sintel_files,
    "kitti-2012": lambda: kitti_files("colored_0"),
    "kitti-2015": kitti_files,
    "hd1k": hd1k_files,
    "middlebury": middlebury_files,
    "spring": spring_files,
    "pairs": pairs_files,
}


def test_every_data_set_has_a_fake():
    assert FILES.keys() == DATASETS.keys()


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_yields_samples(name, write_files):
    dataset = open_dataset(name, write_files(FILES[name]()))
    assert len(dataset) > 0
    for sample, pair in zip(dataset, dataset.pairs, strict=True):
        assert sample.first.shape == (HEIGHT, WIDTH, 3)
        assert sample.name == pair.name
        assert np.isfinite(sample.flow[sample.valid]).all()
        assert not (sample.first == sample.second).all() or name == "hd1k"


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_root_says_what_was_wanted_and_what_is_there(name, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "cat.png").touch()
    with pytest.raises(DatasetError, match=r"there is no .*; there is cat.png, holiday/") as caught:
        open_dataset(name, tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="does not exist; wanted the folder that holds"):
        open_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", DATASETS)
def test_an_unknown_split_lists_the_known_ones(name, tmp_path):
    with pytest.raises(DatasetError, match=f"has no split 'nowhere'; wanted {DATASETS[name].splits[0]}"):
        open_dataset(name, tmp_path, "nowhere")


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(DatasetError, match="did you mean sintel-"):
        open_dataset("sintel", ".")
    with pytest.raises(DatasetError, match="known are chairs, "):
        open_dataset("xyz", ".")


def test_chairs_follow_the_authors_split(write_files):
    root = write_files(chairs_files())
    assert [pair.name for pair in open_dataset("chairs", root).pairs] == ["00002"]
    assert [pair.name for pair in open_dataset("chairs", root / "data", "training").pairs] == ["00001", "00003"]
    assert len(open_dataset("chairs", root, "all")) == 3
    assert open_dataset("chairs", root)[0].flow[0, 0, 0] == 2


def test_chairs_without_the_split_file_say_so(write_files):
    files = chairs_files()
    del files["FlyingChairs_train_val.txt"]
    root = write_files(files)
    with pytest.raises(DatasetError, match=r"no FlyingChairs_train_val.txt .* or use the split `all`"):
        open_dataset("chairs", root)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(b"1\n2\n\xff", "is no text in UTF-8"), (b"1\n3\n1\n", "holds '3'; wanted 1 or 2"), (b"1\n2\n", "has 2 lines")],
)
def test_a_damaged_split_file_is_named(write_files, contents, reason):
    root = write_files(chairs_files())
    (root / "FlyingChairs_train_val.txt").write_bytes(contents)
    with pytest.raises(DatasetError, match=rf"FlyingChairs_train_val\.txt {reason}"):
        open_dataset("chairs", root)


def test_chairs_with_a_name_that_is_no_number(write_files):
    root = write_files(chairs_files() | {"data/mine_flow.flo": flow(1)})
    with pytest.raises(DatasetError, match=r"mine_flow\.flo has no number"):
        open_dataset("chairs", root)


def test_a_damaged_list_of_unused_frames_is_named(write_files):
    root = write_files(things_files())
    (root / "all_unused_files.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"all_unused_files\.txt is no text"):
        open_dataset("things-final", root)


def test_a_missing_file_is_named(write_files):
    root = write_files(chairs_files())
    (root / "data" / "00002_img2.ppm").unlink()
    with pytest.raises(DatasetError, match=r"00002 is not complete: .*00002_img2.ppm is missing"):
        open_dataset("chairs", root)


def test_sdhom_leaves_out_the_broken_sample_with_its_reason(write_files):
    dataset = open_dataset("chairs-sdhom", write_files(sdhom_files()))
    assert [pair.name for pair in dataset.pairs] == ["train/00001"]
    assert "NaN" in dataset.left_out["train/08755"]
    assert dataset[0].flow[0, 0].tolist() == [0.25, -0.5]


def test_things_have_no_flow_beyond_a_scene(write_files):
    root = write_files(things_files())
    forward = things.flying_things(root)
    assert [pair.name[-4:] for pair in forward.pairs] == ["0006", "0007"]
    backward = things.flying_things(root, directions=("into_past",), cameras=("right",))
    assert [pair.name[-4:] for pair in backward.pairs] == ["0007", "0008"]
    sample = backward[0]
    assert (sample.first[0, 0, 0], sample.second[0, 0, 0], sample.flow[0, 0, 0]) == (7, 6, -7)
    both = things.flying_things(root, cameras=("left", "right"), directions=("into_future", "into_past"))
    assert len(both) == 8
    (root / "optical_flow/TEST/A/0000/into_past/left/OpticalFlowIntoPast_0008_L.pfm").unlink()
    with pytest.raises(DatasetError, match=r"into_past/0008 is not complete: .*IntoPast_0008_L\.pfm is missing"):
        things.flying_things(root, directions=("into_past",))
    assert len(things.flying_things(root, leave_out=frozenset({forward.pairs[0].name}))) == 1


def test_things_for_training_are_all_that_there_is(write_files):
    files = {name.replace("TEST", "TRAIN"): content for name, content in things_files().items()}
    assert len(open_dataset("things-clean", write_files(files), "TRAIN")) == 8
    assert len(open_dataset("things-clean", write_files(files), "TRAIN", cameras=("left",))) == 4
    few = {f"few/{name}": files[name] for name in files if "right" not in name and "into_past" not in name}
    assert len(open_dataset("things-clean", write_files(few) / "few", "TRAIN")) == 2


@pytest.mark.parametrize("place", ["", "frames_finalpass/"])
def test_things_leave_out_what_their_authors_did(write_files, place):
    root = write_files(things_files() | {f"{place}all_unused_files.txt": "TEST/A/0000/left/0008.png\nTRAIN/x.png\n"})
    dataset = open_dataset("things-final", root)
    assert [pair.name[-4:] for pair in dataset.pairs] == ["0006"]
    assert any("all_unused_files.txt" in what for what in dataset.left_out)


def test_sintel_passes_and_masks(write_files):
    root = write_files(sintel_files() | sintel_files("cave_4"))
    clean, final = open_dataset("sintel-clean", root), open_dataset("sintel-final", root)
    assert (clean[0].first[0, 0, 0], final[0].first[0, 0, 0]) == (1, 101)
    assert [pair.name for pair in clean.pairs][:2] == ["alley_1/frame_0001", "alley_1/frame_0002"]
    assert (clean[0].occluded == corner()).all()
    assert clean[0].valid.all()
    assert (sintel.sintel(root, invalid="leave out")[0].valid == corner()).all()
    assert {pair.sequence for pair in open_dataset("sintel-clean", root, "validation").pairs} == {"cave_4"}


def test_a_test_split_has_frames_and_no_truth(write_files):
    dataset = open_dataset("sintel-final", write_files(sintel_files(split="test")), "test")
    first, second = dataset.frames(1)
    assert (first[0, 0, 0], second[0, 0, 0]) == (102, 103)
    with pytest.raises(DatasetError, match="has no truth: it is of a test split"):
        dataset[0]


def test_kitti_occlusion_is_what_noc_does_not_know(write_files):
    root = write_files(kitti_files())
    sample = open_dataset("kitti-2015", root)[0]
    assert not sample.valid[0].any()
    assert sample.valid[1:].all()
    assert (sample.occluded == (corner() & sample.valid)).all()
    assert sample.flow[1, 0].tolist() == [3, 4]
    assert len(open_dataset("kitti-2015", root, "testing")) == 1


def test_kitti_2012_prefers_colour(write_files):
    root = write_files(kitti_files("colored_0") | kitti_files("image_0"))
    assert kitti.kitti_2012(root).pairs[0].first.parent.name == "colored_0"


def test_hd1k_sequences_do_not_run_into_each_other(write_files):
    dataset = open_dataset("hd1k", write_files(hd1k_files()))
    assert [(pair.name, pair.second.stem) for pair in dataset.pairs] == [
        ("000000_0000", "000000_0010"),
        ("000001_0000", "000001_0010"),
    ]


def test_middlebury_knows_what_is_unknown(write_files):
    sample = open_dataset("middlebury", write_files(middlebury_files()))[0]
    assert not sample.valid[0, 0]
    assert sample.valid.sum() == HEIGHT * WIDTH - 1


def test_spring_truth_is_brought_to_the_frame(write_files):
    root = write_files(spring_files())
    sample = open_dataset("spring", root)[0]
    assert (sample.flow[1:] == (1, 0)).all()
    assert not sample.valid[0, 0]
    assert (sample.occluded == corner()).all()
    choices = spring.read_choices(open_dataset("spring", root).pairs[0])
    assert choices.shape == (4, HEIGHT, WIDTH, 2)
    assert (choices[:2, 1:] == (1, 0)).all()
    assert (choices[2:, 1:] == 99).all()
    every = spring.spring(root, views=spring.EVERY)
    assert len(every) == 8
    backward = every.pairs[2]
    assert backward.name == "0001/flow_BW_left/flow_BW_left_0002"
    assert (backward.first.stem, backward.second.stem) == ("frame_left_0002", "frame_left_0001")


def test_pairs_read_each_kind_of_truth(write_files):
    a, b, c = open_dataset("pairs", write_files(pairs_files()))
    assert (a.valid == corner()).all()
    assert b.valid.all()
    assert (c.valid == ~corner()).all()
    assert (c.occluded == corner()).all()
    assert [x.flow[0, 0, 0] for x in (a, b, c)] == [5, 1, 2]


def test_pairs_of_a_table(write_files):
    files = {name.removeprefix("pairs/"): contents for name, contents in pairs_files().items()}
    table = "first,second,flow,occluded,sequence\na/img1.png,a/img2.jpg,a/gt_kitti.png,,street\n"
    root = write_files(files | {"list.csv": table + "c/img1.png,c/img2.png,c/gt.npy,c/occlusions.png,\n"})
    dataset = open_dataset("pairs", root / "list.csv")
    assert [pair.sequence for pair in dataset.pairs] == ["street", "list"]
    assert (dataset[1].occluded == corner()).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("img1,img2\na,b\n", "has the header img1,img2; wanted first,second,flow"),
        ("first,second,flow\na.png,,c.flo\n", "line 2 of .* has no second"),
        ("first,second,flow\na.png,b.png,c.flo\n", "line 2 of list.csv is not complete: .*a.png is missing"),
        ("first,second,flow\n", "has no pairs"),
        ("first,second,flow\na.png,b.png,c.flo,d,e\n", "line 2 of .* has 2 more columns than the header"),
        (b"first,second,flow\n\xff\xfe.png,b.png,c.flo\n", "list.csv is no table of text in UTF-8"),
        ("first,second,flow\n" + "a" * 200_000 + ",b,c\n", "list.csv is no table"),
    ],
)
def test_bad_tables_are_named(table, message, write_files):
    root = write_files({})
    (root / "list.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DatasetError, match=message):
        open_dataset("pairs", root / "list.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs/b/img2.ppm": None}, r"b needs one img2.\*, a picture; there is none"),
        ({"pairs/b/gt.npy": flow(1)}, r"there is gt.flo and gt.npy"),
        ({"pairs/b/gt_kitti.png": flow(1)}, r"b needs one true flow; there is gt_kitti.png beside gt"),
        ({"pairs/b/gt.flo": None}, r"b needs one gt.\*, a flow file"),
    ],
)
def test_incomplete_pairs_are_named(change, message, write_files):
    root = write_files({k: v for k, v in (pairs_files() | change).items() if v is not None})
    with pytest.raises(DatasetError, match=message):
        open_dataset("pairs", root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs/b/gt.flo": flow(1)[1:]}, "b: the truth is 12x7, the frame 12x8"),
        ({"pairs/b/img2.ppm": frame(1)[:, 1:]}, "b: the second frame is 11x8, the first 12x8"),
        ({"pairs/b/occlusions.png": corner()[:, 1:]}, "b: the occlusion mask is 11x8, the truth 12x8"),
        ({"pairs/b/invalid.png": corner()[1:]}, "b: the mask of invalid pixels is 12x7, the truth 12x8"),
    ],
)
def test_sizes_must_agree(change, message, write_files):
    dataset = open_dataset("pairs", write_files(pairs_files() | change))
    with pytest.raises(DatasetError, match=message):
        dataset[1]


def test_a_slice_is_a_data_set(write_files):
    dataset = open_dataset("pairs", write_files(pairs_files()))[1:]
    assert [pair.name for pair in dataset.pairs] == ["b", "c"]
    assert dataset[0].name == "b"
