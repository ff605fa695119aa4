"""Options that several commands share."""

import types
from collections.abc import Callable
from dataclasses import Field, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from typing_extensions import Doc

from opticflow.settings import Settings

_UNSET = {"max_memory": "no limit"}
"""Help text for the default of an option that is None, where that does not mean "as the weights are best used"."""


def with_settings(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command whose parameter `settings` is built from options: one per field of `Settings`, except those for
    which the command has its own parameter."""
    parameters = list(signature(verb).parameters.values())
    place = next(i for i, parameter in enumerate(parameters) if parameter.name == "settings")
    own = {parameter.name for parameter in parameters}
    options = [_option(field) for field in fields(Settings) if field.name not in own]

    @wraps(verb)
    def run(**given: Any) -> Any:
        settings = Settings(**{option.name: given.pop(option.name) for option in options})
        return verb(**given, settings=settings)

    parameters[place : place + 1] = options
    keywords = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = signature(verb).replace(parameters=keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
    return run


def _option(field: Field[Any]) -> Parameter:
    usual = _UNSET.get(field.name, "as the weights are best used") if field.default is None else True
    annotation, *notes = get_args(field.type)
    (text,) = (note.documentation for note in notes if isinstance(note, Doc))
    option = typer.Option(help=text, show_default=usual, rich_help_panel="The estimate")
    return Parameter(
        field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[_kind(annotation), option]
    )


def _kind(annotation: Any) -> Any:
    """Return the type of an option: of several types, the one that accepts any text; `Settings` checks the choices."""
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = get_args(annotation)
        kind = str if str in kinds else next(kind for kind in kinds if kind is not types.NoneType)
        return kind | None if types.NoneType in kinds else kind
    return annotation
