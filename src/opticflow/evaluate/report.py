"""The results of an evaluation: per pair, per sequence and in total."""

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
    """The errors of one model on one pair."""

    name: str
    sequence: str
    width: int
    height: int
    seconds: float
    """Time of the estimate alone, without reading and measuring."""
    sums: tuple[float, ...]
    """Sum of the errors over the region, for each column of the protocol."""
    counts: tuple[int, ...]
    """Number of valid pixels in the region, for each column of the protocol."""

    def values(self) -> list[float]:
        """Return the mean error over the region, for each column of the protocol; NaN where the region is empty."""
        return [total / count if count else math.nan for total, count in zip(self.sums, self.counts, strict=True)]


@dataclass(frozen=True)
class Case:
    """One of the pairs with the largest errors, with pictures."""

    name: str
    error: float
    """Mean end-point error, in pixels."""
    pictures: Mapping[str, bytes]
    """JPEG pictures by title."""


@dataclass
class ModelResult:
    """The results of one model."""

    name: str
    settings: Mapping[str, str]
    """Device, precision and the other settings."""
    weights_sha256: str | None
    parameters: int
    records: list[EvaluationRecord] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals.zero)
    sequences: dict[str, Totals] = field(default_factory=dict)
    histogram: Int64[np.ndarray, " bins"] = field(
        default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES) - 1, dtype=np.int64)
    )
    """Number of valid pixels by end-point error, between `HISTOGRAM_EDGES`."""

    def interval(self, protocol: Protocol, column: Column) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of a column of the protocol that the records were made for."""
        index = protocol.columns.index(column)
        sums = np.array([record.sums[index] for record in self.records])  # one sum for each image
        counts = np.array([record.counts[index] for record in self.records], dtype=np.int64)
        return bootstrap_interval(sums, counts, average=column.average)

    def timing(self) -> dict[str, float]:
        """Return seconds per pair. The first pair includes one-time work such as compiling; the median hardly does."""
        seconds = [record.seconds for record in self.records]
        return {"median": float(np.median(seconds)), "fastest": min(seconds), "first": seconds[0], "sum": sum(seconds)}


@dataclass(frozen=True)
class Broken:
    """A pair that could not be evaluated and is not part of any figure."""

    name: str
    problem: str


@dataclass
class Report:
    """The results of an evaluation of one or more models on the same pairs."""

    dataset: str
    root: str
    pairs: int
    """Number of pairs to be evaluated."""
    protocol: Protocol
    models: list[ModelResult]
    environment: Mapping[str, str]
    command: str = ""
    """The command line."""
    broken: list[Broken] = field(default_factory=list)
    interrupted: bool = False
    """Whether the user interrupted the run; the figures are then for the pairs before that."""
    cases: list[Case] = field(default_factory=list)
    """The pairs with the largest errors of the first model, largest first."""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def done(self) -> int:
        """Number of evaluated pairs, which the figures are for."""
        return len(self.models[0].records)

    def columns(self) -> list[Column]:
        """Return the columns of the protocol that apply: those by occlusion only if a pixel is known to be occluded."""
        # where nothing is known to be occluded, "matched" would be the same as "all"
        known = self.models[0].totals.pooled.count("unmatched") > 0
        return [column for column in self.protocol.columns if known or column.region not in ("matched", "unmatched")]

    def to_json(self) -> dict[str, Any]:
        """Return everything except the pictures as JSON values; NaN and infinity become None."""
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
    """Return a column's name, with its unit where that is not pixels."""
    unit = METRICS[column.metric].unit
    return column.name + {"px": "", "%": " %", "degrees": " °"}[unit]


def show(value: float, column: Column) -> str:
    """Format a figure for tables: two decimals for pixels and degrees, one for shares."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if METRICS[column.metric].unit == "%" else f"{value:.2f}"
