"""Mutation fuzzing of readers: files damaged at random, each read under limits of time and memory.

A reader may do two things with any file: return what is right in shape, or raise an `OpticflowError` of one line. All
else is a failure: another exception, a warning, a line printed by a decoder, a hang, memory over the limit, the end of
the process. The readers run in a process of their own, which is started again after a case that ended it. Linux only.

A family of readers is a module `fuzz_NAME.py` beside this one, with a function `targets()`. Run by hand:

    python tests/fuzzing.py fuzz_flow --cases 2000 --seed 7          # cases for each target
    python tests/fuzzing.py fuzz_flow --seed 7 --case flo5 123       # writes that file, and reads it
"""

import argparse
import importlib
import json
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opticflow.errors import OpticflowError

_NUMBERS = [0, 1, 2, 3, 7, 255, 4096, 2**15, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
_TEXTS = [b"", b"0", b"-1", b"1.5", b"1.2.3", b"nan", b"1e999", b"65536", b"4294967297", b"9" * 30, b"9" * 5000, b"()"]


@dataclass(frozen=True)
class Target:
    """One reader and whole files for it.

    Attributes:
        name: for the counts; unique within a family.
        suffix: of the files.
        seeds: contents of files that it reads.
        read: reads the file at a path, and asserts that what it returns has the right shape.
        repair: makes damaged contents pass the checks that would refuse nearly all of them, such as checksums.
        noise: pattern of what a decoder prints past its own log, where that cannot be helped: standard error belongs to
            all threads of the process.
        seconds: of processor time that one case may take; it may wait ten times as long.
        megabytes: of memory that may be in use while cases are read, beyond what is in use before.
    """

    name: str
    suffix: str
    seeds: Sequence[bytes]
    read: Callable[[Path], None]
    repair: Callable[[bytes], bytes] = bytes
    noise: str = ""
    seconds: float = 20
    megabytes: float = 1000


@dataclass
class Report:
    """What came of all cases; `failures` are one text each, with the name of the target and the number of the case."""

    read: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    megabytes: float = 0
    seconds: float = 0

    def __str__(self) -> str:
        rows = [f"{name}: {self.read[name]} read, {self.refused[name]} refused" for name in self.read]
        cases = sum(self.read.values()) + sum(self.refused.values()) + len(self.failures)
        end = f"{cases} cases, {len(self.failures)} failures, at most {self.megabytes:.0f} MB, {self.seconds:.0f} s"
        return "\n".join([*rows, end, *self.failures[:40]])


# --- damage


def damaged(contents: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Contents with one to four things wrong: most often in the first or last bytes, where formats have their headers.

    Args:
        contents: of a whole file.
        others: further files, of which pieces may be put in.
        chance: draws all that is random.
    """
    data = bytearray(contents)
    left = chance.choice((1, 1, 1, 2, 4))
    while left > 0 or data == contents:
        chance.choice(_DAMAGES)(data, others, chance)
        left -= 1
    return bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    near = min(len(data), chance.choice((16, 64, 512)))
    return max(0, chance.choice((chance.randrange(near + 1), len(data) - near, chance.randrange(len(data) + 1))))


def _flip(data, others, chance):
    if data:
        data[min(_place(data, chance), len(data) - 1)] ^= 1 << chance.randrange(8)


def _byte(data, others, chance):
    if data:
        data[min(_place(data, chance), len(data) - 1)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _cut(data, others, chance):
    del data[chance.choice((_place(data, chance), len(data) - 1, len(data) - chance.randrange(1, 64))) :]


def _remove(data, others, chance):
    start = _place(data, chance)
    del data[start : start + chance.choice((1, 2, 4, 8, chance.randrange(1, 200)))]


def _insert(data, others, chance):
    start = _place(data, chance)
    data[start:start] = chance.randbytes(chance.choice((1, 2, 4, 8, chance.randrange(1, 200))))


def _repeat(data, others, chance):
    start = _place(data, chance)
    piece = data[start : start + chance.randrange(1, 300)]
    data[start:start] = piece * chance.choice((1, 1, 50))


def _splice(data, others, chance):
    other = chance.choice(others) if others else bytes(data)
    start, begin = _place(data, chance), chance.randrange(len(other) + 1)
    piece = other[begin : begin + chance.randrange(1, 300)]
    data[start : start + chance.choice((0, len(piece)))] = piece


def _number(data, others, chance):
    number, width = chance.choice(_NUMBERS), chance.choice("BHIQ")
    raw = struct.pack(chance.choice("<>") + width, number % 256 ** struct.calcsize(f"<{width}"))
    if len(data) > len(raw):
        start = min(_place(data, chance), len(data) - len(raw))
        data[start : start + len(raw)] = raw


def _text(data, others, chance):
    found = [match.span() for match in re.finditer(rb"-?\d+(?:\.\d+)?", data[:400])]
    if found:
        start, end = chance.choice(found)
        data[start:end] = chance.choice(_TEXTS)


def _zeros(data, others, chance):
    start = _place(data, chance)
    end = min(len(data), start + chance.randrange(1, 300))
    data[start:end] = bytes([chance.choice((0, 255))]) * max(0, end - start)


_DAMAGES = (
    _flip,
    _flip,
    _byte,
    _byte,
    _cut,
    _remove,
    _insert,
    _repeat,
    _splice,
    _number,
    _number,
    _number,
    _text,
    _zeros,
)


def case(target: Target, seed: int, number: int) -> bytes:
    """The contents of one case; the same for the same arguments. The first are the seeds, undamaged."""
    if number < len(target.seeds):
        return target.repair(target.seeds[number])
    chance = random.Random(f"{seed} {target.name} {number}")
    return target.repair(damaged(chance.choice(target.seeds), target.seeds, chance))


# --- the process that reads


def _read_cases(targets: list[Target], cases: int, seed: int, folder: Path, first: int) -> None:
    """Read the cases from `first` on; results are lines of JSON in `folder`, and what is read now stands in `now`."""
    usual = _megabytes()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + 3 * 10**9, hard))  # no case may harm the machine
    warnings.simplefilter("error")
    printed = os.open(folder / "printed", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    with (folder / "results").open("a") as results, (folder / "now").open("r+") as now:
        for number in range(first, len(targets) * cases):
            target = targets[number // cases]
            path = folder / f"case{target.suffix}"
            path.write_bytes(case(target, seed, number % cases))
            now.seek(0)
            now.write(f"{number:12}")
            now.flush()
            _limit_time(target.seconds)
            outcome = _outcome(target.read, path)
            _limit_time(0)
            if number % cases < len(target.seeds) and outcome != "read":
                outcome = f"a whole file is refused: {outcome}"
            if size := os.fstat(printed).st_size:
                text = os.pread(printed, size, 0).decode(errors="replace")
                if not re.fullmatch(target.noise, text):
                    outcome = f"printed {text[:300]!r}"
                os.truncate(printed, 0)
                os.lseek(printed, 0, os.SEEK_SET)
            used = _megabytes() - usual
            if used > target.megabytes:
                outcome = f"{used:.0f} MB of memory"
            results.write(json.dumps([number, outcome, used]) + "\n")
            results.flush()
            if used > target.megabytes:  # the peak of a process does not go down again
                return


def _outcome(read: Callable[[Path], None], path: Path) -> str:
    try:
        read(path)
    except OpticflowError as error:
        text = str(error)
        return "refused" if text and text.isprintable() and len(text) < 600 else f"not one line: {text[:900]!r}"
    except BaseException as error:
        frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        return f"{type(error).__name__}: {str(error)[:200]!r} at {' '.join(frames[-6:])}"
    return "read"


def _limit_time(seconds: float) -> None:
    """End this process, also in a decoder that never returns, after so long of computing, or ten times that in all."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)


def _megabytes() -> float:
    """The most memory that this process has used; `ru_maxrss` would count the one that started it, too."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1000


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


# --- the process that watches


def fuzz(family: str, cases: int, seed: int) -> Report:
    """Read damaged files with every target of a family.

    Args:
        family: the module, such as `fuzz_flow`.
        cases: for each target.
        seed: other numbers make other files.
    """
    names = [target.name for target in _targets(family)]
    assert len(set(names)) == len(names)
    report, outcomes, began = Report(), {}, time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "now").write_text(f"{-1:12}")
        first, total = 0, len(names) * cases
        while first < total:
            command = [sys.executable, __file__, family, "--cases", str(cases), "--seed", str(seed)]
            ended = subprocess.run(
                [*command, "--inside", temporary, "--first", str(first)], capture_output=True, text=True, check=False
            )
            lines = [json.loads(line) for line in (folder / "results").read_text().splitlines()]
            outcomes = {number: outcome for number, outcome, _ in lines}
            report.megabytes = max([0, *(used for _, _, used in lines)])
            now = int((folder / "now").read_text())
            if now < first:
                raise RuntimeError(f"the readers of {family} cannot be started:\n{ended.stderr}")
            if now not in outcomes:
                killed = signal.Signals(-ended.returncode).name if ended.returncode < 0 else f"exit {ended.returncode}"
                outcome = "hangs" if killed in ("SIGPROF", "SIGALRM") else f"ends the process: {killed}"
                outcomes[now] = outcome
                with (folder / "results").open("a") as results:
                    results.write(json.dumps([now, outcome, 0]) + "\n")
            first = now + 1
    for name in names:
        report.read[name] = report.refused[name] = 0
    for number, outcome in sorted(outcomes.items()):
        name = names[number // cases]
        if outcome in ("read", "refused"):
            getattr(report, outcome)[name] += 1
        else:
            report.failures.append(f"{name} {number % cases}: {outcome}")
    report.seconds = time.monotonic() - began
    return report


def _targets(family: str) -> list[Target]:
    return importlib.import_module(family).targets()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", nargs=2, metavar=("TARGET", "NUMBER"))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _read_cases(_targets(options.family), options.cases, options.seed, Path(options.inside), options.first)
    elif options.case:
        (target,) = [target for target in _targets(options.family) if target.name == options.case[0]]
        path = Path(f"case{target.suffix}")
        path.write_bytes(case(target, options.seed, int(options.case[1])))
        target.read(path)
    else:
        report = fuzz(options.family, options.cases, options.seed)
        print(report)  # noqa: T201
        sys.exit(bool(report.failures))


if __name__ == "__main__":
    _main()
