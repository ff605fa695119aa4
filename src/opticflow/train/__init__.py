"""Training by recipes: the published schedules, and those of the weights that this package ships."""

from opticflow.train.loop import Progress, Sources, train
from opticflow.train.recipe import Part, Recipe, Stage, Start
from opticflow.train.run_folder import Run

__all__ = ["Part", "Progress", "Recipe", "Run", "Sources", "Stage", "Start", "train"]
