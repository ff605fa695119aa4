"""Every choice of the `things` world, with its reason."""

from dataclasses import dataclass

from opticflow.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True)
class Journey:
    """How a camera travels that goes where it looks, as in a vehicle or in a hand. Lengths are metres, times frames,
    angles radians. Ranges of speeds and turns are medians and spreads (standard deviations of the logarithm)."""

    speed: Range = (1.3, 0.4)
    """On a road: 50 km/h at ten frames a second are 1.4 m."""
    reserve: float = 0.6
    """Longest way in one frame as a share of the distance at which the ground comes into view."""
    height: Range = (1.3, 2.0)
    """Metres of a camera on or in a vehicle above the road."""
    turn: Range = (0.018, 0.9)
    """Turn of the heading; a vehicle that turns off at a crossing reaches 0.05."""
    aside: float = 0.12
    """Standard deviation of the direction of view from the heading."""
    focal: Range = (560.0, 1000.0)
    """Pixels at a width of 960, for a field of view of 81 (KITTI) to 51 degrees."""
    roadside: Range = (2.6, 16.0)
    """Distance from the way at which things stand, log-uniform: the nearest move the farthest."""
    houses_share: float = 0.45
    """Sides of the road that are lined with houses."""
    room_share: float = 0.35
    """Scenes that are inside a room; the near walls there make up for the lower speed."""
    room_speed: Range = (0.28, 0.5)
    room_turn: Range = (0.03, 0.8)
    """People and hand-held cameras turn faster than vehicles."""
    room_height: Range = (0.7, 1.8)
    furniture: tuple[int, int] = (8, 30)
    """Fewest and most things in a room, if there is space for them."""


@dataclass(frozen=True)
class ThingsConfig:
    """How scenes of the FlyingThings3D kind are made.

    Where no other source is named, numbers follow Mayer et al., "A large dataset to train convolutional networks for
    disparity, optical flow, and scene flow estimation" (CVPR 2016), section 4. Lengths are metres, times frames; speeds
    in the picture are pixels per frame of a picture 960 pixels wide, and scale with the width.
    """

    width: int = 960
    height: int = 540
    """Size of FlyingThings3D."""
    frames: int = 10
    """Length of its sequences."""
    pairs_per_scene: int = 3
    """How many pairs are taken from a scene when pairs are asked for, spread over its time: more are cheaper, fewer
    are more varied."""
    focal: float = 1050.0
    """Pixels at a width of 960: a 35 mm lens before a sensor 32 mm wide, as in FlyingThings3D."""

    objects: tuple[int, int] = (5, 20)
    """Fewest and most moving objects."""
    object_size: Range = (0.03, 0.3)
    """Radius of an object's sphere as a share of the picture's width, drawn log-uniformly: small ones are as many as
    large ones, and none fills the picture."""
    object_depth: Range = (2.5, 16.0)
    """Distance from the camera, log-uniform: near enough for strong parallax against the static world."""
    object_speed: Range = (20.0, 0.9)
    """Median and spread (standard deviation of the logarithm) of the speed in the picture. With the camera's motion it
    gives a mean displacement of 30 to 40 pixels with a long tail."""
    approach: float = 0.035
    """Standard deviation of the change of log-depth per frame: motion towards and away from the camera."""
    spin: Range = (0.05, 0.8)
    """Median and spread of an object's turn in radians per frame."""

    statics: int = 200
    """Static cuboids, walls and deformed cylinders."""
    reach: float = 60.0
    """How far from the start of the camera they stand."""
    camera_height: Range = (1.2, 5.0)
    camera_speed: Range = (0.16, 0.95)
    """Median and spread of the camera's speed in metres per frame."""
    camera_turn: Range = (0.012, 0.95)
    """Median and spread of its turn in radians per frame; 0.01 moves the whole picture by 10 pixels."""
    roll: float = 0.004
    """Standard deviation of its roll per frame in radians."""
    steadiness: float = 5.0
    """Frames between the knots of all paths: how quickly motion changes."""
    journey: Journey | None = None
    """If given, the camera goes where it looks, by these numbers instead of those of `focal`, `camera_height`,
    `camera_speed` and `camera_turn`."""

    pictures: int = 3
    """Pictures like photographs in a scene, besides the ground's. The first is on the backdrop; objects share them all
    under other colours and repetitions."""
    materials: int = 12
    """Pictures of a single material, such as cloth or bricks."""
    picture_pool: int = 64
    material_pool: int = 128
    """All scenes of a world draw from so many of each, as those of FlyingThings3D did from a fixed collection: making
    one takes up to a fifth of the time of a frame. 192 of them take 150 MB."""
    texture_side: int = 512
    softness: float = 0.5
    """Pyramid levels added to the one at which a texel is as large as a pixel."""
    lens_blur: float = 0.5
    """Standard deviation in pixels of the lens's point spread. Softness and lens blur together band-limit the picture:
    with less, sampling the second frame at sub-pixel positions shows errors of interpolation; more costs sharpness."""

    lighting: bool = True
    """Off: the colour is that of the texture alone, for photometric checks."""
    brightness_change: float = 0.04
    """Standard deviation of the relative change of the lamp from knot to knot."""

    final_share: float = 0.5
    """Share of the pairs that are taken from the final pass when pairs are asked for."""
    shutter: Range = (0.2, 0.6)
    """Share of the time between frames during which the shutter is open, in the final pass. 0.5 is the film maker's
    rule (180 degrees)."""
    defocus: Range = (0.0, 5.0)
    """Radius in pixels (at a width of 960) of the blur at infinite distance, in the final pass."""
    fog_chance: float = 0.4
    fog: Range = (0.004, 0.03)
    """Extinction per metre: half of the light is lost after 170 to 23 metres."""
    gamma: Range = (0.8, 1.25)
    noise: Range = (0.0, 4.0)
    """Standard deviation of the sensor's noise in grey levels."""

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16:
            raise InputError(f"a scene of {self.width} x {self.height} pixels is too small; give at least 16 x 16")
        if self.frames < 1:
            raise InputError(f"a sequence of {self.frames} frames; give at least 1")
        if self.pairs_per_scene < 1:
            raise InputError(f"pairs_per_scene={self.pairs_per_scene}; give at least 1")
        if self.objects[0] < 0 or self.objects[0] > self.objects[1]:
            raise InputError(f"objects={self.objects}; give the fewest and the most, such as (5, 20)")
        if self.texture_side < 16 or self.texture_side & (self.texture_side - 1):
            raise InputError(f"texture_side={self.texture_side}; give a power of two from 16 upwards")

    @property
    def zoom(self) -> float:
        """Size of this picture relative to one 960 pixels wide."""
        return self.width / 960


NEAR = ThingsConfig(
    objects=(10, 30),
    object_size=(0.03, 0.25),
    object_depth=(1.5, 8.0),
    object_speed=(50.0, 0.8),
    steadiness=2.5,
    statics=50,
    frames=7,
    pairs_per_scene=6,  # all of them, since neighbouring pairs share a frame, which is drawn once
    final_share=0.65,
)
"""Many objects near the camera, one in twenty faster than 150 pixels and one in a hundred than 250, often blurred: the
crowded and fast scenes of films (Sintel's market). Knots of the paths are near each other, since a fast path that is
turned back at the border within a few frames would be slow between far ones."""

DRIVE = ThingsConfig(
    objects=(0, 7),
    object_size=(0.02, 0.2),
    object_depth=(3.0, 25.0),
    object_speed=(15.0, 0.9),
    statics=70,
    frames=7,
    pairs_per_scene=6,  # all of them, since neighbouring pairs share a frame, which is drawn once
    reach=50.0,
    roll=0.002,
    journey=Journey(),
)
"""A camera that drives along roads and walks through rooms: the whole scene moves by the camera's motion, near things
by far, and much leaves the frame."""

THINGS_WORLDS = {"things": ThingsConfig(), "things-near": NEAR, "drive-3d": DRIVE}
"""Worlds of this family: their names and their numbers."""
