"""Ctrl-C, from the first moment of the command to its last."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX")


def interrupted(code: str) -> tuple[int, str]:
    """The exit code and standard error of a process that runs the command after some other code."""
    code = "import os, signal, sys\n" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_while_a_package_is_imported(tmp_path):
    """Wherever in an import the signal arrives, and whatever the package makes of an exception."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    raise RecursionError\n"
    )
    code = f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import opticflow.__main__, opticflow.cli
        opticflow.cli.app = lambda **_: __import__("slow")
        opticflow.__main__.main()
    """
    assert interrupted(code) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "where",
    [
        "os.kill(os.getpid(), signal.SIGINT)",
        "type('T', (), {'__del__': lambda _: os.kill(os.getpid(), signal.SIGINT)})()",
        "__import__('atexit').register(os.kill, os.getpid(), signal.SIGINT)",
    ],
    ids=["in the work", "in a destructor", "at the end"],
)
def test_while_the_verb_works_and_when_it_is_done(where):
    code = f"""
        import opticflow.__main__, opticflow.cli
        opticflow.cli.app = lambda **_: ({where}) and None
        opticflow.__main__.main()
    """
    assert interrupted(code) == (130, "interrupted\n")


def test_a_verb_says_it_once():
    code = """
        import opticflow.__main__, opticflow.cli
        sys.modules["opticflow.cli.version"].say = lambda _: os.kill(os.getpid(), signal.SIGINT)
        sys.argv = ["opticflow", "version"]
        opticflow.__main__.main()
    """
    assert interrupted(code) == (130, "interrupted\n")


def test_what_is_being_written_is_tidied_up():
    code = """
        import opticflow.__main__, opticflow.cli
        def work(**_):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                print("tidied up", file=sys.stderr)
        opticflow.cli.app = work
        opticflow.__main__.main()
    """
    assert interrupted(code) == (130, "tidied up\ninterrupted\n")


def test_interrupts_that_a_shell_has_ignored_stay_ignored():
    code = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        import opticflow.__main__, opticflow.cli
        opticflow.cli.app = lambda **_: os.kill(os.getpid(), signal.SIGINT)
        opticflow.__main__.main()
    """
    assert interrupted(code) == (0, "")


@pytest.mark.parametrize("moment", [0.1, 0.2, 0.3])
def test_at_some_moment_of_the_start(moment):
    code = "import opticflow.__main__, sys; print(flush=True); sys.argv[1:] = ['models']; opticflow.__main__.main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"interrupted\n" and process.wait() == 130
