"""Every reader is given damaged files (`fuzzing.py`); and what watches them sees what it should."""

import os
import sys
from pathlib import Path

import pytest

from fuzzing import fuzz

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by way of /proc")
CASES = int(os.environ.get("OPTICFLOW_FUZZ_CASES", "60"))
"""For each reader; a night's worth with 100,000."""
SEED = int(os.environ.get("OPTICFLOW_FUZZ_SEED", "0"))


@pytest.mark.parametrize("family", sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.py")))
def test_damaged_files_are_refused_or_read(family):
    report = fuzz(family, CASES, SEED)
    print(report)  # noqa: T201 (pytest -s shows it)
    assert not report.failures, str(report)
    assert sum(report.read.values()) and sum(report.refused.values())


TOYS = """
import os, signal, warnings
from fuzzing import Target
from opticflow.errors import FormatError

kept = []

def reader(act):
    def read(path):
        if path.read_bytes() != b"whole file":
            act()
    return read

def fail(error):
    raise error

def targets():
    acts = dict(
        good=lambda: fail(FormatError("is cut off")), lines=lambda: fail(FormatError("is\\ncut off")),
        traceback=lambda: fail(ZeroDivisionError("oh")), warning=lambda: warnings.warn("odd"),
        noise=lambda: os.write(2, b"libtoy: odd"), hang=lambda: any(iter(int, 1)), end=lambda: os._exit(3),
        crash=lambda: os.kill(os.getpid(), signal.SIGSEGV), memory=lambda: kept.append(b"x" * 150_000_000),
    )
    limits = dict(seconds=0.5, megabytes=100)
    found = [Target(name, ".toy", [b"whole file"], reader(act), **limits) for name, act in acts.items()]
    return found + [Target("strict", ".toy", [b"x"], lambda path: fail(FormatError("is bad")))]
"""


def test_all_that_a_reader_may_not_do_is_seen(tmp_path, monkeypatch):
    (tmp_path / "toys.py").write_text(TOYS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = fuzz("toys", 2, 0)
    assert report.read["good"] == report.refused["good"] == 1
    words = {
        "lines 1": "not one line",
        "traceback 1": "ZeroDivisionError: 'oh'",
        "warning 1": "UserWarning",
        "noise 1": "printed 'libtoy: odd'",
        "hang 1": "hangs",
        "end 1": "exit 3",
        "crash 1": "SIGSEGV",
        "memory 1": "MB of memory",
        "strict 0": "a whole file is refused",
    }
    found = dict(text.split(": ", 1) for text in report.failures)
    assert found.keys() == words.keys()
    for name, text in words.items():
        assert text in found[name]
