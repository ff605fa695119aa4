"""The results as tables for a terminal."""

import math

from rich.markup import escape
from rich.table import Column, Table

from opticflow.evaluate.report import Report, label, show


def heading(report: Report) -> str:
    """Return a heading: what was evaluated, with which protocol and averaging."""
    protocol = report.protocol
    return (
        f"{report.dataset}: {report.done} of {report.pairs} pairs · protocol {protocol.name}, "
        f"averaged {protocol.averaging}\n{protocol.source}"
    )


def sequence_table(report: Report, width: int) -> Table:
    """Return a table with a row per sequence, models side by side, and as many columns of the protocol as fit into
    `width` characters."""
    names = [model.name for model in report.models]
    several = len(names) > 1
    left = width - 4 - max(len(sequence) for sequence in [*report.models[0].sequences, "sequence"])
    columns = []
    for column in report.columns():
        # three characters for the border and spaces of a column, seven for its figures
        left -= sum(3 + max(7, len(label(column)), len(name) if several else 0) for name in names)
        if left < 0 and columns:
            break
        columns.append(column)
    table = Table("sequence")
    for column in columns:
        for name in names:
            table.add_column(f"{label(column)}\n{escape(name)}" if several else label(column), justify="right")
    for sequence in report.models[0].sequences:
        cells = [show(column.of(m.sequences[sequence]), column) for column in columns for m in report.models]
        table.add_row(escape(sequence), *cells)
    return table


def total_table(report: Report) -> Table:
    """Return a table with a row per figure of the protocol, its 95 % interval below, and the time; a column per
    model."""
    table = Table("total, 95 %", *(Column(escape(model.name), justify="right") for model in report.models))
    for column in report.columns():
        cells = []
        for model in report.models:
            low, high = model.interval(report.protocol, column)
            around = f"\n[dim]{show(low, column)} - {show(high, column)}[/]" if math.isfinite(low) else ""
            cells.append(show(column.of(model.totals), column) + around)
        table.add_row(label(column), *cells)
    table.add_row("s per pair", *(f"{model.timing()['median']:.3f}" for model in report.models))
    return table
