"""Fixtures of the training's tests."""

from collections.abc import Callable

import pytest

from opticflow.train.recipe import Recipe, Stage
from train_toys import small_stage


@pytest.fixture
def stage() -> Callable[..., Stage]:
    """A function that makes a small stage, with changes by name."""
    return small_stage


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """A function that makes a recipe of one small stage, with changes by name."""
    return lambda **changes: Recipe("small", "a test", (small_stage(**changes),))
