"""Programs of users: `typed_use.py` runs, and a type checker finds the mistakes in it and no others."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import typed_use


def test_it_runs():
    typed_use.main()


def test_a_type_checker_accepts_it():
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("pyright is not installed")
    command = [pyright, "--pythonpath", sys.executable, str(Path(typed_use.__file__))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stdout
