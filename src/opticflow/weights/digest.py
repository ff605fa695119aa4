"""A hash of weights that does not depend on the layout of their file."""

import hashlib

import torch
from torch import nn

from opticflow.models import FlowNetwork


def weights_hash(network: nn.Module) -> str | None:
    """Return the SHA-256 of a network's parameters and buffers (names, types, shapes and values); None if it has none.

    It does not depend on the file they came from, so two layouts of the same weights have the same hash. It does not
    depend on wrappers around the network either: refinement, `torch.compile`, data-parallel training. The records of an
    estimate, the report of an evaluation and `opticflow models info` give this hash, so it can be compared.
    """
    state = _bare(network).state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    # sorted, because layouts differ in their order
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # as bytes, because NumPy has no bfloat16
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _bare(network: nn.Module) -> nn.Module:
    """Return the network without its wrappers."""
    if isinstance(network, FlowNetwork) and network.innermost is not network:
        return _bare(network.innermost)
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return _bare(network.module)
    within = getattr(network, "_orig_mod", None)  # of torch.compile
    return _bare(within) if isinstance(within, nn.Module) else network
