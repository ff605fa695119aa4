"""Which networks are put around a network."""

from opticflow.models import CoarseToFine, FlowNetwork, VariationalRefinement
from opticflow.settings import Settings


def compose(network: FlowNetwork, settings: Settings) -> FlowNetwork:
    """A network, with the networks around it that settings ask for."""
    if settings.coarse_start:
        network = CoarseToFine(network)
    if settings.refine:  # outermost: details of a coarse flow would be lost when it is enlarged
        network = VariationalRefinement(network)
    return network
