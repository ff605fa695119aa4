"""The log of a run: a table, and the same curves and flow pictures for TensorBoard."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from opticflow.io.atomic import write_bytes
from opticflow.shapes import Frame

COLUMNS = ("stage", "step", "loss", "gradient", "rate", "error", "skipped")
"""Columns of log.csv: number of updates; mean loss and mean norm of the gradient since the previous row; learning rate;
error on the validation set, in pixels, where it was measured; number of steps skipped because their loss or gradient
was not finite."""


class Logbook:
    """The log of a stage within the log of its run. Rows after the step at which the stage resumes are dropped, so that
    the log of a resumed run equals that of an uninterrupted one."""

    def __init__(self, folder: Path, stage: str, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.stage = stage
        self.table = folder / "log.csv"
        write_bytes(self.table, "".join(_kept(self.table, stage, step)).encode(errors="surrogateescape"))
        # TensorBoard hides the curves from `purge_step` on, which the resumed run draws again
        self.writer = SummaryWriter(str(folder / "tensorboard" / stage), purge_step=step + 1)

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Write a row; figures are given by column."""
        figures = [repr(values[name]) if name in values else "" for name in COLUMNS[2:]]
        with self.table.open("a", newline="") as file:
            csv.writer(file).writerow([self.stage, step, *figures])
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def pictures(self, step: int, pictures: Mapping[str, Frame]) -> None:
        """Log pictures by title."""
        for title, picture in pictures.items():
            self.writer.add_image(title, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write out everything that is buffered."""
        self.writer.close()


def _kept(table: Path, stage: str, step: int) -> list[str]:
    """Return the header and the complete lines that are kept."""
    header = ",".join(COLUMNS) + "\r\n"
    if not table.is_file():
        return [header]
    # bytes that are not UTF-8 are kept as they are
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        _, *lines = file.readlines() or [header]
    cells = [line.split(",") for line in lines]
    kept = [
        line
        for line, cell in zip(lines, cells, strict=True)
        # a run that was killed may leave its last line unfinished
        if line.endswith("\n")
        and len(cell) == len(COLUMNS)
        and re.fullmatch(r"[0-9]{1,18}", cell[1])
        and (cell[0] != stage or int(cell[1]) <= step)
    ]
    return [header, *kept]
