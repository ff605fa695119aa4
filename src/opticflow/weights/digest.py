"""A name for weights that two layouts of the same share."""

import hashlib

import torch
from torch import nn


def weights_hash(network: nn.Module) -> str | None:
    """The SHA-256 of a network's parameters and buffers: names, types, shapes and values; none without any.

    It does not depend on the file they came from, so that two layouts of the same weights have the same hash.
    """
    state = network.state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
