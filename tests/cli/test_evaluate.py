"""opticflow evaluate"""

import json
import sys

import numpy as np
import pytest

from pictures import moving

# What OpenCV's DIS (medium) and Farneback reach on public pairs, measured outside this package: end-point error in px
# and Fl in %.
PUBLISHED = {
    "chairs_0000001": {"Farneback": (2.75, 26.3), "DIS": (1.59, 11.0)},
    "chairs_0000002": {"Farneback": (4.38, 15.1), "DIS": (3.45, 7.0)},
    "chairs_0000003": {"Farneback": (2.31, 22.2), "DIS": (1.32, 9.2)},
    "chairs_0000004": {"Farneback": (8.39, 43.4), "DIS": (2.67, 17.9)},
    "middlebury_rubberwhale": {"Farneback": (0.36, 0.8), "DIS": (0.23, 0.2)},
    "middlebury_grove3": {"Farneback": (1.34, 15.2), "DIS": (0.85, 8.1)},
    "middlebury_urban3": {"Farneback": (2.97, 38.9), "DIS": (2.01, 15.7)},
    "sintel_clean_cave_2_0002": {"Farneback": (3.90, 27.9), "DIS": (1.64, 10.5)},
    "sintel_final_cave_2_0002": {"Farneback": (6.66, 51.8), "DIS": (1.94, 12.5)},
    "sintel_final_market_5_0009": {"Farneback": (55.52, 87.1), "DIS": (22.58, 49.4)},
    "sintel_final_bandage_1_0035": {"Farneback": (0.63, 5.9), "DIS": (0.40, 2.7)},
    "kitti12_000045": {"Farneback": (4.21, 28.4), "DIS": (0.90, 7.3)},
    "kitti15_000006": {"Farneback": (48.41, 64.6), "DIS": (20.89, 47.0)},
    "tartanair_000380": {"Farneback": (22.33, 59.3), "DIS": (11.92, 39.0)},
}


def test_known_methods_on_public_pairs(command, real_data, tmp_path):
    code, out, _ = command("evaluate", "DIS,Farneback", "pairs", real_data, "--json", tmp_path / "report.json")
    assert code == 0
    assert "14 of 14 pairs · protocol per-image, averaged over images" in out
    models = {model["name"]: model for model in json.loads((tmp_path / "report.json").read_text())["models"]}
    for name, wanted in PUBLISHED.items():
        for model, (error, outliers) in wanted.items():
            (pair,) = (pair for pair in models[model]["pairs"] if pair["name"] == name)
            # 5 %, or the last digit that is known
            assert pair["EPE"] == pytest.approx(error, rel=0.05, abs=0.005)
            assert pair["Fl"] == pytest.approx(outliers, rel=0.05, abs=0.05)
    assert models["DIS"]["total"]["EPE"] == pytest.approx(5.17, rel=0.05)
    assert models["DIS"]["total"]["Fl"] == pytest.approx(16.9, rel=0.05)


def pair(name: str = "a") -> dict:
    first, second = moving(40, 60, 2)
    return {
        f"{name}/img1.png": first,
        f"{name}/img2.png": second,
        f"{name}/gt.flo": np.full((40, 60, 2), (2, 1), np.float32),
    }


def test_every_output(command, write_files, tmp_path):
    root = write_files(pair("a") | pair("b"))
    page, figures = tmp_path / "r.html", tmp_path / "r.json"
    code, out, err = command(
        "evaluate", "DIS", "pairs", root, "--limit", 1, "--protocol", "KITTI", "--html", page, "--json", figures
    )
    assert (code, err.strip()) == (0, "")
    assert "1 of 1 pairs · protocol KITTI, averaged EPE over images, Fl-all over pixels" in out
    assert page.read_text().count("<img ") == 5
    report = json.loads(figures.read_text())
    assert report["command"].startswith("opticflow evaluate DIS pairs ")
    assert report["models"][0]["settings"]["device"]
    assert report["models"][0]["total"]["EPE"] < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DIS", "sintl-clean", "ROOT"], "there is no data set 'sintl-clean'; did you mean sintel-clean"),
        (["DIS", "sintel-clean", "ROOT"], "Sintel clean: there is no training/clean/*"),
        (["DIS", "pairs", "nowhere"], "pairs: nowhere does not exist"),
        (["DIS", "pairs", "ROOT", "--split", "x"], "pairs has no split 'x'; wanted all"),
        (["DIS", "pairs", "ROOT", "--protocol", "KITI"], "there is no protocol 'KITI'; known are Sintel, KITTI"),
        (["DSI", "pairs", "ROOT"], "there is no model 'DSI'; did you mean DIS"),
        ([",", "pairs", "ROOT"], "no model is named"),
        (["DIS", "pairs", "ROOT", "--json", "nowhere/x.json"], "there is no folder"),
        (["DIS", "pairs", "ROOT", "--html", "nowhere/x.html"], "there is no folder"),
    ],
)
def test_a_wrong_word_is_one_line_and_code_2(arguments, message, command, write_files, monkeypatch):
    monkeypatch.setattr("opticflow.evaluate.evaluate", None)  # found out before anything is estimated
    root = write_files(pair())
    code, out, err = command("evaluate", *(root if argument == "ROOT" else argument for argument in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a/gt.flo": np.ones((40, 59, 2), np.float32)}, "a: the truth is 59x40, the frame 60x40"),
        ({"a/gt.flo": np.full((40, 60, 2), np.nan, np.float32)}, "a: the truth has no valid pixel"),
        ({"a/img2.png": None}, "a needs one img2.*, a picture; there is none"),
        ({"a/img1.png": "this is no picture"}, "img1.png cannot be decoded as a picture"),
    ],
)
def test_a_broken_pair_is_one_line_and_code_2(change, message, command, write_files):
    root = write_files({path: value for path, value in (pair() | change).items() if value is not None})
    code, out, err = command("evaluate", "DIS", "pairs", root)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_the_other_pairs_are_still_evaluated(command, write_files):
    root = write_files(pair("a") | pair("b") | {"b/gt.flo": np.ones((40, 59, 2), np.float32)})
    code, out, err = command("evaluate", "DIS", "pairs", root)
    assert code == 2
    assert "1 of 2 pairs" in out
    assert "1 of 2 pairs could not be evaluated and are in no figure: b: the truth is 59x40" in err


def test_help_shows_an_example(command):
    code, out, _ = command("evaluate", "--help")
    assert code == 0
    assert "opticflow evaluate DIS,Farneback pairs" in out


def test_names_are_no_markup(command, write_files):
    code, out, _ = command("evaluate", "DIS", "pairs", write_files(pair("[blink]z") | pair("[dim]")))
    assert code == 0
    assert "[blink]z" in out and "[dim]" in out


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_are_no_utf8_or_escape_codes_are_reported(command, write_files, tmp_path):
    root = write_files(pair("sets/c\udcff\x1b[31m"))
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    code, out, _ = command("evaluate", "DIS", "pairs", root / "sets", "--html", page, "--json", figures)
    assert code == 0 and r"c\udcff\x1b[31m" in out and "\x1b" not in out
    assert r"c\udcff" in page.read_text("utf-8")
    assert json.loads(figures.read_text("ascii"))["models"][0]["pairs"][0]["name"] == "c\udcff\x1b[31m"


@pytest.mark.parametrize(("folder", "name"), [("pairs", "pairs"), ("mine", "pairs mine")])
def test_a_set_is_called_by_its_folder(command, write_files, tmp_path, folder, name):
    root = write_files(pair(f"{folder}/a")) / folder
    code, out, _ = command("evaluate", "DIS", "pairs", root, "--html", tmp_path / "page.html")
    assert code == 0 and out.startswith(f"{name}: 1 of 1 pairs")
    assert f"<h1>DIS on {name}</h1>" in (tmp_path / "page.html").read_text()
