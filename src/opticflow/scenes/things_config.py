"""Parameters of the `things` worlds, each with its reason."""

from dataclasses import dataclass

from opticflow.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True)
class Journey:
    """Parameters of a camera that looks in its direction of travel, as in a vehicle or in a hand. Lengths are in
    metres, times in frames, angles in radians. Ranges of speeds and turns are medians and spreads (standard deviations
    of the logarithm)."""

    speed: Range = (1.3, 0.4)
    """Speed on a road, in metres per frame; 50 km/h at ten frames per second is 1.4 metres per frame."""
    reserve: float = 0.6
    """Largest step per frame, as a share of the distance to the nearest visible ground."""
    height: Range = (1.3, 2.0)
    """Height in metres above the road of a camera on or in a vehicle."""
    turn: Range = (0.018, 0.9)
    """Turn of the heading per frame; a vehicle that turns at a crossing reaches 0.05."""
    aside: float = 0.12
    """Standard deviation of the angle between the direction of view and the heading."""
    focal: Range = (560.0, 1000.0)
    """Focal length in pixels at a width of 960, for a field of view of 81 (KITTI) to 51 degrees."""
    roadside: Range = (2.6, 16.0)
    """Distance of objects from the camera's path, log-uniform: the nearest objects have the largest displacements."""
    houses_share: float = 0.45
    """Probability that a side of the road is lined with houses."""
    room_share: float = 0.35
    """Share of the scenes that are inside a room. Near walls give large displacements in spite of the lower speed."""
    room_speed: Range = (0.28, 0.5)
    room_turn: Range = (0.03, 0.8)
    """Turn per frame inside a room: people and hand-held cameras turn faster than vehicles."""
    room_height: Range = (0.7, 1.8)
    furniture: tuple[int, int] = (8, 30)
    """Range of the number of objects in a room, upper bound exclusive; objects without space are left out."""


@dataclass(frozen=True)
class ThingsConfig:
    """Parameters of a world like FlyingThings3D.

    Where no other source is named, values follow Mayer et al., "A large dataset to train convolutional networks for
    disparity, optical flow, and scene flow estimation" (CVPR 2016), section 4. Lengths are in metres, times in
    frames. Speeds in the picture are in pixels per frame at a width of 960 pixels, and scale with the width.
    """

    width: int = 960
    height: int = 540
    """Height of a frame in pixels; the size is that of FlyingThings3D."""
    frames: int = 10
    """Length of a sequence, as in FlyingThings3D."""
    pairs_per_scene: int = 3
    """Number of training pairs taken from a scene, spread over its time. More are cheaper, fewer give more variety."""
    focal: float = 1050.0
    """Focal length in pixels at a width of 960: a 35 mm lens on a sensor 32 mm wide, as in FlyingThings3D."""

    objects: tuple[int, int] = (5, 20)
    """Smallest and largest number of moving objects."""
    object_size: Range = (0.03, 0.3)
    """Radius of an object's bounding sphere as a share of the picture's width, log-uniform: small objects are as
    frequent as large ones, and none fills the picture."""
    object_depth: Range = (2.5, 16.0)
    """Distance from the camera, log-uniform; near enough for strong parallax against the static scene."""
    object_speed: Range = (20.0, 0.9)
    """Median and spread (standard deviation of the logarithm) of the speed in the picture. Together with the camera's
    motion it gives a mean displacement of 30 to 40 pixels with a long tail."""
    approach: float = 0.035
    """Standard deviation of the change of log-depth per frame: motion towards or away from the camera."""
    spin: Range = (0.05, 0.8)
    """Median and spread of an object's rotation in radians per frame."""

    statics: int = 200
    """Number of static cuboids, walls and deformed cylinders; those too close to the camera's path are left out."""
    reach: float = 60.0
    """Largest distance of static objects from the start position of the camera."""
    camera_height: Range = (1.2, 5.0)
    camera_speed: Range = (0.16, 0.95)
    """Median and spread of the camera's speed in metres per frame."""
    camera_turn: Range = (0.012, 0.95)
    """Median and spread of the camera's rotation in radians per frame; 0.01 moves the whole picture by 10 pixels."""
    roll: float = 0.004
    """Standard deviation of the camera's roll per frame, in radians."""
    steadiness: float = 5.0
    """Number of frames between the knots of all paths: with fewer frames, motion changes faster."""
    journey: Journey | None = None
    """If given, the camera looks in its direction of travel, with these parameters instead of `focal`, `camera_height`,
    `camera_speed` and `camera_turn`."""

    pictures: int = 3
    """Number of photograph-like pictures in a scene, besides that of the ground. The first is on the backdrop; objects
    share all of them with different colours and repetitions."""
    materials: int = 12
    """Number of pictures of a single material, such as cloth or bricks."""
    picture_pool: int = 64
    material_pool: int = 128
    """Number of pictures of each kind in the pools from which all scenes of a world draw, like the fixed collection of
    FlyingThings3D. Pools save time: making one picture takes up to a fifth of the time of a frame. 192 pictures take
    150 MB."""
    texture_side: int = 512
    softness: float = 0.5
    """Mipmap bias: number of levels added to the level at which a texel is as large as a pixel."""
    lens_blur: float = 0.5
    """Standard deviation in pixels of the lens's point spread function. Softness and lens blur together band-limit the
    picture: with less, interpolation errors show when the second frame is sampled at sub-pixel positions; with more,
    the picture is less sharp."""

    lighting: bool = True
    """Whether surfaces are lit; without light, the colour is that of the texture alone, for photometric checks."""
    brightness_change: float = 0.04
    """Standard deviation of the relative change of the lamp's strength from knot to knot."""

    final_share: float = 0.5
    """Share of the training pairs that are taken from the final pass."""
    shutter: Range = (0.2, 0.6)
    """Exposure time as a share of the time between frames, in the final pass. 0.5 is the rule in film (180 degrees)."""
    defocus: Range = (0.0, 5.0)
    """Radius in pixels (at a width of 960) of the defocus blur at infinite distance, in the final pass."""
    fog_chance: float = 0.4
    fog: Range = (0.004, 0.03)
    """Extinction coefficient per metre: half of the light is lost after 170 to 23 metres."""
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
        """Width of the picture relative to 960 pixels."""
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
"""Many objects near the camera, often blurred, as in the crowded and fast scenes of films (Sintel's market). One in
twenty moves faster than 150 pixels per frame, and one in a hundred faster than 250. The knots of the paths are close in
time: a fast path is reflected at the border within a few frames, so it would be slow between distant knots."""

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
"""A camera that drives along roads or walks through rooms. The whole image moves because the camera moves, near objects
have large displacements, and many pixels leave the frame."""

THINGS_WORLDS = {"things": ThingsConfig(), "things-near": NEAR, "drive-3d": DRIVE}
"""The configurations of the worlds of this family, by name."""
