"""Which files of a folder are meant."""

import pytest

from opticflow.errors import FormatError, InputError
from opticflow.io import list_flow_files, list_image_files, natural_key


def test_natural_order():
    names = ["b1", "a10", "a9", "A2", "a", "a02b", "a²", "10", "9", "1.flo", "01.flo"]
    wanted = ["01.flo", "1.flo", "9", "10", "a", "a02b", "A2", "a9", "a10", "a²", "b1"]
    assert sorted(names, key=natural_key) == wanted


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_flow_files(tmp_path):
    with pytest.raises(InputError, match="no flow file"):
        list_flow_files(tmp_path)
    touch(tmp_path, "b10.png", "b9.PNG", "b9.color.png", ".b8.png", "notes.txt")
    (tmp_path / "folder.flo").mkdir()
    assert [path.name for path in list_flow_files(tmp_path)] == ["b9.PNG", "b10.png"]
    touch(tmp_path, "b10.flo")
    assert [path.name for path in list_flow_files(tmp_path)] == ["b10.flo"]


def test_image_files(tmp_path):
    with pytest.raises(InputError, match="no picture"):
        list_image_files(tmp_path)
    touch(tmp_path, "2.jpg", "10.jpg", ".1.jpg.part", ".1.jpg")
    assert [path.name for path in list_image_files(tmp_path)] == ["2.jpg", "10.jpg"]


def test_pictures_of_several_formats(tmp_path):
    touch(tmp_path, "1.jpg", "2.JPEG", "3.jpg")
    assert len(list_image_files(tmp_path)) == 3
    touch(tmp_path, "1.png")
    with pytest.raises(InputError, match=r"several formats \(3 \.jpg, 1 \.png\)"):
        list_image_files(tmp_path)


def test_folders_that_are_not_there(tmp_path):
    with pytest.raises(FormatError, match="cannot read the folder"):
        list_flow_files(tmp_path / "missing")
