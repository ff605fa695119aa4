"""Training by recipes: the published schedules, and those of the weights that this package ships."""

from opticflow.train.checkpoint import Run
from opticflow.train.loop import Progress, Sources, train
from opticflow.train.recipe import Part, Recipe, Stage, Start

__all__ = ["Part", "Progress", "Recipe", "Run", "Sources", "Stage", "Start", "train"]
