"""Run models over a data set and measure their errors."""

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from opticflow.data import Choices, FlowDataset
from opticflow.errors import DatasetError, OpticflowError
from opticflow.estimator import Estimator
from opticflow.evaluate.environment import environment
from opticflow.evaluate.error_pictures import case_pictures
from opticflow.evaluate.report import HISTOGRAM_EDGES, Broken, Case, EvaluationRecord, ModelResult, Report
from opticflow.metrics import Protocol, Sums, Totals, end_point_error, measure, nearest_truth
from opticflow.shapes import FlowArray, Frame, Sample
from opticflow.weights.digest import weights_hash


@dataclass(frozen=True)
class EvaluatedModel:
    """A flow method to evaluate."""

    name: str
    estimate: Callable[[Frame, Frame], FlowArray]
    settings: Mapping[str, str] = field(default_factory=dict)
    weights_sha256: str | None = None
    parameters: int = 0

    @classmethod
    def of(cls, name: str, estimator: Estimator) -> "EvaluatedModel":
        """Return the model of an Estimator, with its settings and the hash of its weights."""
        settings = {key: str(value) for key, value in estimator.settings.record().items() if value not in (None, False)}
        parameters = sum(parameter.numel() for parameter in estimator.network.parameters())
        return cls(name, estimator, settings, weights_hash(estimator.network), parameters)


def evaluate(
    contenders: Sequence[EvaluatedModel],
    dataset: FlowDataset,
    protocol: Protocol,
    *,
    root: str = "",
    command: str = "",
    cases: int = 0,
    progress: Callable[[int, str], None] = lambda done, name: None,
) -> Report:
    """Estimate every pair of a data set with every model, and compare with the ground truth.

    Memory use grows only by one record per pair. A pair that cannot be read or measured is listed as broken, with the
    reason, and left out for all models, so that all are compared on the same pairs. Ctrl-C ends the run and keeps the
    results so far.

    Args:
        contenders: at least one.
        dataset: with ground truth.
        protocol: the figures to report.
        root: folder of the data set, for the report.
        command: the command line, for the report.
        cases: number of the first model's worst pairs whose pictures are kept.
        progress: called after each pair, with the number of pairs done and the name of the last.

    Raises:
        DatasetError: all pairs are broken; the message says what is wrong with the first.
    """
    results = [ModelResult(c.name, c.settings, c.weights_sha256, c.parameters) for c in contenders]
    broken: list[Broken] = []
    interrupted = False
    worst: list[tuple[float, int, Case]] = []
    for index, pair in enumerate(dataset.pairs):
        try:
            sample = dataset[index]
            choices = dataset.choices(pair) if dataset.choices else None
            # all models run before a result is recorded, so that a pair on which one fails is left out for all
            outcomes = [_run(contender, sample, choices) for contender in contenders]
        except OpticflowError as error:
            broken.append(Broken(pair.name, str(error)))
            progress(index + 1, pair.name)
            continue
        except KeyboardInterrupt:
            interrupted = True
            break
        for result, outcome in zip(results, outcomes, strict=True):
            _enter(result, protocol, sample, pair.sequence, outcome)
        error = outcomes[0].sums.mean("EPE")
        # a heap with the smallest error at the front; -index keeps the earlier of two equal pairs
        if cases and (len(worst) < cases or error > worst[0][0]):
            flows = {contender.name: outcome.flow for contender, outcome in zip(contenders, outcomes, strict=True)}
            case = Case(pair.name, error, case_pictures(sample, flows))
            (heapq.heappush if len(worst) < cases else heapq.heapreplace)(worst, (error, -index, case))
        progress(index + 1, pair.name)
    if not results[0].records:
        if interrupted:
            raise KeyboardInterrupt
        raise DatasetError(f"no pair of {dataset.name} can be evaluated; the first: {broken[0].problem}")
    return Report(
        dataset.name,
        root,
        len(dataset),
        protocol,
        results,
        environment(),
        command,
        broken,
        interrupted,
        [case for *_, case in sorted(worst, key=lambda entry: entry[:2], reverse=True)],
    )


@dataclass(frozen=True)
class _Outcome:
    flow: FlowArray
    truth: FlowArray
    seconds: float
    sums: Sums


def _run(contender: EvaluatedModel, sample: Sample, choices: Choices | None) -> _Outcome:
    start = time.perf_counter()
    flow = contender.estimate(sample.first, sample.second)  # H x W x 2, pixels
    seconds = time.perf_counter() - start
    if choices is not None and flow.shape == sample.flow.shape:
        # Spring: of several true vectors the nearest to the estimate counts
        sample = sample.replace(flow=nearest_truth(flow, choices))
    return _Outcome(flow, sample.flow, seconds, measure(flow, sample))


def _enter(result: ModelResult, protocol: Protocol, sample: Sample, sequence: str, outcome: _Outcome) -> None:
    totals, sums = Totals.of(outcome.sums), outcome.sums
    result.totals += totals
    result.sequences[sequence] = result.sequences.get(sequence, Totals.zero()) + totals
    # H x W x 2, pixels; zero where unknown, so that no NaN gets into the error
    truth = np.where(sample.valid[..., None], outcome.truth, np.float32(0))
    result.histogram += np.histogram(end_point_error(outcome.flow, truth)[sample.valid], HISTOGRAM_EDGES)[0]
    result.records.append(
        EvaluationRecord(
            sample.name,
            sequence,
            width=sample.first.shape[1],
            height=sample.first.shape[0],
            seconds=outcome.seconds,
            sums=tuple(sums.sum(column.metric, column.region) for column in protocol.columns),
            counts=tuple(sums.count(column.region) for column in protocol.columns),
        )
    )
