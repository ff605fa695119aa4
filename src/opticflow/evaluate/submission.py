"""Submission files for the benchmark servers, and a check of their format.

MPI-Sintel: `clean/SCENE/frame0001.flo` and the same in `final`, 552 files each; its program `bundler` (in the data
set's download) makes one file of both folders, which is uploaded.
KITTI 2015: `flow/000000_10.png` to `flow/000199_10.png`, in a ZIP archive (readme of its development kit).
Spring: `0003/flow_FW_left/flow_FW_left_0001.flo5` and so on for both cameras and directions, 3960 files; its program
`flow_subsampling` (from its page) makes one file of them, which is uploaded (the benchmark's questions and answers).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from opticflow.data import FlowDataset, Pair, open_dataset
from opticflow.data.spring import EVERY, spring
from opticflow.errors import InputError, OpticflowError
from opticflow.io import read_flow_with_mask, write_flow
from opticflow.io.atomic import make_folder
from opticflow.shapes import FlowArray, Frame


@dataclass(frozen=True)
class Benchmark:
    """The format that a server expects."""

    parts: Callable[[Path], dict[str, FlowDataset]]
    """Function from the data set's folder to its test sets, by the folder of the submission for their results."""
    file_name: Callable[[Pair], str]
    """Function that names the file of a pair within that folder."""
    files: int
    """Number of files in a full submission."""
    low: float
    """Smallest value that can be stored, in pixels; smaller values are set to it."""
    high: float
    """Largest value that can be stored, in pixels; larger values are set to it."""
    next_step: str
    """Text that says what remains to be done; `{folder}` is replaced by the folder."""


def _sintel_name(pair: Pair) -> str:
    return f"{pair.sequence}/frame{pair.first.stem.removeprefix('frame_')}.flo"


_FLOAT16 = 65504.0  # Spring's program rounds to half precision

BENCHMARKS: dict[str, Benchmark] = {
    "sintel": Benchmark(
        lambda root: {part: open_dataset(f"sintel-{part}", root, "test") for part in ("clean", "final")},
        _sintel_name,
        2 * 552,  # test pairs, rendered clean and final
        -1e9,
        1e9,
        "bundler {folder}/clean {folder}/final sintel.lzma, then upload sintel.lzma",
    ),
    "kitti-2015": Benchmark(
        lambda root: {"flow": open_dataset("kitti-2015", root, "testing")},
        lambda pair: f"{pair.name}_10.png",
        200,
        -512.0,
        # 16 bits in steps of 1/64 px around 32768
        (65535 - 32768) / 64,
        "cd {folder} && zip -r kitti.zip flow, then upload kitti.zip",
    ),
    "spring": Benchmark(
        lambda root: {".": spring(root, "test", views=EVERY)},
        lambda pair: f"{pair.name}.flo5",
        3960,
        -_FLOAT16,
        _FLOAT16,
        "flow_subsampling {folder}, then upload flow_submission.hdf5",
    ),
}


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of this name.

    Raises:
        InputError: no such name.
    """
    if name not in BENCHMARKS:
        raise InputError(f"there is no submission for {name!r}; wanted {' or '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def planned(chosen: Benchmark, root: Path) -> list[tuple[FlowDataset, int, PurePosixPath]]:
    """Return every pair of a benchmark: its data set, its index there, and its file within the submission.

    Raises:
        DatasetError: the data set is not there.
    """
    return [
        (dataset, index, PurePosixPath(part) / chosen.file_name(pair))
        for part, dataset in chosen.parts(root).items()
        for index, pair in enumerate(dataset.pairs)
    ]


def write_submission(
    name: str, root: Path, folder: Path, estimate: Callable[[Frame, Frame], FlowArray], *, limit: int | None = None
) -> Iterator[PurePosixPath]:
    """Estimate the test pairs of a benchmark and write their files one by one.

    Args:
        name: a key of `BENCHMARKS`.
        root: folder of the data set.
        folder: folder of the submission; created if it does not exist.
        estimate: the flow method.
        limit: write only this many pairs, for a trial.

    Yields:
        The file just written, relative to the folder.

    Raises:
        InputError: there is no such benchmark, or an estimate is not finite.
        DatasetError: the data set is not there.
    """
    chosen = benchmark(name)
    for dataset, index, file in planned(chosen, root)[:limit]:
        flow = estimate(*dataset.frames(index))
        if not np.isfinite(flow).all():
            raise InputError(f"the estimate for {file} is NaN or infinite in places; the servers take finite flow only")
        path = folder / file
        make_folder(path.parent)
        write_flow(path, np.clip(flow, chosen.low, chosen.high))
        yield file


def check_submission(name: str, root: Path, folder: Path, *, limit: int | None = None) -> Iterator[str]:
    """Yield what a server would reject: files that are missing, superfluous, unreadable, of the wrong size, with
    unknown pixels or with values out of range. Without a limit, also yield a wrong number of pairs in the data set.

    A file is superfluous if it belongs to no pair of the whole benchmark, whether or not there is a limit.

    Args:
        name: a key of `BENCHMARKS`.
        root: folder of the data set, for the names and sizes.
        folder: folder of the submission.
        limit: check only the files of this many pairs, as after a trial.

    Yields:
        One line for each fault.
    """
    chosen = benchmark(name)
    plan = planned(chosen, root)
    if limit is None and len(plan) != chosen.files:
        yield f"the data set in {root} has {len(plan)} test pairs; a full submission has {chosen.files}"
    suffix = plan[0][2].suffix
    found = {PurePosixPath(path.relative_to(folder).as_posix()) for path in folder.rglob(f"*{suffix}")}
    # compared with the whole plan: files of pairs beyond the limit are not superfluous
    for file in sorted(found - {file for *_, file in plan}):
        yield f"{file} belongs to no pair"
    for dataset, index, file in plan[:limit]:
        if file not in found:
            yield f"{file} is missing"
            continue
        height, width = dataset.frames(index)[0].shape[:2]
        try:
            flow, valid = read_flow_with_mask(folder / file)
        except OpticflowError as error:
            yield str(error)
            continue
        if valid.shape != (height, width):
            yield f"{file} is {flow.shape[1]}x{flow.shape[0]}; its frames are {width}x{height}"
        elif not valid.all():
            yield f"{file} has {int((~valid).sum())} pixels without flow; wanted none"
        elif flow.min() < chosen.low or flow.max() > chosen.high:
            yield f"{file} has values from {flow.min():g} to {flow.max():g}; wanted {chosen.low:g} to {chosen.high:g}"
