"""The result of an evaluation: per pair, per sequence and in total."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Int64

from opticflow.metrics import METRICS, REGIONS, Column, Protocol, Totals, bootstrap_interval

# the first bin begins at 0 and the last has no end, so that every error is counted
HISTOGRAM_EDGES = np.concatenate(([0.0], np.exp2(np.arange(-6, 9.5, 0.5)), [np.inf]))
"""Bin edges of the error histogram, in pixels: half octaves from 1/64 to 256."""


@dataclass(frozen=True)
class EvaluationRecord:
    """One pair."""

    name: str
    sequence: str
    width: int
    height: int
    seconds: float
    """The time of the estimate alone, without reading and measuring."""
    sums: tuple[float, ...]
    """For each column of the protocol, the sum over its region."""
    counts: tuple[int, ...]
    """For each column of the protocol, the valid pixels of its region."""

    def values(self) -> list[float]:
        """For each column of the protocol, the mean over its region; NaN where that is empty."""
        return [total / count if count else math.nan for total, count in zip(self.sums, self.counts, strict=True)]


@dataclass(frozen=True)
class Case:
    """A pair among the worst, with pictures."""

    name: str
    error: float
    """Mean end-point error, in pixels."""
    pictures: Mapping[str, bytes]
    """JPEG, by title."""


@dataclass
class ModelResult:
    """What one model reached."""

    name: str
    settings: Mapping[str, str]
    """Device, precision and what else was chosen."""
    weights_sha256: str | None
    parameters: int
    records: list[EvaluationRecord] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals.zero)
    sequences: dict[str, Totals] = field(default_factory=dict)
    histogram: Int64[np.ndarray, " bins"] = field(
        default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES) - 1, dtype=np.int64)
    )
    """Valid pixels by end-point error, between `HISTOGRAM_EDGES`."""

    def interval(self, protocol: Protocol, column: Column) -> tuple[float, float]:
        """The 95 % bootstrap interval of a column of the protocol that the records were made for."""
        index = protocol.columns.index(column)
        sums = np.array([record.sums[index] for record in self.records])  # one sum for each image
        counts = np.array([record.counts[index] for record in self.records], dtype=np.int64)
        return bootstrap_interval(sums, counts, average=column.average)

    def timing(self) -> dict[str, float]:
        """Seconds per pair. The first includes what is done once, such as compiling; the median hardly does."""
        seconds = [record.seconds for record in self.records]
        return {"median": float(np.median(seconds)), "fastest": min(seconds), "first": seconds[0], "sum": sum(seconds)}


@dataclass(frozen=True)
class Broken:
    """A pair that could not be evaluated, and is in no figure."""

    name: str
    problem: str


@dataclass
class Report:
    """The result of an evaluation of one or several models on the same pairs."""

    dataset: str
    root: str
    pairs: int
    """How many pairs were to be evaluated."""
    protocol: Protocol
    models: list[ModelResult]
    environment: Mapping[str, str]
    command: str = ""
    """What was typed."""
    broken: list[Broken] = field(default_factory=list)
    interrupted: bool = False
    """Whether the run was stopped by hand; the figures are of the pairs before."""
    cases: list[Case] = field(default_factory=list)
    """The worst pairs of the first model, worst first."""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def done(self) -> int:
        """How many pairs the figures are of."""
        return len(self.models[0].records)

    def columns(self) -> list[Column]:
        """The columns of the protocol that mean something here: those by occlusion only if any was known."""
        # where nothing is known to be occluded, "matched" would be the same as "all"
        known = self.models[0].totals.pooled.count("unmatched") > 0
        return [column for column in self.protocol.columns if known or column.region not in ("matched", "unmatched")]

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures; what is not a number is null."""
        return {
            "created": self.created,
            "command": self.command,
            "dataset": {"name": self.dataset, "root": self.root, "pairs": self.pairs, "evaluated": self.done},
            "interrupted": self.interrupted,
            "protocol": {
                "name": self.protocol.name,
                "source": self.protocol.source,
                "averaging": self.protocol.averaging,
                "columns": [
                    {
                        "name": column.name,
                        "metric": column.metric,
                        "region": column.region,
                        "average": column.average,
                        "unit": METRICS[column.metric].unit,
                    }
                    for column in self.protocol.columns
                ],
            },
            "environment": dict(self.environment),
            "models": [self._model_to_json(model) for model in self.models],
            "broken": [{"name": broken.name, "problem": broken.problem} for broken in self.broken],
        }

    def _model_to_json(self, model: ModelResult) -> dict[str, Any]:
        columns = self.protocol.columns
        return {
            "name": model.name,
            "settings": dict(model.settings),
            "weights_sha256": model.weights_sha256,
            "parameters": model.parameters,
            "total": {column.name: _number(column.of(model.totals)) for column in columns},
            "interval_95": {
                column.name: [_number(end) for end in model.interval(self.protocol, column)] for column in columns
            },
            "sequences": {
                name: {column.name: _number(column.of(totals)) for column in columns}
                for name, totals in model.sequences.items()
            },
            "every_metric": {
                metric: {
                    region: {
                        "over_pixels": _number(model.totals.mean(metric, region, "pixels")),
                        "over_images": _number(model.totals.mean(metric, region, "images")),
                    }
                    for region in REGIONS
                }
                for metric in METRICS
            },
            "seconds_per_pair": model.timing(),
            "histogram": {"edges_px": HISTOGRAM_EDGES[:-1].tolist(), "pixels": model.histogram.tolist()},
            "pairs": [
                {
                    "name": record.name,
                    "sequence": record.sequence,
                    "width": record.width,
                    "height": record.height,
                    "seconds": record.seconds,
                }
                | {column.name: _number(value) for column, value in zip(columns, record.values(), strict=True)}
                for record in model.records
            ],
        }


def _number(value: float) -> float | None:
    # JSON has no NaN and no infinity
    return value if math.isfinite(value) else None


def label(column: Column) -> str:
    """A column's name with its unit, where that is not pixels."""
    unit = METRICS[column.metric].unit
    return column.name + {"px": "", "%": " %", "degrees": " °"}[unit]


def show(value: float, column: Column) -> str:
    """A figure as tables print it: two digits after the point for pixels and degrees, one for shares."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if METRICS[column.metric].unit == "%" else f"{value:.2f}"
