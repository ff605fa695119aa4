"""A training run, in this process or in one of its own: `python training_process.py FOLDER STEPS BATCH`."""

import os
import signal
import sys
from pathlib import Path

import torch

from opticflow.train.loop import train
from opticflow.train.recipe import Part, Recipe
from train_toys import ToySources, small_stage


def run(folder, steps, batch, *, resume=False, minutes=None, report=lambda progress: None):
    """The run that all these tests make; with an epsilon beside which the rounding of gradients is nothing."""
    stage = small_stage(steps=steps, batch=batch, epsilon=1e-3, validation=(Part("toy"),), validate_every=4)
    train(
        Recipe("process", "a test", (stage,)),
        folder,
        ToySources(),
        device="cpu",
        precision="fp32",
        resume=resume,
        minutes=minutes,
        log_every=1,
        checkpoint_every=3,
        report=report,
    )


def die(progress):
    """As a machine does that loses its power."""
    if progress.step == int(os.environ.get("DIES_AT", 0)):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    minutes = float(os.environ.get("MINUTES", 0)) or None
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), minutes=minutes, report=die)
