"""Fixtures that tests of several packages share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

from opticflow.cli import main
from opticflow.io import write_flow, write_image

hypothesis.settings.register_profile("shared-machine", deadline=None, max_examples=40)
hypothesis.settings.load_profile("shared-machine")
torch.set_num_threads(1)  # tests run in several processes
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # asked for before anything imports Triton


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of public frames with true flow, laid out as `pairs/NAME/` and `video/`; skipped where absent."""
    root = Path(os.environ.get("OPTICFLOW_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set OPTICFLOW_REAL_DATA")
    return root


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """A function that gives PyTorch, and the loops of the package with it, a number of threads."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[dict], Path]:
    """A function that fills `tmp_path` from a table, path -> contents, and returns it.

    Contents: a uint8 picture; a bool mask, written white where true; a float flow, or flow and valid mask; text.
    """

    def write(files: dict) -> Path:
        for name, contents in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(contents, str):
                path.write_text(contents)
            elif isinstance(contents, tuple):
                write_flow(path, *contents)
            elif contents.dtype == bool:
                write_image(path, np.repeat(contents[..., None] * np.uint8(255), 3, -1))
            elif contents.dtype == np.uint8:
                write_image(path, contents)
            else:
                write_flow(path, contents)
        return tmp_path

    return write


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """A function that runs `opticflow` with the given arguments as a shell does: exit code, output, errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["opticflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
