"""Pools of the pictures and cut-outs that scenes are made of: procedural ones or the user's, each made once and kept.

An entry depends on the seed and its number alone, never on what was asked for before, so that every worker makes the
same ones.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.errors import DatasetError
from opticflow.io import read_image
from opticflow.scenes import noise
from opticflow.scenes.layers import Texture
from opticflow.shapes import Frame

PHOTOGRAPH_SHARE = 0.125
"""Share of a world's pictures that are photographs, where a folder of them is given. About a hundred free photographs
come in packages (scripts/photographs.py), where FlyingChairs had 964: enough to show real grain and light, too few to
be more than a tenth to a seventh of all."""
LARGEST_ENLARGEMENT = 1.5
"""Largest factor by which a photograph smaller than the frames is enlarged; beyond it, it is too blurred to have detail
to match."""
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp", ".tif", ".tiff")

Entry = TypeVar("Entry")


class TexturePool(Generic[Entry]):
    """Entries 0 to `count` - 1 of a random sequence; each is made on first use and kept."""

    def __init__(self, make: Callable[[np.random.Generator, int], Entry], count: int, seed: Sequence[int]) -> None:
        """Set up an empty pool.

        Args:
            make: from a random generator of its own and the entry's number to the entry.
            seed: of the pool; pools of different purpose need different ones.
        """
        self._make, self._count, self._seed = make, count, tuple(seed)
        self._made: dict[int, Entry] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Entry:
        if number not in self._made:
            self._made[number] = self._make(np.random.default_rng([*self._seed, number]), number)
        return self._made[number]

    def draw(self, rng: np.random.Generator) -> Entry:
        """Return a random entry."""
        return self[int(rng.integers(self._count))]

    def prepare(self) -> None:
        """Make all entries now."""
        for number in range(self._count):
            _ = self[number]

    def with_photographs(self, folder: Path, load: Callable[[Path], Entry]) -> "TexturePool[Entry]":
        """Return a copy of this pool with photographs in place of `PHOTOGRAPH_SHARE` of its entries, at least one.

        The seed decides which photographs of the folder these are; all others are as they were.

        Raises:
            DatasetError: there is no such folder, or no picture in it.
        """
        files = picture_files(folder, "photographs")
        order = np.random.default_rng([*self._seed, self._count]).permutation(len(files))
        taken = max(1, round(PHOTOGRAPH_SHARE * self._count))

        def make(rng: np.random.Generator, number: int) -> Entry:
            return load(files[order[number % len(files)]]) if number < taken else self._make(rng, number)

        return TexturePool(make, self._count, self._seed)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_made": {}}  # a worker makes its own


def picture_files(folder: Path, what: str) -> list[Path]:
    """Return the pictures in a folder and its subfolders, sorted by name.

    Raises:
        DatasetError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder} to take {what} from")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise DatasetError(f"no pictures in {folder} to take {what} from; wanted {', '.join(PICTURE_SUFFIXES)}")
    return files


def load_background(path: Path, height: int, width: int) -> Frame:
    """Read a user's picture, enlarged to at least this height and width and reduced to at most twice that, and
    band-limited."""
    return _fitted(read_image(path), height, width)


def _fitted(frame: UInt8[np.ndarray, "_rows _columns 3"], height: int, width: int) -> Frame:
    scale = max(height / frame.shape[0], width / frame.shape[1])
    larger = min(1.0, 2 * scale)
    # a smaller picture is enlarged to the frame, a much larger one reduced to twice the frame
    factor = scale if scale > 1 else larger
    if factor != 1:
        size = (max(width, round(frame.shape[1] * factor)), max(height, round(frame.shape[0] * factor)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return noise.soften(frame)


def load_photograph(path: Path, height: int, width: int) -> Frame:
    """Read a photograph, enlarged to at least this height and width; a much smaller one is mirrored at its borders
    instead of enlarged further."""
    frame = read_image(path)
    scale = max(height / frame.shape[0], width / frame.shape[1])
    if scale <= LARGEST_ENLARGEMENT:
        return _fitted(frame, height, width)
    frame = cv2.resize(frame, None, fx=LARGEST_ENLARGEMENT, fy=LARGEST_ENLARGEMENT, interpolation=cv2.INTER_CUBIC)
    below, beside = max(0, height - frame.shape[0]), max(0, width - frame.shape[1])
    return noise.soften(cv2.copyMakeBorder(frame, 0, below, 0, beside, cv2.BORDER_REFLECT_101))


def folder_digest(folder: Path, what: str) -> str:
    """Return the number of pictures in a folder and a hash of their names and sizes, by which folders are told apart.

    Raises:
        DatasetError: there is no such folder, or no picture in it.
    """
    files = picture_files(folder, what)
    listed = "\n".join(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}" for path in files)
    return f"{len(files)} pictures, {hashlib.sha256(listed.encode()).hexdigest()[:12]}"


def load_cutout(path: Path, size: int) -> Texture:
    """Read a user's object, reduced so that its longer side is at most `size`.

    Raises:
        DatasetError: the picture has no transparency.
    """
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if image is None:
        raise DatasetError(f"cannot read the picture {path}; convert it to PNG or remove it")
    if image.ndim != 3 or image.shape[2] != 4:
        channels = 1 if image.ndim == 2 else image.shape[2]
        raise DatasetError(f"{path} has {channels} channels and no transparency; wanted RGBA cut-outs (PNG or WebP)")
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)  # 65535 = 257 * 255
    image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA).astype(np.float32)
    # colours are premultiplied by alpha, as `Texture` says
    image[..., :3] *= image[..., 3:] / 255
    factor = size / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    # a clear margin lets the object end softly at its borders
    image = cv2.copyMakeBorder(image, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    return np.rint(image).astype(np.uint8)


def opaque(frame: Frame) -> Texture:
    """Return a picture as an opaque texture."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA)
