"""All numbers of the `mixed` worlds, each with its reason."""

from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class EffectsConfig:
    """Effects of the camera and the weather on the frames; none of them moves anything. Shares are probabilities."""

    clean_share: float = 0.15
    """Share of pairs without any effect: networks must also do well on rendered pictures."""
    motion_blur_share: float = 0.3
    """Motion blur, as in Sintel's final pass and in hand-held video; AutoFlow and Kubric beat FlyingThings3D on Sintel
    by containing it."""
    shutter: Range = (0.2, 0.9)
    """Range of the exposure time as a share of the frame's time; film uses half."""
    defocus_share: float = 0.2
    defocus: Range = (0.6, 3.0)
    """Range of the blur's standard deviation in pixels; a larger one would leave no detail."""
    fog_share: float = 0.15
    fog: Range = (0.1, 0.65)
    """Range of the share of light that the densest fog replaces; with more, thin structures fall below the noise."""
    shadow_share: float = 0.25
    """Shadows that move independently: brightness that changes without motion, as in KITTI."""
    shadow: Range = (0.2, 0.7)
    highlight_share: float = 0.15
    """Glints and lamps, which saturate and do not move with surfaces."""
    exposure_share: float = 0.4
    exposure: float = 0.15
    """Standard deviation, in octaves, of the change of brightness between the frames: automatic exposure."""
    grading: Range = (0.75, 1.35)
    """Range of the gamma of both frames: cameras and films are graded differently."""
    noise_share: float = 0.45
    noise: Range = (0.5, 12.0)
    """Range of the noise's standard deviation in grey levels, log-uniform: from daylight to night. FlowNet used up to
    10 of 255."""
    compression_share: float = 0.4
    compression: tuple[int, int] = (25, 95)
    """Range of the JPEG quality; video on the web looks like 40 to 80."""
    compression_change: int = 0
    """Largest difference of the quality between the frames. In video, neighbouring frames are coded differently, so
    that even static regions look different in both."""

    @classmethod
    def none(cls) -> "EffectsConfig":
        """Return the configuration without effects: the clean pass."""
        return replace(cls(), clean_share=1.0)


@dataclass(frozen=True)
class MixedConfig:
    """Numbers of a world that trains robust weights: wide, overlapping distributions of everything.

    Displacements are for frames 512 px wide and grow with the width.
    """

    objects: tuple[int, int] = (2, 11)
    """Range of the number of independently moving objects. FlyingChairs shows about six; AutoFlow found few large
    layers best."""
    object_size: Range = (24, 420)
    """Range of the longer side in pixels, log-uniform: detail is learnt from small objects, occlusion from large
    ones."""
    displacement: Range = (0.2, 160)
    """Range of the objects' displacement relative to the background, log-uniform, so that every octave is equally
    frequent. Zoom and rotation add enough displacements below 0.1 px."""
    background_displacement: Range = (0.3, 90)
    """The same for the background; larger displacements leave too little of it in view."""
    still_background_share: float = 0.06
    """Probability of a static background, as with a camera on a tripod: zero flow must be learnt, too."""
    exact_rest: bool = False
    """Whether all static regions have a flow of exactly zero. Otherwise it is zero up to rounding (1e-13 px), and
    points on the outermost pixels may count as out of view."""
    still_object_share: float = 0.08
    """Probability that an object moves with the background: an edge alone is no motion boundary."""
    rotation: float = 30
    """Largest rotation in degrees. Rotations and zooms are also limited so that the rim moves no farther than the
    displacement, which keeps slow scenes slow everywhere."""
    zoom: float = 0.25
    """Largest deviation of the scale from 1; more changes the sampling too much for the photometric proof and is rare
    in video."""
    deformation_share: float = 0.35
    """Probability of non-rigid motion, as of cloth, faces, water or smoke, which no affine map describes."""
    deformation_slope: float = 0.3
    """Largest change of the deformation per pixel; below one half, so that nothing folds."""
    rigid_share: float = 0.35
    """Probability of a rigid scene under camera motion, such as a street or a room. With rigid scenes only, networks
    miss moving objects (TartanAir); without any, they miss driving (KITTI)."""
    forward_turning: Range = (0.0, 0.7)
    """Share of the rigid displacement that camera rotation causes; pans dominate hand-held video."""
    uprights: tuple[int, int] = (0, 7)
    """Range of the number of objects that stand in a rigid scene at their own depth, which gives parallax."""
    plain_share: float = 0.05
    """Probability of a background almost without texture: its flow must be inferred from its borders."""
    faint_share: float = 0.0
    """Share of background pictures that are mostly dark and of little contrast, as rooms are in home video."""
    faint: Range = (0.08, 0.5)
    """Range of the share of contrast that is left in such a picture."""
    faint_level: Range = (8, 110)
    """Range of the grey level that such a picture is centred on."""
    chair_share: float = 0.3
    """Share of objects that are chairs, which have holes, thin legs and shading."""
    stencil_shares: tuple[float, ...] = (0.5, 0.12, 0.08, 0.1, 0.1, 0.1)
    """Shares of the shapes of the other objects, in the order of `STENCILS`; a third are thin: fences, wires,
    writing."""
    smallest_stencil: int = 16
    """Length in pixels of the smallest shape, with a transparent margin of 3 pixels on each side."""
    slenderness: Range = (0.3, 1.0)
    """Range of the shorter side as a share of the longer one."""
    transparent_share: float = 0.08
    """Share of transparent objects, such as glass, veils and smoke. The flow is that of the layer if it hides more than
    half; the rest shows through."""
    opacity: Range = (0.55, 0.95)
    shared_texture_share: float = 0.1
    """Share of objects with the texture of the background: camouflage, where only motion separates them."""
    pictures: int = 160
    """Number of pictures; each gives thousands of crops."""
    surfaces: int = 100
    """Number of material textures."""
    chairs: int = 250
    """Number of chair cut-outs."""
    effects: EffectsConfig = EffectsConfig()

    def clean(self) -> "MixedConfig":
        """Return the configuration without effects and without transparency: the frames then show exactly what
        moves."""
        return replace(self, effects=EffectsConfig.none(), transparent_share=0.0)


FAST = MixedConfig(
    objects=(1, 5),
    object_size=(90, 420),
    displacement=(15, 220),
    background_displacement=(0.3, 40),
    still_background_share=0.15,
    rigid_share=0.2,
    chair_share=0.15,
    stencil_shares=(0.7, 0.04, 0.03, 0.08, 0.08, 0.07),
    transparent_share=0.04,
    pictures=80,
    surfaces=60,
    chairs=100,
    effects=EffectsConfig(motion_blur_share=0.55, grading=(0.75, 1.8)),
)
"""Few large objects that move far over a slow background, mostly blurred and sometimes dark. Large parts of the
background are occluded or disoccluded, as in the fast scenes of films."""

DRIVE = MixedConfig(
    objects=(0, 5),
    background_displacement=(16, 150),
    still_background_share=0.0,
    still_object_share=0.2,
    rigid_share=1.0,
    forward_turning=(0.0, 0.9),
    uprights=(2, 12),
    plain_share=0.08,
    pictures=80,
    surfaces=80,
    chairs=100,
)
"""A camera that drives and turns fast through streets, corridors and open country. Near objects move by tens of pixels,
and many pixels leave the frame, so that their motion must be inferred from that of the rest (KITTI). Turns and forward
motion partly cancel: on average the ground moves by half of `background_displacement`, that is by 8 to 75 pixels"""

STILL = MixedConfig(
    objects=(0, 4),
    object_size=(32, 360),
    displacement=(1, 90),
    still_background_share=1.0,
    exact_rest=True,
    still_object_share=0.15,
    deformation_share=0.5,
    plain_share=0.12,
    faint_share=0.4,
    pictures=80,
    surfaces=60,
    chairs=100,
    effects=EffectsConfig(
        clean_share=0.08,
        fog_share=0.05,
        exposure_share=0.5,
        exposure=0.08,
        grading=(0.8, 2.4),
        noise_share=0.85,
        noise=(1.0, 14.0),
        compression_share=0.65,
        compression=(20, 90),
        compression_change=20,
    ),
)
"""A camera on a tripod, sometimes without any moving object. The background's flow is exactly zero, and only noise,
compression and light differ between the frames. Many frames are dark, as in home video."""

SWIFT = MixedConfig(
    objects=(20, 50),
    object_size=(8, 100),
    displacement=(10, 150),
    background_displacement=(0.2, 8),
    still_background_share=0.35,
    exact_rest=True,
    still_object_share=0.15,
    rotation=20,
    zoom=0.1,
    deformation_share=0.2,
    rigid_share=0.2,
    uprights=(0, 4),
    chair_share=0.35,
    stencil_shares=(0.35, 0.05, 0.1, 0.1, 0.3, 0.1),
    smallest_stencil=12,
    slenderness=(0.12, 1.0),
    transparent_share=0.03,
    pictures=80,
    surfaces=60,
    chairs=200,
    effects=EffectsConfig(motion_blur_share=0.4, shutter=(0.1, 0.6), fog_share=0.08),
)
"""Many small, slender and thin objects that move fast over an almost static background, sometimes blurred: balls,
sticks, limbs, wires, chairs with legs. Many move farther than they are long."""

MIXED_WORLDS = {"mixed": MixedConfig(), "fast": FAST, "drive": DRIVE, "still": STILL, "swift": SWIFT}
"""The configurations of the worlds of this family, by name."""
