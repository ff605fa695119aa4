"""The Python of the docs and of public docstrings runs, and the API reference has all names of the package."""

import doctest
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from sybil.document import Document
from sybil.parsers.markdown import PythonCodeBlockParser

import opticflow
from clips import write_clip
from pictures import moving, texture
from stores import write_store
from train_toys import flying_chairs

ROOT = Path(__file__).parents[1]
ELSEWHERE = "extending.md"
"""A page of additions to the package, which `test_extending.py` applies."""
FENCE = re.compile(r"^ *```python\b", re.M)


def parsed(path: Path) -> Document:
    """A page whose blocks share one namespace, that of a script."""
    document = Document.parse(str(path), PythonCodeBlockParser())
    document.namespace["__name__"] = "__main__"
    return document


PAGES = {
    path.relative_to(ROOT).as_posix(): parsed(path)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if path.name != ELSEWHERE
}
EXAMPLES = {name: list(page.examples()) for name, page in PAGES.items()}
evaluated: set[tuple[str, int]] = set()


def blocks():
    for name, examples in EXAMPLES.items():
        for example in examples:
            yield pytest.param(name, example.line, id=f"{name}:{example.line}")


@pytest.fixture
def files(write_files) -> Path:
    """A folder of all the files that the docs name, small ones."""
    frames = moving(64, 96, 3)
    flow = np.full((64, 96, 2), (2, 1), np.float32)
    known = texture(64, 96)[..., 0] > 60
    sintel, kitti = "MPI-Sintel/training", "data_scene_flow/training"
    large = moving(400, 800, 2)
    large_flow = np.full((400, 800, 2), (2, 1), np.float32)
    folder = write_files(
        {
            "frame1.png": frames[0],
            "frame2.png": frames[1],
            "frame.png": frames[0],
            "flow.flo": flow,
            "frame_0001.flo": (flow, known),
            "flow_folder/0.flo": flow,
            "flow_folder/1.flo": 2 * flow,
            **flying_chairs("FlyingChairs_release/", (384, 512)),
            f"{sintel}/clean/alley_1/frame_0001.png": large[0],
            f"{sintel}/clean/alley_1/frame_0002.png": large[1],
            f"{sintel}/flow/alley_1/frame_0001.flo": large_flow,
            f"{kitti}/image_2/000000_10.png": large[0],
            f"{kitti}/image_2/000000_11.png": large[1],
            f"{kitti}/flow_occ/000000_10.png": large_flow,
            f"{kitti}/flow_noc/000000_10.png": large_flow,
        }
    )
    write_clip(folder / "clip.mp4", frames)
    write_store(folder / "clip.flows", 2, size=(64, 96))
    stack = [frame[..., 0].astype(np.uint16) << 4 for frame in frames]
    assert cv2.imwritemulti(str(folder / "stack.tif"), stack)
    return folder


@pytest.fixture
def _read_limit_as_it_was():
    yield
    opticflow.io.limits.set_read_limit(None)


@pytest.mark.usefixtures("_read_limit_as_it_was")
@pytest.mark.parametrize(("page", "line"), list(blocks()))
def test_a_block_of_python_runs(page, line, files, monkeypatch):
    monkeypatch.chdir(files)
    for example in EXAMPLES[page]:  # those before it on its page come first, in this process, too
        if example.line > line:
            break
        if (page, example.line) in evaluated:
            continue
        evaluated.add((page, example.line))
        example.evaluate()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_python_is_found(page):
    assert len(EXAMPLES[page]) == len(FENCE.findall(PAGES[page].text))


FINDER = doctest.DocTestFinder(exclude_empty=False)
DOCUMENTED = [
    found.name
    for public in opticflow.__all__
    for found in FINDER.find(getattr(opticflow, public), public)
    if found.examples or (found.name == public and not public.endswith("Error"))
]
"""Public names, and methods whose docstrings have an example."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_of_a_docstring_runs(name, files, monkeypatch):
    monkeypatch.chdir(files)
    frames = list(opticflow.read_video("clip.mp4"))
    flow = opticflow.read_flow("flow.flo")
    here = {"opticflow": opticflow, "np": np, "frame1": frames[0], "frame2": frames[1], "flow": flow}
    here |= {"forward": flow, "backward": -flow, "estimator": opticflow.load("DIS")}
    public = name.partition(".")[0]
    (example,) = (e for e in FINDER.find(getattr(opticflow, public), public, globs=here) if e.name == name)
    assert example.examples, f"{name} has no example"
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=report.append)
    assert not report, "".join(report)


def test_the_reference_has_an_entry_for_each_name_of_the_package():
    entries = set(re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(), re.M))
    for name in opticflow.__all__:
        assert f"{getattr(opticflow, name).__module__}.{name}" in entries
