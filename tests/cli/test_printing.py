"""What the command prints, wherever its output goes."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

from opticflow.cli import app
from opticflow.cli.printing import SafeConsole, visible
from opticflow.io import write_flow, write_image
from pictures import moving

NAME = "\u65e5\u672c\x1b[2J"  # of files: not in ASCII, and clears a terminal
CPU = ("--device", "cpu")
QUICK = ("--steps", "1", "--batch", "1", "--crop", "64x64", "--validation", "0", "--precision", "fp32", *CPU)
VERBS = {
    "demo": (0, "demo", "-o", "demo", "--model", "DIS"),
    "estimate": (0, "estimate", f"{NAME}/img1.png", f"{NAME}/img2.png", "-o", f"{NAME}.flo", "--model", "DIS"),
    "estimate of a clip": (0, "estimate", NAME, "-o", f"{NAME}-flow", "--save", "flo", "--model", "DIS"),
    "view": (0, "view", f"{NAME}/gt.flo", "-o", f"{NAME}.png"),
    "convert": (0, "convert", f"{NAME}/gt.flo", f"{NAME}.pfm"),
    "check": (0, "check", f"{NAME}/gt.flo", f"{NAME}/img1.png", f"{NAME}/img2.png"),
    "evaluate": (0, "evaluate", "DIS", "pairs", ".", "--html", "page.html", "--json", "report.json"),
    "submit": (1, "submit", "DIS", "kitti-2015", "kitti", "-o", f"{NAME}-submission"),
    "generate": (0, "generate", "chairs", "-n", "1", "-o", f"{NAME}-chairs", "--size", "96x64"),
    "train": (0, "train", "S_short", "--model", "FlowNet2-s", "-o", f"{NAME}-run", *QUICK),
    "recipes": (0, "recipes", "default"),
    "version": (0, "version"),
    "data check": (0, "data", "check", "pairs", "."),
    "benchmark networks": (2, "benchmark", "networks", NAME),
    "benchmark clip": (0, "benchmark", "clip", NAME, "--model", "DIS", "--rounds", "1"),
    "benchmark stream": (2, "benchmark", "stream", NAME),
    "benchmark generate": (2, "benchmark", "generate", NAME),
    "models list": (0, "models", "list"),
    "models info": (0, "models", "info", "DIS"),
    "models import": (2, "models", "import", f"{NAME}/gt.flo"),
    "models download": (2, "models", "download", NAME),
    "estimate of a store": (0, "estimate", NAME, "-o", f"{NAME}.flows", "--model", "DIS"),
    "store info": (0, "store", "info", f"{NAME}.flows"),
    "store check": (0, "store", "check", f"{NAME}.flows"),
    "store pack": (0, "store", "pack", f"{NAME}.flows"),
    "store compact": (0, "store", "compact", f"{NAME}.flows"),
    "store export": (0, "store", "export", f"{NAME}.flows", "-o", f"{NAME}-export", "--save", "flo,jpeg"),
    "a wrong name": (2, "view", f"{NAME}.no"),
}
RUNS_ALL = """
import json, os, sys
from opticflow.__main__ import main

def direct(where):
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.close(number)
        if where == "closed":
            setattr(sys, name, None)
            continue
        # the lowest free number, which is the one just closed
        file = os.open("/dev/full" if where == "full" else f"../{where}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        setattr(sys, name, os.fdopen(file, "w", encoding="ascii", closefd=False))

codes = {}
verbs = json.load(open("verbs.json"))
for where in ("ascii", "full", "closed"):
    os.chdir(f"in-{where}")
    codes[where] = {}
    for name, (_, *arguments) in verbs.items():
        sys.argv = ["opticflow", *arguments]
        direct(where)
        try:
            main()
        except SystemExit as end:
            codes[where][name] = end.code
        except BaseException as error:
            codes[where][name] = repr(error)
    os.chdir("..")
json.dump(codes, open("codes.json", "w"))
"""


def command_names(group: typer.Typer, before: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        yield before + (command.name or command.callback.__name__)  # type: ignore[union-attr]
    for inner in group.registered_groups:
        yield from command_names(inner.typer_instance, f"{inner.name} ")  # type: ignore[arg-type]


def test_the_verbs_here_are_all_that_there_are():
    assert set(command_names(app)) <= set(VERBS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_every_verb_does_its_work_where_its_output_is_ascii_full_or_closed(tmp_path):
    first, second = moving(64, 96, 2)
    folders = [tmp_path / f"in-{where}" for where in ("ascii", "full", "closed")]
    for folder in folders:
        for place in (folder / NAME, folder / "kitti" / "testing" / "image_2"):
            place.mkdir(parents=True)
        write_image(folder / NAME / "img1.png", first)
        write_image(folder / NAME / "img2.png", second)
        write_flow(folder / NAME / "gt.flo", np.tile(np.float32([2, 1]), (64, 96, 1)))
        for number, frame in ((10, first), (11, second)):
            write_image(folder / "kitti" / "testing" / "image_2" / f"000000_{number}.png", frame)
    (tmp_path / "verbs.json").write_text(json.dumps(VERBS))
    environment = os.environ | {"OPTICFLOW_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", RUNS_ALL], cwd=tmp_path, env=environment, check=True)
    codes = {name: code for name, (code, *_) in VERBS.items()}
    lost = {name: code or 2 for name, code in codes.items()}
    assert json.loads((tmp_path / "codes.json").read_text()) == {"ascii": codes, "full": lost, "closed": codes}
    for folder in folders:
        for made in (".flo", ".png", ".pfm", "-flow/flo/img1.flo", "-run/run.json"):
            assert (folder / (NAME + made)).is_file()
        assert (folder / "page.html").is_file()
    printed = (tmp_path / "ascii").read_text("ascii")
    assert r"\u65e5\u672c\x1b[2J.flo" in printed and "\x1b" not in printed and "Traceback" not in printed
    assert sum(line.startswith("error: ") for line in printed.splitlines()) == sum(code == 2 for code in codes.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_output_that_cannot_be_written_is_one_line_and_code_2():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "opticflow", "recipes"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: No space left on device (standard output)\n")


def test_a_reader_that_wants_no_more_is_no_error():
    command = [sys.executable, "-m", "opticflow", "recipes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, \u65e5\u672c and \xb7", "plain, \u65e5\u672c and \xb7"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("two\nlines\r", r"two\nlines\r"),
        ("c\udcff.mp4", r"c\udcff.mp4"),
        ("\x9b31m \u202egnp", r"\x9b31m \u202egnp"),
    ],
)
def test_nothing_that_is_printed_moves_or_colours_a_terminal(text, shown):
    assert visible(text) == shown
    console = SafeConsole(file=io.StringIO(), width=80)
    console.print(text.replace("\n", "\r"), markup=False, highlight=False)
    assert console.file.getvalue().isprintable() or console.file.getvalue()[:-1].isprintable()  # type: ignore[attr-defined]
