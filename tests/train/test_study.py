"""The study of data order."""

import json

import pytest

from opticflow.train.sources import Locations
from opticflow.train.study import orders, study


def test_all_orders_have_the_same_budget_and_the_papers_schedules():
    recipes = orders(1700, 4, (64, 64), "FlowNet2-s")
    assert {recipe.steps for recipe in recipes} == {1700}
    assert {stage.batch for recipe in recipes for stage in recipe.stages} == {4}
    last = recipes[-1]
    assert [stage.steps for stage in last.stages] == [1200, 500]
    assert [stage.learning_rate for stage in last.stages] == [1e-4, 1e-5]
    assert [part.dataset for stage in last.stages for part in stage.data] == ["chairs", "things-clean"]


@pytest.mark.slow
def test_the_study_runs_resumes_and_writes_its_table(tmp_path):
    budget = {"steps": 2, "batch": 1, "crop": (64, 64), "rate": 2.0, "validation_samples": 1}
    numbers = {**budget, "device": "cpu", "precision": "fp32"}
    table = study(tmp_path / "study", Locations(), **numbers)
    assert (tmp_path / "study" / "study.md").read_text() == table
    errors = json.loads((tmp_path / "study" / "study.json").read_text())["error_px"]
    assert len(errors) == 4 and all(set(row) == {"chairs", "things", "mixed"} for row in errors.values())
    assert study(tmp_path / "study", Locations(), resume=True, **numbers) == table
