"""Procedural chair models of eight families, as small meshes. Lengths are in metres; x points right, y back, z up."""

from collections.abc import Callable, Sequence

import numpy as np

from opticflow.scenes import materials, noise, palettes
from opticflow.scenes.layers import Texture
from opticflow.scenes.sprites import Finish, MeshPart, loft, render_sprite

Vector = Sequence[float] | np.ndarray


def chair_sprite(rng: np.random.Generator, size: int) -> Texture:
    """Render a random chair from a random side and slightly from above, like the chair renderings in FlyingChairs.

    Args:
        size: longer side of the cut-out in texels.
    """
    families = list(FAMILIES)
    parts = FAMILIES[families[rng.choice(len(families), p=FAMILY_SHARES)]](rng)
    return render_sprite(
        parts,
        size,
        azimuth=rng.uniform(0, 2 * np.pi),
        elevation=np.radians(rng.uniform(8, 38)),
        distance=rng.uniform(2.6, 7),
        light=np.array([[rng.normal(0, 0.8), rng.uniform(0.1, 1.5), rng.uniform(0.3, 1.2)]]),
    )


# Finishes ------------------------------------------------------------------------------------------------------


def _wood(rng: np.random.Generator) -> Finish:
    tone = np.array([150, 95, 55]) * rng.uniform(0.25, 1.5) + rng.normal(0, 8, 3)  # RGB, grey levels
    grain = noise.fractal(rng, 256, 256, coarsest=32, persistence=0.7, stretch=12)[..., None]  # 256 x 256 x 1
    sheet = tone * (1 + rng.uniform(0.04, 0.16) * grain)
    return Finish(np.clip(sheet, 0, 255).astype(np.uint8), gloss=rng.uniform(0, 0.3))


def _paint(rng: np.random.Generator) -> Finish:
    """Draw the finish of lacquer, plastic or metal; black and greys are the most frequent colours."""
    roll = rng.random()
    if roll < 0.35:
        colour = np.full(3, rng.uniform(12, 50))
    elif roll < 0.6:
        colour = np.full(3, rng.uniform(120, 250)) + rng.normal(0, 6, 3)
    else:
        colour = palettes.colour(rng)
    sheet = np.empty((2, 2, 3), np.uint8)
    sheet[:] = np.clip(colour, 0, 255)
    return Finish(sheet, gloss=rng.uniform(0, 0.8))


def _cloth(rng: np.random.Generator) -> Finish:
    """Draw the finish of fabric or leather: one colour with a fine grain, or sometimes a pattern."""
    if rng.random() < 0.35:
        return Finish(materials.surface(rng, 256, 256))
    grain = noise.fractal(rng, 256, 256, coarsest=2 ** rng.uniform(1, 5), persistence=0.9)[..., None]
    sheet = palettes.colour(rng) * (1 + rng.uniform(0.02, 0.12) * grain)
    return Finish(np.clip(sheet, 0, 255).astype(np.uint8), gloss=rng.uniform(0, 0.3))


def _any(rng: np.random.Generator) -> Finish:
    return (_wood, _paint, _cloth)[rng.choice(3, p=[0.4, 0.35, 0.25])](rng)


# Solids --------------------------------------------------------------------------------------------------------


def _box(centre: Vector, size: Vector, finish: Finish, *, lean: float = 0.0) -> MeshPart:
    """Build an upright box; `lean` is the distance by which its top is shifted backwards."""
    x, y, z = (side / 2 for side in size)
    base = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])  # 4 x 3, metres
    loops = np.stack([base - np.array([0, lean / 2, z]), base + np.array([0, lean / 2, z])]) + np.asarray(centre)
    return loft(loops, finish, smooth=False)


def _tube(
    path: Sequence[Vector] | np.ndarray, radius: float | Sequence[float], finish: Finish, *, sides: int = 9
) -> MeshPart:
    """Build a bar along a path, with one radius for each point or one for all; `sides` is the number of its sides."""
    points = np.asarray(path, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(points))
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-12
    # the cross product with any direction not parallel to the path gives an axis of the cross-section
    helper = np.array([1.0, 0, 0]) if abs(tangents.mean(axis=0)[0]) < 0.7 else np.array([0, 1.0, 0])
    right = np.cross(tangents, helper)
    right /= np.linalg.norm(right, axis=1, keepdims=True) + 1e-12
    up = np.cross(right, tangents)
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angles)[:, None] * right[:, None] + np.sin(angles)[:, None] * up[:, None]  # points x sides x 3
    # bars of four sides keep their edges
    return loft(points[:, None] + radii[:, None, None] * ring, finish, smooth=sides > 4)


def _bent(path: Sequence[Vector], *, roundness: float = 0.35, steps: int = 5) -> np.ndarray:
    """Return a polyline whose corners are rounded."""
    points = np.asarray(path, dtype=np.float64)
    out = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        # a quadratic Bezier curve replaces each corner and has it as its control point
        reach = roundness * min(np.linalg.norm(before - corner), np.linalg.norm(after - corner))
        start = corner + reach * (before - corner) / np.linalg.norm(before - corner)
        end = corner + reach * (after - corner) / np.linalg.norm(after - corner)
        for t in np.linspace(0, 1, steps):
            out.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    return np.array([*out, points[-1]])


def _pad(centre: Vector, size: Vector, finish: Finish, *, squareness: float, bulge: float = 0.5) -> MeshPart:
    """Build a cushion or a seat: a superellipse when seen from above, with a rounded edge.

    Args:
        squareness: exponent of the superellipse; 2 gives an ellipse, large values approach a rectangle.
        bulge: how much the edge is rounded; 0 gives a flat board.
    """
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    outline = np.stack(  # 28 x 2, in [-1, 1]
        [np.sign(cosine) * np.abs(cosine) ** (2 / squareness), np.sign(sine) * np.abs(sine) ** (2 / squareness)],
        axis=-1,
    )
    profile = np.linspace(-np.pi / 2, np.pi / 2, 7)  # angles from the lower rim to the upper one
    loops = []
    for angle in profile:
        # thin pads are rounded off less, in proportion to their height
        inset = 1 - bulge * (1 - np.cos(angle)) * min(1.0, size[2] / min(size[0], size[1]) + 0.06)
        ring = outline * inset * (size[0] / 2, size[1] / 2)
        loops.append(np.column_stack([ring, np.full(len(ring), np.sin(angle) * size[2] / 2)]))
    return loft(np.array(loops) + np.asarray(centre), finish, smooth=bool(bulge > 0.1))


def _board(path: np.ndarray, width: float, thickness: float, finish: Finish, *, curve: float = 0.0) -> MeshPart:
    """Build a board along a path in the y-z plane: a back, a shell or bent plywood; `curve` makes it concave across."""
    points = np.asarray(path, dtype=np.float64)
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-12
    normals = np.stack([np.zeros(len(points)), -tangents[:, 2], tangents[:, 1]], axis=-1)  # points x 3, unit vectors
    across = np.linspace(-1, 1, 9)
    hollow = curve * across**2
    front = np.stack([width / 2 * across, hollow + thickness / 2], axis=-1)
    back = np.stack([width / 2 * across, hollow - thickness / 2], axis=-1)[::-1]
    section = np.concatenate([front, back])  # 18 x 2, across the board and along its normal
    loops = points[:, None] + section[None, :, :1] * (1, 0, 0) + section[None, :, 1:] * normals[:, None]
    return loft(loops, finish, smooth=False)


# Parts of chairs -----------------------------------------------------------------------------------------------


def _legs(rng: np.random.Generator, finish: Finish, *, width: float, depth: float, height: float) -> list[MeshPart]:
    """Build four legs, square or round, splayed or straight, often joined by stretchers."""
    splay = rng.choice([0.0, rng.uniform(0, 0.09)])
    thick = rng.uniform(0.01, 0.028)
    sides = 4 if rng.random() < 0.5 else 9
    taper = rng.uniform(0.5, 1.0)
    parts = []
    feet = {}
    for right in (-1, 1):
        for back in (-1, 1):
            top = np.array([right * (width / 2 - thick), back * (depth / 2 - thick), height])
            foot = top + np.array([right * splay, back * splay, -height])
            parts.append(_tube([top, foot], [thick, thick * taper], finish, sides=sides))
            feet[right, back] = top, foot
    if rng.random() < 0.5:
        at = rng.uniform(0.3, 0.75)
        corner = {key: top + at * (foot - top) for key, (top, foot) in feet.items()}  # ends of the stretchers, metres
        for key, other in [((-1, -1), (-1, 1)), ((1, -1), (1, 1)), ((-1, 1), (1, 1)), ((-1, -1), (1, -1))]:
            if rng.random() < 0.75:
                parts.append(_tube([corner[key], corner[other]], 0.6 * thick, finish, sides=sides))
    return parts


def _back(
    rng: np.random.Generator, frame: Finish, panel: Finish, *, width: float, at: float, low: float, tall: float
) -> list[MeshPart]:
    """Build a back: two posts with a ladder, spindles, a panel, a cushion, a cross or a splat between them."""
    lean = rng.uniform(0.02, 0.16)
    thick = rng.uniform(0.011, 0.024)
    post = np.array([[0, at, low], [0, at + lean * 0.4, low + 0.5 * tall], [0, at + lean, low + tall]])  # 3 x 3
    parts = [_tube(post + np.array([side * (width / 2 - thick), 0, 0]), thick, frame) for side in (-1, 1)]

    def rail(share: float, high: float, finish: Finish = frame) -> MeshPart:
        y, z = np.interp(share, [0, 0.5, 1], post[:, 1]), low + share * tall
        return _box((0, y, z), (width - thick, 0.018, high), finish)

    kind = rng.choice(["ladder", "spindles", "panel", "cushion", "cross", "splat"])
    parts.append(rail(0.95, rng.uniform(0.03, 0.12)))
    if kind == "ladder":
        count = int(rng.integers(2, 6))
        parts += [rail(share, 0.5 * tall / (count + 1)) for share in np.linspace(0.2, 0.8, count)]
    elif kind == "spindles":
        parts.append(rail(0.15, 0.03))
        for x in np.linspace(-0.42, 0.42, int(rng.integers(3, 9))) * width:
            parts.append(_tube(post[[0, 1, 2]] * (0, 1, 0.97) + (x, 0, 0.02), 0.45 * thick, frame, sides=6))
    elif kind == "panel":
        inner = np.stack([np.interp(t, [0, 0.5, 1], post[:, k]) for t in np.linspace(0.12, 0.95, 6) for k in range(3)])
        parts.append(_board(inner.reshape(-1, 3), width - thick, 0.015, panel))
    elif kind == "cushion":
        low_share = rng.uniform(0.05, 0.4)
        inner = np.stack(
            [np.interp(t, [0, 0.5, 1], post[:, k]) for t in np.linspace(low_share, 0.98, 6) for k in range(3)]
        )
        parts.append(_board(inner.reshape(-1, 3), width - thick, rng.uniform(0.03, 0.08), panel))
    elif kind == "cross":
        for side in (-1, 1):
            ends = [(-side * width * 0.45, at, low + 0.1 * tall), (side * width * 0.45, at + lean, low + 0.92 * tall)]
            parts.append(_tube(ends, 0.6 * thick, frame, sides=6))
    else:
        wide = width * rng.uniform(0.2, 0.5)
        parts += [_board(post * (0, 1, 0.97) + (0, 0, 0.01), wide, 0.014, panel)]
    return parts


def _arms(rng: np.random.Generator, finish: Finish, *, width: float, depth: float, seat: float) -> list[MeshPart]:
    """Build two armrests of bent tube, most of them with a pad on top."""
    high = seat + rng.uniform(0.15, 0.27)
    pad = _paint(rng) if rng.random() < 0.4 else finish
    thick = rng.uniform(0.01, 0.022)
    parts = []
    for side in (-1, 1):
        x = side * (width / 2 + 0.01)
        path = [(x, -0.35 * depth, seat - 0.02), (x, -0.38 * depth, high), (x, 0.48 * depth, high + 0.02)]
        parts.append(_tube(_bent(path, roundness=0.3), thick, finish, sides=8))
        if rng.random() < 0.8:
            parts.append(_box((x, 0.0, high + thick), (0.05, 0.75 * depth, 0.025), pad))
    return parts


# Families ------------------------------------------------------------------------------------------------------


def _dining(rng: np.random.Generator) -> list[MeshPart]:
    frame, panel = _any(rng), _any(rng)
    if rng.random() < 0.5:
        panel = frame
    width, depth, seat = rng.uniform(0.36, 0.56), rng.uniform(0.36, 0.52), rng.uniform(0.4, 0.52)
    thick = rng.uniform(0.02, 0.09)
    parts = [
        _pad((0, 0, seat), (width, depth, thick), panel, squareness=rng.uniform(3, 14), bulge=rng.choice([0.0, 0.6])),
        *_legs(rng, frame, width=width, depth=depth, height=seat),
        *_back(rng, frame, panel, width=width, at=depth / 2 - 0.02, low=seat, tall=rng.uniform(0.28, 0.68)),
    ]
    if rng.random() < 0.4:
        parts += _arms(rng, frame, width=width, depth=depth, seat=seat)
    return parts


def _armchair(rng: np.random.Generator) -> list[MeshPart]:
    cloth, wood = _cloth(rng), _any(rng)
    width, depth = rng.choice([rng.uniform(0.6, 0.85), rng.uniform(1.2, 1.9)], p=[0.75, 0.25]), rng.uniform(0.6, 0.85)
    seat, leg, arm = rng.uniform(0.32, 0.45), rng.uniform(0.04, 0.16), rng.uniform(0.08, 0.18)
    high, back = rng.uniform(0.5, 0.65), rng.uniform(0.7, 1.05)
    square, lean = rng.uniform(4, 12), rng.uniform(0, 0.2)
    parts = _legs(rng, wood, width=0.9 * width, depth=0.85 * depth, height=leg + 0.02)
    parts.append(_box((0, 0, (leg + seat - 0.1) / 2 + 0.02), (width, depth, seat - 0.1 - leg + 0.04), cloth))
    count = max(1, round(width / 0.65))  # cushions, one for each seat
    inner = width - 2 * arm
    for n in range(count):
        x = (n + 0.5) / count * inner - inner / 2
        cushion = (inner / count, depth * 0.95, 0.16)
        parts.append(_pad((x, -0.02, seat - 0.04), cushion, cloth, squareness=square, bulge=0.7))
    back_path = [(0, depth / 2 - 0.09, leg), (0, depth / 2 - 0.05, seat), (0, depth / 2 + lean, back)]
    parts.append(_board(_bent(back_path), width, rng.uniform(0.1, 0.2), cloth, curve=rng.uniform(0, 0.05)))
    for side in (-1, 1):
        x = side * (width - arm) / 2
        if rng.random() < 0.9:
            parts.append(_box((x, 0, (leg + high) / 2), (arm, depth, high - leg), cloth))
            parts.append(_tube([(x, -depth / 2, high), (x, depth / 2, high)], arm * 0.52, cloth, sides=14))
    return parts


def _stool(rng: np.random.Generator) -> list[MeshPart]:
    frame, panel = _any(rng), _any(rng)
    width, seat = rng.uniform(0.28, 0.42), rng.uniform(0.42, 0.85)
    count, splay, thick = int(rng.integers(3, 5)), rng.uniform(0, 0.12), rng.uniform(0.009, 0.022)
    squareness = rng.choice([2.0, rng.uniform(3, 10)])
    parts = [_pad((0, 0, seat), (width, width, rng.uniform(0.02, 0.1)), panel, squareness=squareness, bulge=0.5)]
    ring, at = [], rng.uniform(0.2, 0.5)
    for angle in np.arange(count) * 2 * np.pi / count + np.pi / 4:
        outward = np.array([np.cos(angle), np.sin(angle), 0])
        top, foot = outward * 0.38 * width + (0, 0, seat), outward * (0.42 * width + splay)
        parts.append(_tube([top, foot], thick, frame))
        ring.append(foot + at * (top - foot))
    for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
        parts.append(_tube([a, b], 0.7 * thick, frame, sides=6))
    if rng.random() < 0.3:
        parts += _back(rng, frame, panel, width=0.9 * width, at=0.4 * width, low=seat, tall=rng.uniform(0.15, 0.35))
    return parts


def _bench(rng: np.random.Generator) -> list[MeshPart]:
    frame, panel = _any(rng), _wood(rng) if rng.random() < 0.7 else _any(rng)
    width, depth, seat = rng.uniform(0.9, 1.7), rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.48)
    parts = _legs(rng, frame, width=0.9 * width, depth=depth, height=seat)
    count = int(rng.integers(2, 6))
    pitch = depth / count
    for y in (np.arange(count) + 0.5) * pitch - depth / 2:
        parts.append(_box((0, y, seat), (width, 0.8 * pitch, 0.03), panel))
    if rng.random() < 0.7:
        tall, slats = rng.uniform(0.25, 0.5), int(rng.integers(1, 5))
        for x in (-0.42 * width, 0, 0.42 * width):
            parts.append(_box((x, depth / 2 + 0.05, seat + tall / 2), (0.04, 0.03, tall), frame, lean=0.08))
        for share in (np.arange(slats) + 0.5) / slats:
            place = (0, depth / 2 + 0.02 + 0.08 * share, seat + 0.1 + share * (tall - 0.1))
            parts.append(_box(place, (width, 0.025, 0.7 * (tall - 0.1) / slats), panel))
        if rng.random() < 0.6:
            parts += _arms(rng, frame, width=width, depth=depth, seat=seat)
    return parts


def _office(rng: np.random.Generator) -> list[MeshPart]:
    frame, cloth = _paint(rng), _cloth(rng) if rng.random() < 0.7 else _paint(rng)
    seat, width, depth = rng.uniform(0.42, 0.56), rng.uniform(0.44, 0.54), rng.uniform(0.42, 0.52)
    parts = [_tube([(0, 0, 0.1), (0, 0, seat)], [0.035, 0.022], frame, sides=12)]
    turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.26, 0.34)
    for angle in turn + np.arange(5) * 2 * np.pi / 5:
        outward = np.array([np.cos(angle), np.sin(angle), 0])
        parts.append(_tube([(0, 0, 0.13), outward * reach + (0, 0, 0.07)], [0.028, 0.015], frame, sides=6))
        sideways = np.array([-np.sin(angle), np.cos(angle), 0]) * 0.02
        hub = outward * reach + (0, 0, 0.03)
        parts.append(_tube([hub - sideways, hub + sideways], 0.03, frame, sides=12))
    parts.append(_pad((0, 0, seat), (width, depth, rng.uniform(0.05, 0.12)), cloth, squareness=4, bulge=0.7))
    low, tall = seat + rng.uniform(0.02, 0.16), rng.uniform(0.3, 0.75)
    at, lean = depth / 2 + 0.02, rng.uniform(0.03, 0.14)
    path = [(0, at, low), (0, at - 0.03, low + 0.3 * tall), (0, at + lean, low + tall)]
    parts.append(
        _board(_bent(path), width * rng.uniform(0.8, 1), rng.uniform(0.02, 0.08), cloth, curve=rng.uniform(0, 0.08))
    )
    parts.append(
        _tube(_bent([(0, 0.1, seat - 0.04), (0, at + 0.05, seat - 0.04), (0, at + 0.04, low + 0.2)]), 0.02, frame)
    )
    if rng.random() < 0.75:
        parts += _arms(rng, frame, width=width + 0.04, depth=depth, seat=seat)
    return parts


def _cantilever(rng: np.random.Generator) -> list[MeshPart]:
    """Build a cantilever chair: a frame of bent steel tube without rear legs."""
    metal, panel = _paint(rng), _any(rng)
    width, depth, seat = rng.uniform(0.42, 0.54), rng.uniform(0.44, 0.54), rng.uniform(0.42, 0.5)
    tall, lean, thick = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.16), rng.uniform(0.01, 0.016)
    front, rear = -depth / 2, depth / 2
    side = [(0, rear, 0), (0, front, 0), (0, front, seat), (0, rear, seat - 0.02), (0, rear + lean, seat + tall)]
    parts = [_tube(_bent(side, roundness=0.25) + np.array([x, 0, 0]), thick, metal) for x in (-width / 2, width / 2)]
    for _, y, z in (side[0], side[-1]):
        parts.append(_tube([(-width / 2, y, z), (width / 2, y, z)], thick, metal))
    parts.append(_board(np.array([(0, front + 0.02, seat + 0.015), (0, rear, seat)]), width, 0.02, panel))
    share = rng.uniform(0.3, 0.6)
    back = [(0, rear + lean * share, seat + tall * share), (0, rear + lean, seat + tall)]
    parts.append(_board(np.array(back) - (0, 0.01, 0), width, 0.02, panel))
    if rng.random() < 0.4:
        parts += _arms(rng, metal, width=width, depth=depth, seat=seat)
    return parts


def _shell(rng: np.random.Generator) -> list[MeshPart]:
    """Build a shell chair: seat and back are one moulded piece on four legs."""
    shell, frame = _any(rng), _any(rng)
    width, depth, seat = rng.uniform(0.42, 0.6), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.46)
    tall, lean = rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.2)
    path = [(0, -depth / 2, seat + 0.02), (0, depth / 2 - 0.03, seat - 0.02), (0, depth / 2 + lean, seat + tall)]
    bend = _bent(path, roundness=rng.uniform(0.3, 0.5), steps=9)
    parts = [_board(bend, width, rng.uniform(0.012, 0.03), shell, curve=rng.uniform(0.02, 0.09))]
    parts += _legs(rng, frame, width=0.75 * width, depth=0.8 * depth, height=seat - 0.01)
    return parts


def _deck(rng: np.random.Generator) -> list[MeshPart]:
    """Build a deck chair: a reclining cloth seat on crossed bars."""
    frame, cloth = _wood(rng) if rng.random() < 0.6 else _paint(rng), _cloth(rng)
    width, tall = rng.uniform(0.45, 0.6), rng.uniform(0.75, 1.0)
    thick = rng.uniform(0.012, 0.02)
    parts = []
    for side in (-width / 2, width / 2):
        parts.append(_tube([(side, -0.45, 0), (side, 0.55, tall)], thick, frame, sides=4))
        parts.append(_tube([(side * 0.92, 0.45, 0), (side * 0.92, -0.5, 0.45)], thick, frame, sides=4))
    for y, z in [(0.55, tall), (-0.5, 0.45), (0.45, 0), (-0.45, 0)]:
        parts.append(_tube([(-width / 2, y, z), (width / 2, y, z)], thick, frame, sides=6))
    sag = [(0, -0.5, 0.45), (0, 0.08, rng.uniform(0.22, 0.34)), (0, 0.55, tall)]
    parts.append(_board(_bent(sag, roundness=0.6, steps=9), 0.88 * width, 0.012, cloth))
    return parts


FAMILIES: dict[str, Callable[[np.random.Generator], list[MeshPart]]] = {
    "dining": _dining,
    "armchair": _armchair,
    "stool": _stool,
    "bench": _bench,
    "office": _office,
    "cantilever": _cantilever,
    "shell": _shell,
    "deck": _deck,
}
FAMILY_SHARES = [0.42, 0.08, 0.1, 0.05, 0.14, 0.09, 0.08, 0.04]
"""Probability of each family of `FAMILIES`. Dining chairs are the most frequent, as among the 3-D models that
FlyingChairs used."""
