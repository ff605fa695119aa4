"""All numbers of the `mixed` world in one place, each with its reason."""

from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class EffectsConfig:
    """What a camera and the weather do to the frames; none of it moves anything. Shares are probabilities."""

    clean_share: float = 0.15
    """Pairs without any effect: networks must also do well on rendered pictures."""
    motion_blur_share: float = 0.3
    """Sintel's final pass and hand-held video; AutoFlow and Kubric beat FlyingThings3D on it by containing blur."""
    shutter: Range = (0.2, 0.9)
    """Share of the frame's time that the shutter is open; film takes half."""
    defocus_share: float = 0.2
    defocus: Range = (0.6, 3.0)
    """Deviation of the blur in pixels; more would leave nothing to see."""
    fog_share: float = 0.15
    fog: Range = (0.1, 0.65)
    """Share of the light that the densest fog replaces; at more, thin structures sink below the noise."""
    shadow_share: float = 0.25
    """Shadows that move on their own: brightness that changes without motion, as in KITTI."""
    shadow: Range = (0.2, 0.7)
    highlight_share: float = 0.15
    """Glints and lamps, which burn out and do not move with surfaces."""
    exposure_share: float = 0.4
    exposure: float = 0.15
    """Deviation in octaves of the change of brightness between the frames: automatic exposure."""
    grading: Range = (0.75, 1.35)
    """Gamma of both frames: cameras and films are graded differently."""
    noise_share: float = 0.45
    noise: Range = (0.5, 12.0)
    """Deviation in grey levels, log-uniform: from daylight to night. FlowNet went up to 10 of 255."""
    compression_share: float = 0.4
    compression: tuple[int, int] = (25, 95)
    """JPEG quality; video of the web looks like 40 to 80."""
    compression_change: int = 0
    """Largest difference of the quality between the frames: in video, neighbouring frames are coded unlike each other,
    so that even what rests looks different in both."""

    @classmethod
    def none(cls) -> "EffectsConfig":
        """The clean pass."""
        return replace(cls(), clean_share=1.0)


@dataclass(frozen=True)
class MixedConfig:
    """What a world looks like that trains robust weights: wide, overlapping distributions of everything.

    Displacements are for frames 512 px wide and grow with the width.
    """

    objects: tuple[int, int] = (2, 11)
    """How many move on their own. FlyingChairs shows about six; AutoFlow found few large layers best."""
    object_size: Range = (24, 420)
    """Longer side in pixels, log-uniform: detail is learnt from small ones, occlusion from large ones."""
    displacement: Range = (0.2, 160)
    """Displacement of objects relative to the background, log-uniform: every octave counts alike. With zoom and
    rotation there is enough below 0.1 px."""
    background_displacement: Range = (0.3, 90)
    """Likewise of the background; larger ones leave too little in view."""
    still_background_share: float = 0.06
    """A camera on a tripod: zero flow must be learnt, too."""
    exact_rest: bool = False
    """Whether all that rests has a flow of exactly zero; else it is zero but for rounding (1e-13 px), and points on the
    outermost pixels may count as out of view."""
    still_object_share: float = 0.08
    """Objects that move with the background: an edge alone is no motion boundary."""
    rotation: float = 30
    """Degrees at most. Rotations and zooms are also bounded by what moves the rim as far as the displacement, so that
    slow scenes are slow everywhere."""
    zoom: float = 0.25
    """Largest departure of the scale from 1; more changes the sampling too much for the proof and is rare in video."""
    deformation_share: float = 0.35
    """Cloth, faces, water, smoke: motion that no affine map describes."""
    deformation_slope: float = 0.3
    """Largest change of the deformation per pixel; below one half, so that nothing folds."""
    rigid_share: float = 0.35
    """Streets and rooms under camera motion: with rigid scenes only, networks miss moving objects (TartanAir), without
    any they miss driving (KITTI)."""
    forward_turning: Range = (0.0, 0.7)
    """Share of the rigid displacement that camera rotation makes; pans dominate hand-held video."""
    uprights: tuple[int, int] = (0, 7)
    """Things that stand in a rigid scene at their own depth: parallax."""
    plain_share: float = 0.05
    """Backgrounds almost without texture: the flow must then come from the borders."""
    faint_share: float = 0.0
    """Pictures in the background that are mostly dark and of little contrast, as rooms are in home video."""
    faint: Range = (0.08, 0.5)
    """What is left of their contrast."""
    faint_level: Range = (8, 110)
    """Grey level that their contrast is taken about."""
    chair_share: float = 0.3
    """Share of the objects that are chairs; they have holes, thin legs and shading."""
    stencil_shares: tuple[float, ...] = (0.5, 0.12, 0.08, 0.1, 0.1, 0.1)
    """Shares of the shapes of the other objects, in the order of `STENCILS`; a third is thin: fences, wires,
    writing."""
    smallest_stencil: int = 16
    """Length in pixels of the smallest of them, with a clear margin of 3 on each side."""
    slenderness: Range = (0.3, 1.0)
    """Their shorter side as a share of the longer one."""
    transparent_share: float = 0.08
    """Glass, veils, smoke. The flow is that of the layer if it hides more than half; the rest shows through."""
    opacity: Range = (0.55, 0.95)
    shared_texture_share: float = 0.1
    """Objects that look like the background: camouflage, where motion alone separates them."""
    pictures: int = 160
    """How many pictures are made; each gives thousands of cuts."""
    surfaces: int = 100
    """How many materials are made."""
    chairs: int = 250
    """How many views of chairs are made."""
    effects: EffectsConfig = EffectsConfig()

    def clean(self) -> "MixedConfig":
        """The same scenes without effects and without transparency: what the frames show is then exactly what moves."""
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
"""Few large objects that fly far before a slow background, mostly blurred and at times dark: much of the background is
covered or comes into view, as in the fast scenes of films."""

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
"""A camera that drives and turns fast through streets, corridors and open country: near things move by tens of pixels,
and much leaves the frame, so that its motion must be told from that of the rest (KITTI). Turns and steps cancel in
part: on average the ground moves by half of `background_displacement`, by 8 to 75 pixels, and near things by more."""

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
"""A camera on a tripod, at times with nothing that moves: the background's flow is exactly zero, and what differs in it
is noise, compression and light, new in each frame. Much is dark, as in home video."""

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
"""Many small, slender and thin things that fly by before a background that hardly moves, at times blurred: balls,
sticks, limbs, wires, chairs with legs. Many move farther than they are long."""

MIXED_WORLDS = {"mixed": MixedConfig(), "fast": FAST, "drive": DRIVE, "still": STILL, "swift": SWIFT}
"""Worlds of this family: their names and their numbers."""
