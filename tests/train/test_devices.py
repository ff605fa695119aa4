"""What training needs, and what it says where it is missing."""

import sys

import pytest
import torch

from opticflow.errors import InputError
from opticflow.train.devices import launch, require, tuned_convolutions


@pytest.mark.parametrize("missing", ["tensorboard", "lightning.fabric"])
def test_a_missing_extra_is_named_with_its_cure(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"training needs .*pip install 'opticflow\[train\]'"):
        require()


def test_half_precision_is_not_offered():
    with pytest.raises(InputError, match="use fp32, or bf16"):
        launch("cpu", "fp16")


def test_the_devices_number_format_is_that_which_was_asked_for():
    fabric, number_format = launch("cpu", "bf16")
    assert (fabric.world_size, number_format, str(fabric.device)) == (1, "bf16", "cpu")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_convolutions_are_tuned_for_a_gpu_and_only_in_training(monkeypatch, before, device):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    with pytest.raises(ZeroDivisionError), tuned_convolutions(torch.device(device)):
        assert torch.backends.cudnn.benchmark == (before or device == "cuda")
        raise ZeroDivisionError
    assert torch.backends.cudnn.benchmark == before
