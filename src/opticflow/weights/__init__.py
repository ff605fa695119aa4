"""From a name to a network that is ready to use."""

from pathlib import Path

from opticflow.models import FlowNetwork, build


def load_network(name_or_file: str | Path) -> FlowNetwork:
    """The method of that name.

    Raises:
        InputError: no such name; the message lists the near ones.
    """
    return build(str(name_or_file)).eval()


__all__ = ["load_network"]
