"""The flow methods, by the names of their papers, in one table."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

from opticflow.errors import InputError
from opticflow.models.classical import DIS, Farneback, HornSchunck, LucasKanade
from opticflow.models.coarse_to_fine import CoarseToFine
from opticflow.models.fast import accelerate
from opticflow.models.flownet import flownet_c, flownet_s
from opticflow.models.flownet2 import THIN, flownet2_c, flownet2_fused, flownet2_s, flownet2_sd, flownet2_stack
from opticflow.models.network import Encoded, FlowNetwork, LearnedNetwork, WrappedNetwork
from opticflow.models.raft import raft_large, raft_small
from opticflow.models.raft_pyramid import raft_pyramid
from opticflow.models.refinement import VariationalRefinement

MODELS: dict[str, Callable[..., FlowNetwork]] = {
    "FlowNetS": flownet_s,
    "FlowNetC": flownet_c,
    "FlowNet2-s": partial(flownet2_s, width=THIN),
    "FlowNet2-c": partial(flownet2_c, width=THIN),
    "FlowNet2-ss": partial(flownet2_stack, "SS", width=THIN),
    "FlowNet2-cs": partial(flownet2_stack, "CS", width=THIN),
    "FlowNet2-css": partial(flownet2_stack, "CSS", width=THIN),
    "FlowNet2-S": flownet2_s,
    "FlowNet2-C": flownet2_c,
    "FlowNet2-SS": partial(flownet2_stack, "SS"),
    "FlowNet2-CS": partial(flownet2_stack, "CS"),
    "FlowNet2-CSS": partial(flownet2_stack, "CSS"),
    "FlowNet2-CSS-ft-sd": partial(flownet2_stack, "CSS"),
    "FlowNet2-SD": flownet2_sd,
    "FlowNet2": flownet2_fused,
    "RAFT": raft_large,
    "RAFT-small": raft_small,
    "RAFT-pyramid": raft_pyramid,
    "Lucas-Kanade": LucasKanade,
    "Horn-Schunck": HornSchunck,
    "Farneback": Farneback,
    "DIS": DIS,
}


def build(name: str, **options: Any) -> FlowNetwork:
    """Build the method with this name; a network has random weights.

    Args:
        name: a key of MODELS.
        options: of that method, see its function.

    Raises:
        InputError: no such name; the message lists the near ones.
    """
    if name not in MODELS:
        by_folded = {known.casefold(): known for known in MODELS}
        near = difflib.get_close_matches(name.casefold(), by_folded, n=4, cutoff=0.5)
        hint = f"did you mean {', '.join(by_folded[n] for n in near)}?" if near else f"known are {', '.join(MODELS)}"
        raise InputError(f"there is no model {name!r}; {hint} (case matters)")
    return MODELS[name](**options)


__all__ = [
    "MODELS",
    "CoarseToFine",
    "Encoded",
    "FlowNetwork",
    "LearnedNetwork",
    "VariationalRefinement",
    "WrappedNetwork",
    "accelerate",
    "build",
]
