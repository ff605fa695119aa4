"""The exponential moving average of a network's weights, which a run publishes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average: after each update, average = decay * average + (1 - decay) * weights.

    After n updates the decay is at most (1 + n) / (10 + n), so that the average follows the first weights quickly
    (the warm-up of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """
        Args:
            network: the network whose parameters and buffers are averaged, starting with their present values.
            decay: the largest decay, such as 0.999.
        """
        self.decay, self.updates = decay, 0
        # copies, because the tensors of `state_dict` share the memory of the network
        self.tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Add the weights after an update to the average."""
        self.updates += 1
        # at the beginning the average mostly follows the present weights, which change fast
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        present = network.state_dict()
        floating = [name for name, tensor in present.items() if tensor.is_floating_point()]
        averages = [self.tensors[name] for name in floating]
        # average += (1 - decay) (weights - average), for all tensors in one call
        torch._foreach_lerp_(averages, [present[name] for name in floating], 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for name in present.keys() - set(floating):  # counters of batch norms
            self.tensors[name].copy_(present[name])

    @contextmanager
    def within(self, network: nn.Module) -> Iterator[None]:
        """Return a context in which the network has the averaged weights; afterwards it has its own again."""
        # copied, because loading the averages overwrites the memory of the network
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.tensors)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by tensor name, and under the empty name the number of updates; input of `restore`."""
        return {**self.tensors, "": torch.tensor(self.updates)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` has returned."""
        self.updates = int(state[""])
        for name, tensor in self.tensors.items():
            tensor.copy_(state[name])
