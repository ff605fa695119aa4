"""Training by recipes: the published schedules, and the recipe of the default weights."""

from opticflow.train.loop import Progress, Sources, train
from opticflow.train.recipe import Part, Recipe, Stage, Start
from opticflow.train.run_folder import Run

__all__ = ["Part", "Progress", "Recipe", "Run", "Sources", "Stage", "Start", "train"]
