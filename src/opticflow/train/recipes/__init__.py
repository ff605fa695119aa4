"""The recipes by name."""

from opticflow.errors import InputError, did_you_mean
from opticflow.train.recipe import Recipe
from opticflow.train.recipes.default import DEFAULT, GPU
from opticflow.train.recipes.finetune import finetune
from opticflow.train.recipes.flownet import FINE, LONG, SHORT, curriculum
from opticflow.train.recipes.raft import MIXED_PRECISION, TWO_GPUS

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        DEFAULT,
        GPU,
        finetune(),
        SHORT,
        LONG,
        FINE,
        curriculum("full"),
        curriculum("thin"),
        TWO_GPUS,
        MIXED_PRECISION,
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        InputError: there is no such recipe; the message lists similar names, or all.
    """
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; {did_you_mean(name, RECIPES, cutoff=0.4)}")
    return RECIPES[name]


__all__ = ["RECIPES", "find_recipe", "finetune"]
