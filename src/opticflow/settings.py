"""The options of an estimate: each is defined, explained and checked here only.

`Settings` is used by `load`, `estimate`, the Estimator, the options of the command line, the records of runs, and the
best settings in the manifest of weights.
"""

import difflib
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

from typing_extensions import Doc

from opticflow.errors import InputError

if TYPE_CHECKING:
    import torch

    Device = str | torch.device
else:  # PyTorch takes seconds to import, and `opticflow --help` shows these settings, too
    Device = str

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Padding = Literal["center", "bottom"]
MOST_ITERATIONS = 10_000
LARGEST_MEMORY = 2.0**60
"""Upper limit of a memory size in bytes, more than any machine has."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of an estimate.

    The text beside each field is also its help on the command line. None in `iterations`, `refine` and `coarse_start`
    means the value that suits the weights best, which `load` looks up.

    Raises:
        InputError: a value that cannot be used.

    Example:
        >>> settings = opticflow.Settings(scale=0.5, precision="fp32")
        >>> estimator = opticflow.load("DIS", **vars(settings))
        >>> estimator.settings.scale
        0.5
    """

    __no_type_check__ = True  # for the tests' checks of types: values are checked below, with errors for users

    device: Annotated[Device, Doc("auto, cpu, cuda, cuda:1 ...")] = "auto"
    precision: Annotated[
        Precision,
        Doc("Number format of the convolutions: auto, fp32, bf16 or fp16. auto is bf16 where that is faster."),
    ] = "auto"
    iterations: Annotated[int | None, Doc("Number of updates of the flow in RAFT.")] = None
    padding: Annotated[
        Padding,
        Doc(
            "Where frames are padded to a multiple of the network's stride: center, half on each side; or bottom, "
            "all vertical padding below, as RAFT's authors do for KITTI."
        ),
    ] = "center"
    scale: Annotated[
        float, Doc("Resize frames by this factor before the estimate; the flow keeps the frames' size.")
    ] = 1.0
    refine: Annotated[
        bool | None,
        Doc('Variational refinement after the estimate, FlowNet\'s "+v".'),
    ] = None
    max_memory: Annotated[
        str | int | None,
        Doc("Memory limit of the process on a CPU, such as 4GB: larger frames are estimated in tiles."),
    ] = None
    coarse_start: Annotated[
        bool | None,
        Doc("Start from estimates at a quarter and half the size, for large motion."),
    ] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", str(self.device))
        for name, choices in {"precision": Precision, "padding": Padding}.items():
            if getattr(self, name) not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise InputError(f"there is no {name} {getattr(self, name)!r}; known are {known}")
        if not isinstance(self.scale, int | float) or not 0 < self.scale <= 8:
            raise InputError(f"the scale is {self.scale}; wanted a factor above 0 and up to 8")
        if self.iterations is not None:
            check_iterations(self.iterations)
        if self.max_memory is not None:
            parse_memory(self.max_memory)

    def resolved(self, usual: Mapping[str, Any]) -> "Settings":
        """Return these settings with the given values in place of None.

        Args:
            usual: values of `iterations`, `coarse_start` and `refine` that the weights are best used with. Its
                iterations belong to its coarse start: where another start is asked for, iterations stay None, and the
                network's own number is used.
        """
        coarse = usual.get("coarse_start", False) if self.coarse_start is None else self.coarse_start
        refine = usual.get("refine", False) if self.refine is None else self.refine
        iterations = self.iterations
        if iterations is None and coarse == usual.get("coarse_start", False):
            iterations = usual.get("iterations")
        return replace(self, iterations=iterations, coarse_start=coarse, refine=refine)

    def record(self) -> dict[str, Any]:
        """Return the fields by name, ready for JSON."""
        return asdict(self)


def check_iterations(iterations: object) -> int:
    """Return a number of iterations, or raise an error if it is not valid.

    Raises:
        InputError: it is not a whole number from 1 to MOST_ITERATIONS.
    """
    if type(iterations) is not int or not 1 <= iterations <= MOST_ITERATIONS:
        raise InputError(
            f"iterations is {reprlib.repr(iterations)}; wanted a whole number from 1 on, {MOST_ITERATIONS:,} at most"
        )
    return iterations


def parse_memory(amount: str | int) -> int:
    """Parse bytes from `4GB`, `1500 MB`, `2GiB`, or a number of bytes.

    Raises:
        InputError: not an amount of memory.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?)B?", str(amount).strip().upper())
    size = float(found[1]) * _UNITS.get(found[2], 0) if found else 0.0
    if not 0 < size < LARGEST_MEMORY:
        raise InputError(f"{reprlib.repr(amount)} is no amount of memory; wanted one as 4GB, 500MB or 2GiB")
    return int(size)


A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")
P = ParamSpec("P")


def settings_by_name(
    settings: Callable[P, Settings],
) -> Callable[[Callable[Concatenate[A, B, ...], R]], Callable[Concatenate[A, B, P], R]]:
    """Decorate a function with a keyword `settings`, so that callers give the fields by name instead.

    An unknown name raises an InputError, whose message lists similar names.

    Args:
        settings: the class that has the fields: `Settings`, or one derived from it.
    """
    known = signature(settings).parameters
    make: Callable[..., Settings] = settings

    def decorate(function: Callable[Concatenate[A, B, ...], R]) -> Callable[Concatenate[A, B, P], R]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> R:
            own = {name: options.pop(name) for name in positional if name in options}
            for name in options:
                if name not in known:
                    near = difflib.get_close_matches(name, known, n=3)
                    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
                    raise InputError(f"there is no option {name!r}; {hint}")
            return function(*arguments, **own, settings=make(**options))

        parameters = [item for name, item in signature(function).parameters.items() if name != "settings"]
        positional = [item.name for item in parameters]
        shown = [
            item.replace(annotation=getattr(item.annotation, "__origin__", item.annotation)) for item in known.values()
        ]
        call.__signature__ = signature(function).replace(parameters=[*parameters, *shown])  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
