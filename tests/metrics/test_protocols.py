"""The tables of the benchmarks name metrics and regions that exist, and say how they average."""

import re
from pathlib import Path

import pytest

from opticflow.data import DATASETS
from opticflow.evaluate.submission import BENCHMARKS
from opticflow.metrics import METRICS, PROTOCOLS, REGIONS


@pytest.mark.parametrize("name", PROTOCOLS)
def test_columns_name_known_metrics_and_regions(name):
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert len({column.name for column in protocol.columns}) == len(protocol.columns)
    for column in protocol.columns:
        assert column.metric in METRICS
        assert column.region in REGIONS


def test_kitti_says_that_it_averages_in_two_ways():
    assert "EPE over images, Fl-all over pixels" in PROTOCOLS["KITTI"].averaging
    assert PROTOCOLS["Sintel"].averaging == "over pixels"


def test_the_docs_name_all_that_can_be_chosen_or_reported():
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    for name in (*PROTOCOLS, *METRICS, *REGIONS, *DATASETS, *BENCHMARKS):
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w])", text), name
    for protocol in PROTOCOLS.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| {protocol.name}"))
        ways = {column.average for column in protocol.columns}
        assert all(way in row or len(ways) == 2 for way in ways), row
