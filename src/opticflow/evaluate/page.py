"""The report as one self-contained HTML page without scripts or external files."""

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from opticflow.evaluate.report import HISTOGRAM_EDGES, ModelResult, Report, label, show

_COLOURS = ("#0b62a4", "#d1495b", "#3d8b37", "#8f5fbf", "#c77700", "#4a4a4a")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #1c1c1c;
  background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } .wide { overflow-x: auto }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.total td { font-weight: 600; border-top: 2px solid #888 }
small, figcaption { color: #555 } code { background: #f2f2f2; padding: .1rem .3rem; overflow-wrap: anywhere }
.case { display: flex; flex-wrap: wrap; gap: .6rem; margin: .4rem 0 1.4rem } figure { margin: 0 }
figure img { display: block; max-width: 100% } .warning { color: #a00; font-weight: 600 }
"""


def page(report: Report) -> str:
    """Return the contents of the HTML file."""
    protocol = report.protocol
    title = f"{' · '.join(model.name for model in report.models)} on {report.dataset}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{report.done} of {report.pairs} pairs. Protocol <b>{escape(protocol.name)}</b>, "
        f"averaged {escape(protocol.averaging)}. <small>{escape(protocol.source)}</small></p>",
        _warnings(report),
        "<h2>Total</h2>",
        _totals(report),
        "<p><small>Small figures: 95 % bootstrap interval over images.</small></p>",
        "<h2>By sequence</h2>",
        *(_sequences(report, model) for model in report.models),
        "<h2>Errors</h2>",
        _histogram(report.models),
        "<h2>Time</h2>",
        _times(report.models),
        _cases(report),
        "<h2>How this was made</h2>",
        _origin(report),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # style and pictures are inside, so that the page works offline and as an attachment
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], last_is_total: bool = False) -> str:
    """Return an HTML table; cells are HTML."""
    rows = list(rows)
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in header) + "</tr>"]
    for index, row in enumerate(rows):
        kind = ' class="total"' if last_is_total and index == len(rows) - 1 else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>")
    return '<div class="wide"><table>' + "\n".join(lines) + "</table></div>"


def _warnings(report: Report) -> str:
    parts = []
    if report.interrupted:
        parts.append(f'<p class="warning">Interrupted: these figures are of the first {report.done} pairs.</p>')
    if report.broken:
        items = "".join(f"<li>{escape(broken.problem)}</li>" for broken in report.broken)
        count = len(report.broken)
        parts.append(f'<p class="warning">Incomplete: {count} pairs could not be evaluated.</p><ul>{items}</ul>')
    return "\n".join(parts)


def _totals(report: Report) -> str:
    columns = report.columns()
    rows = []
    for model in report.models:
        cells = [escape(model.name)]
        for column in columns:
            low, high = model.interval(report.protocol, column)
            around = f"<br><small>{show(low, column)}…{show(high, column)}</small>" if math.isfinite(low) else ""
            cells.append(show(column.of(model.totals), column) + around)
        rows.append(cells)
    return _table(["model", *(escape(label(column)) for column in columns)], rows)


def _sequences(report: Report, model: ModelResult) -> str:
    columns = report.columns()
    rows = [
        [escape(name), *(show(column.of(totals), column) for column in columns)]
        for name, totals in [*model.sequences.items(), ("total", model.totals)]
    ]
    return f"<h3>{escape(model.name)}</h3>" + _table(["", *(escape(label(c)) for c in columns)], rows, True)


def _histogram(models: Sequence[ModelResult]) -> str:
    """Draw the histogram of end-point errors, one curve per model."""
    width, height, left, bottom = 720, 260, 48, 40
    # one value for each bin: its share of the valid pixels
    shares = [model.histogram / max(model.histogram.sum(), 1) for model in models]
    top = max(float(share.max()) for share in shares) or 1.0
    step = (width - left) / len(shares[0])
    lines = [f'<svg viewBox="0 0 {width} {height + bottom}" width="{width}" role="img" aria-label="Error histogram">']
    for tick in np.linspace(0, top, 5):
        # 8 % of the height stay free above the highest bin
        y = height - 0.92 * height * tick / top
        lines.append(f'<line x1="{left}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e5e5"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" font-size="11">{100 * tick:.0f} %</text>')
    for index, edge in enumerate(HISTOGRAM_EDGES[1:-1], start=1):
        # a label at every power of four: bins are half octaves, so a label at each would not fit
        if math.log2(edge) % 2 == 0:
            x = left + index * step
            text = f"1/{1 / edge:.0f}" if edge < 1 else f"{edge:.0f}"
            lines.append(f'<text x="{x:.1f}" y="{height + 16}" text-anchor="middle" font-size="11">{text}</text>')
    lines.append(f'<text x="{width}" y="{height + 34}" text-anchor="end" font-size="11">end-point error, px</text>')
    for index, (model, share) in enumerate(zip(models, shares, strict=True)):
        colour = _COLOURS[index % len(_COLOURS)]
        points = " ".join(
            f"{left + (bin_ + side) * step:.1f},{height - 0.92 * height * value / top:.1f}"
            for bin_, value in enumerate(share)
            # the left and the right end of each bin, so that the line has steps
            for side in (0, 1)
        )
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(
            f'<text x="{width - 8}" y="{18 + 16 * index}" text-anchor="end" font-size="13" fill="{colour}">'
            f"{escape(model.name)}</text>"
        )
    return "\n".join(lines) + "</svg>"


def _times(models: Sequence[ModelResult]) -> str:
    names = ("median", "fastest", "first", "sum")
    rows = [[escape(model.name), *(f"{model.timing()[name]:.3f} s" for name in names)] for model in models]
    return _table(["per pair", *names], rows)


def _cases(report: Report) -> str:
    if not report.cases:
        return ""
    parts = [f"<h2>The {len(report.cases)} worst pairs of {escape(report.models[0].name)}</h2>"]
    for case in report.cases:
        figures = "".join(
            f'<figure><img alt="{escape(title)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
            f"<figcaption>{escape(title)}</figcaption></figure>"
            for title, data in case.pictures.items()
        )
        parts.append(f'<h3>{escape(case.name)}: {case.error:.2f} px</h3><div class="case">{figures}</div>')
    return "\n".join(parts)


def _origin(report: Report) -> str:
    rows = [
        ["made", report.created],
        ["command", f"<code>{escape(report.command)}</code>"],
        ["data", escape(report.root)],
    ]
    for model in report.models:
        settings = ", ".join(f"{name} {value}" for name, value in model.settings.items())
        weights = f"<br>{model.parameters:,} parameters, SHA-256 <code>{model.weights_sha256}</code>"
        rows.append([escape(model.name), escape(settings) + (weights if model.weights_sha256 else "")])
    rows += [[escape(name), escape(value)] for name, value in report.environment.items()]
    return (
        # a table of names and values has no header
        _table(["", ""], rows).replace("<table>", '<table class="origin">').replace("<tr><th></th><th></th></tr>", "")
    )
