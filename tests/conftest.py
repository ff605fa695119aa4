"""Fixtures that many rooms share."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("shared-machine", deadline=None, max_examples=40)
hypothesis.settings.load_profile("shared-machine")
torch.set_num_threads(1)  # tests run in several processes


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of public frames with true flow, laid out as `pairs/NAME/` and `video/`; skipped where absent."""
    root = Path(os.environ.get("OPTICFLOW_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set OPTICFLOW_REAL_DATA")
    return root
