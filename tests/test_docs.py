"""The docs say what the program does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from opticflow.cli import app

DOCS = Path(__file__).parents[1] / "docs"


def test_the_command_line_reference_is_current(tmp_path):
    """Made anew by `typer opticflow.cli utils docs --name opticflow --output docs/cli.md`."""
    pinned = re.search(r"^typer==(.+)$", (DOCS.parent / "constraints.txt").read_text(), re.M)
    if pinned is None or typer.__version__ != pinned[1]:
        pytest.skip("made by the version of Typer in constraints.txt")
    command = [sys.executable, "-m", "typer", "opticflow.cli", "utils", "docs", "--name", "opticflow"]
    subprocess.run([*command, "--output", str(tmp_path / "cli.md")], check=True, capture_output=True)
    assert (DOCS / "cli.md").read_text() == (tmp_path / "cli.md").read_text()


def verbs(group=None, path=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*path, name))
        else:
            yield pytest.param(command, id=" ".join((*path, name)))


@pytest.mark.parametrize("command", list(verbs()))
def test_every_verb_has_help_and_an_example(command):
    assert command.help and "Example: `opticflow " in command.help.replace("\n", " ")
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


def test_links_in_the_readme_lead_somewhere():
    readme = DOCS.parent / "README.md"
    for target in re.findall(r"\]\((?!http)([^)#]+)", readme.read_text()):
        assert (readme.parent / target).exists(), target
