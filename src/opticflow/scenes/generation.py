"""Write synthetic data sets: in several processes, resumable, without incomplete files."""

import json
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

import cv2

from opticflow.errors import DatasetError, InputError, OpticflowError
from opticflow.io.atomic import remove_unfinished, write_bytes
from opticflow.runtime.interrupts import interrupts_held_back
from opticflow.scenes.set_layouts import LAYOUTS
from opticflow.scenes.worlds import World, make_world

MANIFEST = "generation.json"
MOST_ITEMS = 10**9
MOST_JOBS = 1024
SPARE_BYTES = 256 * 2**20
"""Disk space that must stay free."""
VERSION = 1
"""Version of the samples; it is raised when the same seed gives other samples than before."""


@dataclass(frozen=True)
class Order:
    """The settings that determine the content of a data set; equal settings give equal bytes."""

    kind: str
    seed: int
    height: int
    width: int
    backgrounds: str | None = None
    objects: str | None = None
    version: int = VERSION

    def world(self) -> World:
        """Return the world that makes the items."""
        backgrounds, objects = (Path(folder) if folder else None for folder in (self.backgrounds, self.objects))
        return make_world(self.kind, self.seed, (self.height, self.width), backgrounds=backgrounds, objects=objects)


@dataclass(frozen=True)
class SizeEstimate:
    """The items that a run still has to make, and the disk space that they need."""

    missing: Sequence[int]
    """Numbers of the items that do not exist yet."""
    bytes: int
    """Disk space that they need."""
    free: int
    """Disk space that is free."""


def estimate_size(order: Order, root: Path, count: int, *, resume: bool) -> SizeEstimate:
    """Find the missing items and the disk space they need, and check that the data set can be written to a folder.

    Raises:
        InputError: the folder holds another set, or the same and `resume` is off, or other things.
        DatasetError: the disk has not enough room.
    """
    if not 1 <= count <= MOST_ITEMS:
        raise InputError(f"{count} items were asked for; wanted 1 to {MOST_ITEMS}")
    layout = LAYOUTS[order.kind]
    _check_folder(order, root, resume=resume)
    missing: Sequence[int] = range(count)
    if root.is_dir():
        missing = [number for number in missing if not layout.last(root, number).is_file()]
    needed = len(missing) * layout.item_bytes(order.height, order.width)
    # the folder may not exist yet, so the nearest one above it tells which disk is written to
    existing = next(folder for folder in [root.absolute(), *root.absolute().parents] if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if needed + SPARE_BYTES > free:
        raise DatasetError(
            f"{len(missing)} of {count} items need about {amount(needed)} and {existing} has {amount(free)} free; "
            "ask for fewer (-n) or smaller ones (--size), or write to another disk (-o)"
        )
    return SizeEstimate(missing, needed, free)


def generate(
    order: Order,
    root: Path,
    count: int,
    *,
    jobs: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SizeEstimate:
    """Write those of the items 0 to `count` - 1 that do not exist yet.

    Args:
        root: a new or empty folder; with `resume` also one that an earlier run has begun.
        jobs: processes. The files are the same whatever their number.
        progress: called with the number of items that are there, and `count`.

    Raises:
        OpticflowError: see `estimate_size`; or a file cannot be written.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"{jobs} jobs were asked for; wanted 1 to {MOST_JOBS}")
    order.world()  # refuses what cannot be made, before anything is written
    plan = estimate_size(order, root, count, resume=resume)
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        remove_unfinished(folder)  # of a run that was killed
    write_bytes(root / MANIFEST, json.dumps(asdict(order), indent=2).encode())
    done = count - len(plan.missing)
    progress(done, count)
    if jobs == 1 or len(plan.missing) < 2:
        for _ in _make(order, root, plan.missing):
            done += 1
            progress(done, count)
    else:
        for _ in _spread(order, root, plan.missing, min(jobs, len(plan.missing))):
            done += 1
            progress(done, count)
    LAYOUTS[order.kind].finish(root, count)
    return plan


def amount(count: int) -> str:
    """Format a number of bytes for people: `4.2 GB`."""
    power = min(4, max(1, (len(str(count)) - 1) // 3))
    return f"{count / 1000**power:.1f} {'kMGT'[power - 1]}B"


def _check_folder(order: Order, root: Path, *, resume: bool) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; wanted a folder to write to")
    manifest = root / MANIFEST
    if not manifest.is_file():
        if root.is_dir() and any(root.iterdir()):
            raise InputError(f"{root} is not empty and was not made by `opticflow generate`; give a new folder")
        return
    try:
        found = json.loads(manifest.read_text())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{manifest} is damaged; give a new folder")
    for key, wanted in asdict(order).items():
        if found.get(key) != wanted:
            raise InputError(
                f"{root} holds a set with {key} {found.get(key)}, and {key} {wanted} was asked for; "
                "give a new folder or the same options"
            )
    if not resume:
        raise InputError(f"{root} already holds such a set; add --resume to complete it, or give a new folder")


def _make(order: Order, root: Path, numbers: Sequence[int]):
    """Make and write items one by one; yield their numbers."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the processes are the parallelism
    try:
        world, layout = order.world(), LAYOUTS[order.kind]
        for number in numbers:
            layout.write(root, number, world.item(number))
            yield number
    finally:
        cv2.setNumThreads(threads)


def _spread(order: Order, root: Path, numbers: Sequence[int], jobs: int):
    """Make and write items in several processes. A process whose parent was killed stops at its next item."""
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], []
    try:
        for job in range(jobs):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(there, order, root, numbers[job::jobs]), daemon=True)
            with interrupts_held_back():
                process.start()
            there.close()  # so that the pipe ends when the process dies
            processes.append(process)
            pipes.append(here)
        while pipes:
            for pipe in wait(pipes):
                if not isinstance(pipe, Connection):
                    continue
                try:
                    message = pipe.recv()
                except EOFError:
                    raise DatasetError(
                        "a process of the run has died, out of memory perhaps; run again with --resume"
                    ) from None
                if message is None:
                    pipes.remove(pipe)
                elif isinstance(message, Exception):
                    raise message
                else:
                    yield message
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(pipe: Connection, order: Order, root: Path, numbers: Sequence[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for number in _make(order, root, numbers):
            pipe.send(number)
        pipe.send(None)
    except BrokenPipeError:
        return
    except (OpticflowError, OSError) as error:
        pipe.send(error)
