"""All parameters of the `mixed` worlds, with the reasons for their values."""

from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class EffectsConfig:
    """Parameters of the effects of camera, light and weather on the frames. No effect changes the flow.

    Fields named `..._share` are probabilities. All except `clean_share` apply to the pairs that get effects at all.
    """

    clean_share: float = 0.15
    """Probability of a pair without any effect, so that networks also learn from clean rendered pictures."""
    motion_blur_share: float = 0.3
    """Probability of motion blur, as in the final pass of Sintel and in hand-held video. AutoFlow and Kubric contain it
    and give better results on Sintel than FlyingThings3D for this reason."""
    shutter: Range = (0.2, 0.9)
    """Range of the exposure time as a fraction of the time between the frames; film uses one half."""
    defocus_share: float = 0.2
    """Probability of defocus blur."""
    defocus: Range = (0.6, 3.0)
    """Range of the standard deviation of the defocus blur, in pixels; a larger value would leave no detail."""
    fog_share: float = 0.15
    """Probability of fog."""
    fog: Range = (0.1, 0.65)
    """Range of the density of the fog: roughly the largest share of light that the fog replaces (at most 0.85). In
    denser fog, the contrast of thin structures would be below the noise."""
    shadow_share: float = 0.25
    """Probability of shadows that move independently of the scene: brightness changes without motion, as in KITTI."""
    shadow: Range = (0.2, 0.7)
    """Range of the share of light that the shadows remove."""
    highlight_share: float = 0.15
    """Probability of highlights, such as glints and lamps, which saturate and do not move with the surfaces."""
    exposure_share: float = 0.4
    """Probability of a change of exposure between the frames, as by automatic exposure."""
    exposure: float = 0.15
    """Strength of this change in octaves. The standard deviation of the change is about 0.7 times this value."""
    grading: Range = (0.75, 1.35)
    """Range of the gamma, which is the same in both frames: cameras and films differ in their colour grading."""
    noise_share: float = 0.45
    """Probability of camera noise."""
    noise: Range = (0.5, 12.0)
    """Range of the standard deviation of the noise at medium brightness, in grey levels; log-uniform, from daylight to
    night. FlowNet used up to 10 of 255."""
    compression_share: float = 0.4
    """Probability of JPEG compression."""
    compression: tuple[int, int] = (25, 95)
    """Range of the JPEG quality; web video looks like a quality of 40 to 80."""
    compression_change: int = 0
    """Largest difference of the JPEG quality between the two frames. In video, neighbouring frames are coded
    differently, so that even static regions differ between them."""

    @classmethod
    def none(cls) -> "EffectsConfig":
        """Return a configuration without effects, for the clean pass."""
        return replace(cls(), clean_share=1.0)


@dataclass(frozen=True)
class MixedConfig:
    """Parameters of a `mixed` world. The default has wide distributions of all properties, for training robust weights.

    Displacements are in pixels for frames 512 px wide; they scale with the frame width.
    """

    objects: tuple[int, int] = (2, 11)
    """Smallest and largest number of independently moving objects, both inclusive. FlyingChairs shows about six;
    AutoFlow got the best results with few large layers."""
    object_size: Range = (24, 420)
    """Range of the longer side of an object, in pixels for frames whose shorter side is 384 px; log-uniform. Networks
    learn detail from small objects and occlusion from large ones."""
    displacement: Range = (0.2, 160)
    """Range of the displacement of an object relative to the background; log-uniform, so that every octave is equally
    frequent. Zoom and rotation add enough displacements below 0.1 px."""
    background_displacement: Range = (0.3, 90)
    """Range of the displacement of the background, log-uniform; a larger one would leave too little of it in view."""
    still_background_share: float = 0.06
    """Probability of a static background, as with a camera on a tripod, so that networks also learn zero flow."""
    exact_rest: bool = False
    """Whether static regions have a flow of exactly zero. Otherwise their flow is zero up to rounding errors (1e-13
    px), and points on the outermost pixels may count as out of view."""
    still_object_share: float = 0.08
    """Probability that an object moves with the background, so that networks learn that not every edge is a motion
    boundary."""
    rotation: float = 30
    """Largest rotation in degrees. Rotation and zoom are also proportional to the displacement, so that they seldom
    move the rim of an object by more than the displacement, and slow scenes are slow everywhere."""
    zoom: float = 0.25
    """Largest deviation of the scale from 1. A larger change of scale is rare in video, and changes the sampling of the
    texture too much for the photometric check of the ground truth."""
    deformation_share: float = 0.35
    """Probability of non-rigid motion, as of cloth, faces, water or smoke, which an affine map cannot describe."""
    deformation_slope: float = 0.3
    """Largest change of the deformation per texel, in texels; it must be below one half, so that layers do not fold
    over themselves."""
    rigid_share: float = 0.35
    """Probability of a rigid scene under camera motion, such as a street or a room. Networks trained only on rigid
    scenes fail on moving objects (TartanAir); networks trained without them fail on driving scenes (KITTI)."""
    forward_turning: Range = (0.0, 0.7)
    """Range of the share of the displacement in rigid scenes that is due to camera rotation; camera pans dominate
    hand-held video."""
    uprights: tuple[int, int] = (0, 7)
    """Range of the number of upright objects in a rigid scene; the upper limit is exclusive. Each stands at a depth of
    its own, which gives parallax."""
    plain_share: float = 0.05
    """Probability of an almost textureless background, whose flow must be inferred from its borders."""
    faint_share: float = 0.0
    """Probability that a background picture gets low contrast and is mostly dark, like rooms in home video."""
    faint: Range = (0.08, 0.5)
    """Range of the share of its contrast that such a picture keeps."""
    faint_level: Range = (8, 110)
    """Range of the grey level about which the contrast of such a picture is reduced."""
    chair_share: float = 0.3
    """Probability that an object is a chair; chairs have holes, thin legs and shading."""
    stencil_shares: tuple[float, ...] = (0.5, 0.12, 0.08, 0.1, 0.1, 0.1)
    """Probabilities of the shapes of the other objects, in the order of `STENCILS`. Almost a third of the shapes are
    thin: fences, wires and writing."""
    smallest_stencil: int = 16
    """Smallest longer side of a shape in pixels, including a transparent margin of 3 pixels on each side."""
    slenderness: Range = (0.3, 1.0)
    """Range of the ratio of the shorter side of a shape to the longer one."""
    transparent_share: float = 0.08
    """Probability that an object is transparent, like glass, veils or smoke. Where it hides more than half of the light
    from behind it, the flow is that of the object, although the background shows through."""
    opacity: Range = (0.55, 0.95)
    """Range of the opacity of transparent objects."""
    shared_texture_share: float = 0.1
    """Probability that a shape has the texture of the background (camouflage), so that only its motion separates it
    from the background."""
    pictures: int = 160
    """Number of pictures; each allows thousands of different crops."""
    surfaces: int = 100
    """Number of material textures."""
    chairs: int = 250
    """Number of chair cut-outs."""
    effects: EffectsConfig = EffectsConfig()

    def clean(self) -> "MixedConfig":
        """Return the configuration without effects and transparency, so that the frames differ only by motion."""
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
"""World with few large objects that move far over a slow background. Frames often have motion blur and are sometimes
dark. Large parts of the background are occluded or disoccluded, as in fast scenes of films."""

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
"""World with a camera that drives and turns fast in streets, corridors and open country, as in KITTI. Near objects move
by tens of pixels. Many pixels leave the frame, so that their motion must be inferred from the motion of the others.
Turns and forward motion partly cancel: on average the ground moves by half of `background_displacement`, that is by 8
to 75 pixels."""

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
"""World with a camera on a tripod, sometimes without any moving object. The flow of the background is exactly zero; in
the background, only noise, compression and light differ between the frames. Many frames are dark, as in home video."""

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
"""World with many small, slender and thin objects (such as balls, sticks, limbs, wires, and chairs with legs) that move
fast over an almost static background, sometimes with motion blur. Many move farther than their own length."""

MIXED_WORLDS = {"mixed": MixedConfig(), "fast": FAST, "drive": DRIVE, "still": STILL, "swift": SWIFT}
"""Configurations of the `mixed` worlds, by name."""
