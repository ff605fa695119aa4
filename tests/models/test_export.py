"""torch.export takes the networks at a fixed size, without warnings."""

import pytest
import torch

from opticflow.models import build


@pytest.mark.parametrize(
    "name",
    [
        "FlowNet2-s",
        pytest.param("FlowNet2-css", marks=pytest.mark.slow),
        "RAFT-small",
        pytest.param("RAFT", marks=pytest.mark.slow),
    ],
)
def test_export_at_a_fixed_size(name):
    network = build(name, **({"iterations": 1} if "RAFT" in name else {})).eval()
    first = torch.rand(1, 3, 64, 128)
    exported = torch.export.export(network, (first, first.flip(3))).module()
    other = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        torch.testing.assert_close(exported(other, first), network(other, first))
