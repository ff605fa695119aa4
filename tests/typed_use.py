"""The package as programs use it: a type checker accepts this file, and `test_typed_use.py` runs it.

Lines with `pyright: ignore` are mistakes that it must find: an ignore that is not needed is an error.
"""

from collections.abc import Iterator
from typing import assert_type

import numpy as np
import torch
from torch import Tensor

import opticflow
from opticflow import Estimator, InputError, PairFlow, Sample, Settings
from opticflow.shapes import FlowArray, MaskArray


def arrays(first: np.ndarray, second: np.ndarray) -> None:
    """Frames as NumPy arrays."""
    flow = opticflow.estimate(first, second, model="DIS", scale=0.5)
    assert_type(flow, FlowArray)
    estimator = opticflow.load("RAFT-small", device="cpu", precision="fp32", iterations=2, refine=False)
    assert_type(estimator, Estimator)
    assert_type(estimator.settings, Settings)
    assert_type(estimator(first, second, init_flow=flow), FlowArray)
    assert_type(estimator.stream([first, second], batch=2), Iterator[FlowArray])
    for pair in estimator.pairs([first, second], backward=True):
        assert_type(pair, PairFlow)
        assert pair.backward is not None
        assert_type(opticflow.occlusion(pair.forward, pair.backward), MaskArray)
    warped = opticflow.warp(second, flow)
    assert warped.shape == first.shape
    assert opticflow.flow_to_image(flow, max_flow=5).shape == first.shape


def tensors(first: Tensor, second: Tensor) -> None:
    """Frames as tensors, B x 3 x H x W."""
    estimator = opticflow.load("DIS")
    forward, backward = estimator(first, second), estimator(second, first)
    assert_type(forward, Tensor)
    assert_type(opticflow.estimate(first, second, model="DIS"), Tensor)
    assert_type(opticflow.warp(second, forward), Tensor)
    assert_type(opticflow.occlusion(forward, backward), Tensor)
    assert_type(estimator.stream([first[0], second[0]]), Iterator[Tensor])


def mistakes(first: np.ndarray, second: np.ndarray) -> None:
    """Each is found before the program runs, and is one line when it does."""
    for mistake in (
        lambda: opticflow.load("DIS", iteration=3),  # pyright: ignore[reportCallIssue]
        lambda: opticflow.load("DIS", precision="fp8"),  # pyright: ignore[reportArgumentType]
        lambda: opticflow.estimate(first, second, modell="DIS"),  # pyright: ignore[reportCallIssue]
        lambda: opticflow.estimate(first, second, padding="left"),  # pyright: ignore[reportCallIssue, reportArgumentType]
        lambda: Estimator(opticflow.models.build("DIS"), refined=True),  # pyright: ignore[reportCallIssue]
        lambda: Settings(padding="left"),  # pyright: ignore[reportArgumentType]
    ):
        try:
            mistake()
        except InputError as error:
            assert len(str(error).splitlines()) == 1
        else:
            raise AssertionError("nothing was refused")


def main() -> None:
    """Run all of it."""
    first = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    second = np.roll(first, 2, 1)
    arrays(first, second)
    tensors(*(torch.from_numpy(frame).permute(2, 0, 1)[None] for frame in (first, second)))
    mistakes(first, second)
    assert_type(opticflow.list_models(), list[str])
    sample = Sample(first, second, np.zeros((64, 96, 2), np.float32), np.ones((64, 96), bool), np.zeros((64, 96), bool))
    assert sample.flow.shape == (64, 96, 2)
