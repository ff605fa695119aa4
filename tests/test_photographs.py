"""`scripts/photographs.py` without a network: made-up packages, unpacked, checked, cut and credited."""

import hashlib
import io
import lzma
import runpy
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "photographs.py"


@pytest.fixture(scope="module")
def script():
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def picture(height, width, suffix=".png"):
    """A ramp, which survives JPEG and halving nearly unchanged."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.dstack([200 * x / width, 200 * y / height, np.full(x.shape, 90)]).astype(np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def debian(files):
    """A package as deb(5) and ar(5) describe it, with a member of odd size before the one that matters."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": lzma.compress(tar.getvalue())}
    parts = [b"!<arch>\n"]
    for name, data in members.items():
        parts += [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode(), data, b"\n" * (len(data) % 2)]
    return b"".join(parts)


def table(name, folder, pictures, licence="CC0-1.0", registry="pypi"):
    rows = "\n".join(f'"{file}" = "{hashlib.sha256(data).hexdigest()[:12]}"' for file, data in pictures.items())
    return f"""
[[package]]
registry = "{registry}"
name = "{name}"
version = "1.0"
[[package.group]]
folder = "{folder}"
author = "A. Author of {name}"
licence = "{licence}"
terms = "its README"
[package.group.pictures]
{rows}
"""


def test_files_come_out_of_wheels_and_of_archives_in_debian_packages(script, tmp_path):
    (tmp_path / "a.whl").write_bytes(zipped({"data/x.png": b"picture", "data/y.png": b"other"}))
    assert script.unpack(tmp_path / "a.whl", ["data/x.png", "data/none.png"]) == {"data/x.png": b"picture"}
    inner = zipped({"oak/wood.jpg": b"wood", "oak/readme": b"text"})
    (tmp_path / "a.deb").write_bytes(debian({"usr/plain.jpg": b"plain", "usr/more.zip": inner, "usr/no": b""}))
    places = ["usr/plain.jpg", "usr/more.zip!oak/wood.jpg", "usr/more.zip!oak/none.jpg", "usr/none.zip!wood.jpg"]
    found = script.unpack(tmp_path / "a.deb", places)
    assert found == {"usr/plain.jpg": b"plain", "usr/more.zip!oak/wood.jpg": b"wood"}
    (tmp_path / "b.deb").write_bytes(b"something else")
    with pytest.raises(script.Unobtainable, match=r"b\.deb is no Debian package"):
        script.unpack(tmp_path / "b.deb", places)
    (tmp_path / "c.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(script.Unobtainable, match=r"c\.deb holds no files"):
        script.unpack(tmp_path / "c.deb", places)


def test_pictures_are_written_once_checked_and_credited(script, tmp_path):
    good = {"small.png": picture(40, 60), "room/large.jpg": picture(900, 1400, ".jpg")}
    text = table("paper", "data", good, "CC-BY-4.0") + table("stone", "usr", {"wall.jpg": picture(30, 30, ".jpg")})
    packages = script.read_table(text)
    fetched = []

    def fetch(package, folder):
        fetched.append(package.name)
        if package.name == "stone":
            raise script.Unobtainable("there is no network")
        (folder / "a.whl").write_bytes(zipped({f"data/{name}": data for name, data in good.items()}))
        return folder / "a.whl"

    folder = tmp_path / "photographs"
    assert script.collect(packages, folder, fetch) == ["stone could not be fetched: there is no network"]
    names = {"paper-small.png", "paper-room-large.jpg"}
    assert {path.name for path in folder.iterdir()} == names | {"CREDITS.txt"}
    assert (folder / "paper-small.png").read_bytes() == good["small.png"]
    assert cv2.imread(str(folder / "paper-room-large.jpg")).shape == (658, 1024, 3)
    credits = (folder / "CREDITS.txt").read_text()
    assert all(name in credits for name in names) and credits.count("A. Author of paper; CC-BY-4.0") == 2
    assert "licenses/by/4.0" in credits and "stone" not in credits

    script.collect(packages, folder, fetch)
    assert fetched == ["paper", "stone", "stone"], "what is there is not fetched again"


def test_another_picture_than_the_one_that_was_checked_is_left_out(script, tmp_path):
    packages = script.read_table(table("paper", "data", {"x.png": picture(40, 60), "gone.png": b""}))
    (tmp_path / "a.whl").write_bytes(zipped({"data/x.png": picture(41, 60)}))
    missing = script.collect(packages, tmp_path / "out", lambda package, folder: tmp_path / "a.whl")
    assert [line.split(";")[0] for line in missing] == [
        "paper has another picture as data/x.png",
        "paper has not data/gone.png",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["CREDITS.txt"]


def test_large_pictures_give_their_quarters_too(script):
    parts = script.cuts(picture(1200, 2400), "big.png")
    images = {name: cv2.imdecode(np.frombuffer(data, np.uint8), 1) for name, data in parts.items()}
    assert {name: image.shape[:2] for name, image in images.items()} == {
        "big.png": (512, 1024), **{f"big-{number}.png": (512, 1024) for number in range(1, 5)},
    }  # fmt: skip
    whole = cv2.resize(images["big.png"], (2048, 1024), interpolation=cv2.INTER_LINEAR)
    for number, (top, left) in enumerate([(0, 0), (0, 1024), (512, 0), (512, 1024)], 1):
        part = whole[top : top + 512, left : left + 1024]
        assert cv2.absdiff(part, images[f"big-{number}.png"]).max() <= 2


def test_the_table_takes_free_terms_only_and_nothing_that_is_evaluated(script):
    packages = script.read_table(SCRIPT.with_suffix(".toml").read_text(encoding="utf-8"))
    pictures = [picture for package in packages for picture in package.pictures]
    assert len(pictures) >= 100 and all(picture.author and picture.terms for picture in pictures)
    assert {package.registry for package in packages} == {"pypi", "debian"}
    for text, message in [
        (table("paper", "data", {"x.png": b""}, "CC-BY-SA-4.0"), "under CC-BY-SA-4.0"),
        (table("paper", "data", {"motorcycle_left.png": b""}), "weights are measured on"),
        (table("paper", "a", {"x.png": b""}) + table("paper", "b", {"x.png": b""}), "called paper-x.png"),
    ]:
        with pytest.raises(ValueError, match=message):
            script.read_table(text)


def test_a_client_that_is_not_there_is_named(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (package,) = script.read_table(table("paper", "data", {"x.png": b""}, registry="debian"))
    with pytest.raises(script.Unobtainable, match="apt-get"):
        script.download(package, tmp_path)
