"""opticflow recipes"""

from typing import Annotated

import typer

from opticflow.cli.printing import SafeConsole, show_json


def recipes(
    name: Annotated[str | None, typer.Argument(help="One of them; all if not given.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """List the training schedules with their numbers, and where these are from.

    Example: `opticflow recipes RAFT`
    """
    from rich.table import Table

    from opticflow.train.recipes import RECIPES, find_recipe

    chosen = [find_recipe(name)] if name else list(RECIPES.values())
    if json:
        show_json({"recipes": [recipe.to_json() for recipe in chosen]})
        return
    console = SafeConsole()
    for recipe in chosen:
        table = Table(title=f"{recipe.name}: {recipe.title}", title_justify="left", title_style="bold")
        for column in ("stage", "network", "data", "steps", "batch", "crop", "rate", "weight decay"):
            table.add_column(column, overflow="fold")
        for stage in recipe.stages:
            height, width = stage.crop
            data = ", ".join(part.dataset for part in stage.data)
            rate = f"{stage.learning_rate:g} {stage.schedule}"
            numbers = (f"{stage.steps:,}", str(stage.batch), f"{width}x{height}", rate)
            table.add_row(stage.name, stage.model, data, *numbers, f"{stage.weight_decay:g}")
        console.print(table)
        for stage in recipe.stages:
            console.print(f"{stage.name}: {stage.source}", markup=False, highlight=False)
        console.print()
