"""Write synthetic data sets to disk: in several processes, resumable, and without incomplete files."""

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
"""Disk space in bytes that must stay free."""
VERSION = 1
"""Version of the samples. It is increased whenever the same seed gives different samples than before."""


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
        """Return the world that renders the items."""
        backgrounds, objects = (Path(folder) if folder else None for folder in (self.backgrounds, self.objects))
        return make_world(self.kind, self.seed, (self.height, self.width), backgrounds=backgrounds, objects=objects)


@dataclass(frozen=True)
class SizeEstimate:
    """The missing items of a data set, the disk space that they need, and the free disk space."""

    missing: Sequence[int]
    """Indices of the items that are not yet on disk."""
    bytes: int
    """Approximate disk space that the missing items need, in bytes."""
    free: int
    """Free disk space, in bytes."""


def estimate_size(order: Order, root: Path, count: int, *, resume: bool) -> SizeEstimate:
    """Find the missing items of a data set and the disk space that they need, and check that `root` can hold it.

    Raises:
        InputError: `count` is out of range; or `root` is a file, or a folder that holds other files, a different data
            set, or the same data set while `resume` is false.
        DatasetError: there is not enough free disk space.
    """
    if not 1 <= count <= MOST_ITEMS:
        raise InputError(f"{count} items were asked for; wanted 1 to {MOST_ITEMS}")
    layout = LAYOUTS[order.kind]
    _check_folder(order, root, resume=resume)
    missing: Sequence[int] = range(count)
    if root.is_dir():
        missing = [number for number in missing if not layout.last(root, number).is_file()]
    needed = len(missing) * layout.item_bytes(order.height, order.width)
    # the folder may not exist yet, so the disk is found from its nearest existing parent folder
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
    """Write the items 0 to `count` - 1 of a data set, and skip those that already exist.

    Args:
        root: a new or empty folder; with `resume`, also the folder of an earlier, interrupted run.
        jobs: number of processes; it does not change the files.
        progress: called at the start and after each item with the number of existing items and `count`.

    Raises:
        OpticflowError: see `estimate_size`; also if `jobs` is out of range or a file cannot be written.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"{jobs} jobs were asked for; wanted 1 to {MOST_JOBS}")
    order.world()  # raises if the settings are invalid, before anything is written
    plan = estimate_size(order, root, count, resume=resume)
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        remove_unfinished(folder)  # left by a run that was killed
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
    """Format a number of bytes with a decimal unit, such as `4.2 GB`."""
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
    """Make and write items one by one; yield the index of each item after it is written."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # items are already made in parallel by processes
    try:
        world, layout = order.world(), LAYOUTS[order.kind]
        for number in numbers:
            layout.write(root, number, world.item(number))
            yield number
    finally:
        cv2.setNumThreads(threads)


def _spread(order: Order, root: Path, numbers: Sequence[int], jobs: int):
    """Make and write items in several processes; yield the index of each item after it is written.

    If the parent process is killed, its worker processes stop after their current item.
    """
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], []
    try:
        for job in range(jobs):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(there, order, root, numbers[job::jobs]), daemon=True)
            with interrupts_held_back():
                process.start()
            there.close()  # so that reading ends with EOFError when the worker dies
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
