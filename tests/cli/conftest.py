"""The command, as a user calls it."""

import sys

import pytest

from opticflow.cli import main


@pytest.fixture
def opticflow_command(monkeypatch, capsys):
    """Runs the command in this process; gives the exit code, standard output and standard error."""

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["opticflow", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
