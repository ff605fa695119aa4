"""Evaluation of flow methods: a model over a data set, submission files, and checks that need no ground truth."""

from opticflow.evaluate.page import page
from opticflow.evaluate.report import Report
from opticflow.evaluate.runner import EvaluatedModel, evaluate

__all__ = ["EvaluatedModel", "Report", "evaluate", "page"]
