"""Compose the networks around a network that settings ask for, and describe them."""

from collections.abc import Sequence

from opticflow.models import CoarseToFine, FlowNetwork, VariationalRefinement
from opticflow.settings import Settings


def compose(network: FlowNetwork, settings: Settings) -> FlowNetwork:
    """Return a network with the networks around it that settings ask for."""
    if settings.coarse_start:
        network = CoarseToFine(network)
    if settings.refine:  # outermost: details of a coarse flow would be lost when it is enlarged
        network = VariationalRefinement(network)
    return network


def use_in_words(iterations: int | None, uses: Sequence[str]) -> str:
    """Describe how a network is used, as `8 iterations, coarse to fine, variational refinement`; empty if there is
    nothing to say.

    Args:
        iterations: of an iterative network.
        uses: `FlowNetwork.uses`.
    """
    return ", ".join([*([] if iterations is None else [f"{iterations} iterations"]), *uses])
