"""The tables of the benchmarks name metrics and regions that exist, and say how they average."""

import pytest

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
