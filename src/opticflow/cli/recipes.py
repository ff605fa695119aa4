"""opticflow recipes"""

import shutil
import textwrap
from typing import Annotated

import typer

from opticflow.cli.printing import counted, say, show_json


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Name of a recipe; by default all are listed.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """List the training recipes with their numbers and the sources of these.

    Example: `opticflow recipes RAFT`
    """
    from opticflow.train.recipes import RECIPES, find_recipe

    chosen = [find_recipe(name)] if name else list(RECIPES.values())
    if json:
        show_json({"recipes": [recipe.to_json() for recipe in chosen]})
        return
    for recipe in chosen:
        _say(f"{recipe.name}: {recipe.title}")
        for stage in recipe.stages:
            height, width = stage.crop
            data = ", ".join(part.dataset for part in stage.data)
            _say(f"{stage.name}: {stage.model} on {data}", 2)
            _say(
                f"{counted(stage.steps, 'step')} of {stage.batch}, crops of {width}x{height}, rate "
                f"{stage.learning_rate:g} {stage.schedule}, weight decay {stage.weight_decay:g}",
                4,
            )
            _say(stage.source, 4)
        say("")


def _say(text: str, indent: int = 0) -> None:
    """Print text wrapped to the terminal's width, broken between words."""
    width = shutil.get_terminal_size().columns - indent
    for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
        say(" " * indent + line)
