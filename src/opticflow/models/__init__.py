"""The flow methods, by the names of their papers, in one table."""

import difflib
from collections.abc import Callable

from opticflow.errors import InputError
from opticflow.models.classical import DIS, Farneback, HornSchunck, LucasKanade
from opticflow.models.network import Encoded, FlowNetwork
from opticflow.models.refinement import VariationalRefinement

MODELS: dict[str, Callable[[], FlowNetwork]] = {
    "Lucas-Kanade": LucasKanade,
    "Horn-Schunck": HornSchunck,
    "Farneback": Farneback,
    "DIS": DIS,
}
DEFAULT_MODEL = "DIS"


def build(name: str) -> FlowNetwork:
    """The method of that name; a network comes with untrained weights.

    Raises:
        InputError: no such name; the message lists the near ones.
    """
    if name not in MODELS:
        by_folded = {known.casefold(): known for known in MODELS}
        near = difflib.get_close_matches(name.casefold(), by_folded, n=4, cutoff=0.5)
        hint = f"did you mean {', '.join(by_folded[n] for n in near)}?" if near else f"known are {', '.join(MODELS)}"
        raise InputError(f"there is no model {name!r}; {hint} (case matters)")
    return MODELS[name]()


__all__ = ["DEFAULT_MODEL", "MODELS", "Encoded", "FlowNetwork", "VariationalRefinement", "build"]
