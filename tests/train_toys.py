"""Tiny worlds to train on: textures that move as a whole; and small stages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float

from opticflow.data.batches import Batch
from opticflow.shapes import Sample
from opticflow.train.recipe import Part, Recipe, Stage
from opticflow.train.recipes import RECIPES


def small_stage(**changes) -> Stage:
    numbers = {
        "name": "only",
        "model": "RAFT-small",
        "data": (Part("toy"),),
        "steps": 4,
        "batch": 2,
        "crop": (64, 64),
        "learning_rate": 4e-4,
        "loss": "sequence",
        "source": "a test",
        "clip": 1.0,
        "iterations": 2,
        "options": {"iterations": 3},
    }
    return Stage(**{**numbers, **changes})


def small_curriculum(steps: int) -> Recipe:
    """The stages of FlowNet2 with very thin networks, without augmentation, on toys."""
    full = RECIPES["FlowNet2-thin"].changed(batch=1, crop=(64, 64))
    thin = [
        replace(
            stage,
            options={"width": 1 / 32},
            steps=steps,
            halve_at=(),
            data=(Part("toy"),),
            validation=(Part("toy"),),
            validate_every=steps,
        )
        for stage in full.stages
    ]
    return replace(full, stages=tuple(thin))


def toy_sample(number: int, size: tuple[int, int] = (64, 64), largest: float = 4.0) -> Sample:
    """A random texture, moved by a few pixels."""
    random = np.random.default_rng(number)
    height, width = size
    u, v = random.uniform(-largest, largest, 2).astype(np.float32)
    coarse = random.integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    shift = np.array([[1, 0, u], [0, 1, v]], np.float32)
    second = cv2.warpAffine(texture, shift, (width, height), borderMode=cv2.BORDER_REFLECT)
    flow = np.broadcast_to(np.array([u, v], np.float32), (height, width, 2)).copy()
    everywhere = np.ones((height, width), dtype=bool)
    return Sample(texture, second, flow, everywhere, ~everywhere, f"toy {number}")


def flying_chairs(folder: str, size: tuple[int, int]) -> dict[str, str | np.ndarray]:
    """Files in the layout of FlyingChairs, for `write_files`: three pairs, the last one for validation."""
    files: dict[str, str | np.ndarray] = {f"{folder}FlyingChairs_train_val.txt": "1\n1\n2\n"}
    for number in range(3):
        sample = toy_sample(number, size)
        files[f"{folder}data/{number + 1:05d}_img1.ppm"] = sample.first
        files[f"{folder}data/{number + 1:05d}_img2.ppm"] = sample.second
        files[f"{folder}data/{number + 1:05d}_flow.flo"] = sample.flow
    return files


def toy_batch(samples: list[Sample]) -> Batch:
    def stacked(arrays: list[np.ndarray]) -> Float[torch.Tensor, "batch channels height width"]:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float()

    return Batch(
        stacked([s.first for s in samples]) / 255,
        stacked([s.second for s in samples]) / 255,
        stacked([s.flow for s in samples]),
        torch.from_numpy(np.stack([s.valid for s in samples])),
        [s.name for s in samples],
    )


@dataclass(frozen=True)
class ToySources:
    """Sample number i is always the same; `different` of them, then they come again."""

    different: int = 10**6
    spoiled: int | None = None
    """A sample whose frames are not numbers."""

    def batches(self, stage: Stage, start: int, *, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        share = stage.batch // world
        position = start
        while True:
            numbers = range(position + rank * share, position + (rank + 1) * share)
            batch = toy_batch([toy_sample(number % self.different, stage.crop) for number in numbers])
            if self.spoiled in numbers:
                batch.first.fill_(float("nan"))
            yield batch
            position += stage.batch

    def settings(self) -> dict[str, str]:
        return {"data": "toys"}

    def validation(self, stage: Stage) -> list[Sample]:
        return [toy_sample(10**9 + number, stage.crop) for number in range(3)]
