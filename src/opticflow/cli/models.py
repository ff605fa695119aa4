"""opticflow models"""

import typer

models = typer.Typer(help="The flow methods and their weights.", no_args_is_help=True)


@models.command("list")
def list_models() -> None:
    """List the methods, by the names of their papers.

    Example: `opticflow models list`
    """
    from opticflow.models import DEFAULT_MODEL, MODELS

    for name in MODELS:
        print(f"{name}{'  (default)' if name == DEFAULT_MODEL else ''}")
