"""Make an Estimator from a model's name or a checkpoint file, with the settings that suit its weights best."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ParamSpec, Protocol, overload

from torch import Tensor
from typing_extensions import Doc

from opticflow import weights
from opticflow.estimator.estimator import Estimator
from opticflow.settings import Settings, settings_by_name
from opticflow.shapes import Array, FlowArray, Picture

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class MethodSettings(Settings):
    """The settings together with the model."""

    model: Annotated[
        str | Path, Doc("A name of `opticflow models list`, a checkpoint file or the folder of a training run.")
    ] = weights.DEFAULT_MODEL


class _Load(Protocol[P]):
    """The signature of `load` for editors and type checkers, with the fields of the settings by name."""

    def __call__(self, name_or_file: str | Path = ..., /, *positional: P.args, **settings: P.kwargs) -> Estimator: ...


class _Estimate(Protocol[P]):
    """The signature of `estimate` for editors and type checkers."""

    @overload
    def __call__(self, first: Tensor, second: Tensor, /, *positional: P.args, **settings: P.kwargs) -> Tensor: ...
    @overload
    def __call__(self, first: Array, second: Array, /, *positional: P.args, **settings: P.kwargs) -> FlowArray: ...


def _typed_estimate(settings: Callable[P, MethodSettings]) -> Callable[[Callable[..., Any]], _Estimate[P]]:
    return settings_by_name(settings)  # type: ignore[return-value]


def _typed(settings: Callable[P, Settings]) -> Callable[[Callable[..., Estimator]], _Load[P]]:
    return settings_by_name(settings)  # type: ignore[return-value]


@_typed(Settings)
def load(name_or_file: str | Path = weights.DEFAULT_MODEL, *, settings: Settings) -> Estimator:
    """Make an Estimator from a model's name or a checkpoint file.

    Args:
        name_or_file: a name of `opticflow models list`, with or without the tag of a weight set
            (`RAFT-small.worlds`), a checkpoint in a layout that `opticflow models import` knows, or the folder of a
            training run.
        settings: by keyword, the fields of `Settings`, such as `device="cpu"` or `iterations=12`. Options that are not
            given take the values that suit the weights best: those that come with the package may have a coarse start
            and refinement, others have neither. `repr` of the Estimator shows the chosen values.

    Raises:
        InputError: an unknown name or option (the message lists similar ones), or a value that cannot be used.
        WeightsError: a checkpoint that does not fit, or weights that are not on this machine.

    Example:
        >>> opticflow.load("RAFT-small", device="cpu", precision="fp32")
        Estimator(RAFT-small.worlds: 8 iterations, coarse to fine, variational refinement, fp32, cpu)
    """
    estimator = Estimator(weights.load_network(name_or_file), **vars(resolve(name_or_file, settings)))
    estimator.name = weights.full_name(name_or_file)
    return estimator


@_typed_estimate(MethodSettings)
def estimate(first: Picture, second: Picture, *, settings: MethodSettings) -> FlowArray | Tensor:
    """Estimate the flow from one frame to another: `load(model)(first, second)`. For many pairs, load once.

    Args:
        first: see `Estimator.__call__`.
        second: see `Estimator.__call__`.
        settings: by keyword, `model`, a name or a file as `load` takes it, and the fields of `Settings`.

    Raises:
        See `load` and `Estimator.__call__`.

    Example:
        >>> flow = opticflow.estimate(frame1, frame2, model="DIS")
    """
    options = dict(vars(settings))
    return load(options.pop("model"), **options)(first, second)  # type: ignore[arg-type]


def resolve(name_or_file: str | Path, settings: Settings) -> Settings:
    """Return the settings with None replaced by the values that suit the weights best. Errors are those of `load`."""
    return settings.resolved(weights.usual_settings(name_or_file))
