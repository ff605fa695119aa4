"""Renders the sample clip of `opticflow demo` anew: frames as video, the true flow as KITTI PNG beside it.

python scripts/make_sample.py
"""

import shutil
from fractions import Fraction
from pathlib import Path

from opticflow.io import write_flow
from opticflow.io.video import VideoWriter
from opticflow.scenes.things_demo import demo_clip

SAMPLE = Path(__file__).parents[1] / "src" / "opticflow" / "assets" / "sample"


def main() -> None:
    """Write the clip and its flow."""
    shutil.rmtree(SAMPLE, ignore_errors=True)
    (SAMPLE / "flow").mkdir(parents=True)
    frames = demo_clip().frames
    rate = Fraction(10)
    with VideoWriter(SAMPLE / "clip.mp4", rate=rate, quality=12) as writer:
        for i, frame in enumerate(frames):
            writer.write(frame.clean, float(i / rate))
    for i, frame in enumerate(frames[:-1]):
        write_flow(SAMPLE / "flow" / f"{i:06d}.png", frame.into_future)


if __name__ == "__main__":
    main()
