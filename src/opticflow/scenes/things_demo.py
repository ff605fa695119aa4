"""The sample clip for demonstrations: moderate motion, with ground truth."""

from opticflow.scenes.things import Things
from opticflow.scenes.things_config import ThingsConfig
from opticflow.scenes.things_renderer import ThingsSequence

DEMO_CONFIG = ThingsConfig(
    width=480,
    height=320,
    frames=16,
    objects=(6, 8),
    object_size=(0.05, 0.16),
    object_depth=(3.0, 9.0),
    object_speed=(13.0, 0.3),
    approach=0.012,
    spin=(0.06, 0.3),
    focal=900.0,
    camera_speed=(0.07, 0.2),
    camera_turn=(0.005, 0.2),
    roll=0.001,
    statics=120,
    steadiness=8.0,  # slow turns, since the clip is short
    softness=0.3,
)


def demo_clip(seed: int = 2026, index: int = 18) -> ThingsSequence:
    """Render sixteen frames of 480 x 320 pixels, with motion of about 2 to 12 pixels per frame.

    Example: `[frame.clean for frame in demo_clip().frames]`, and `frame.into_future` for the true flow.
    """
    return Things(DEMO_CONFIG, seed=seed).item(index)
