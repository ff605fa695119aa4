"""Pools of the pictures and cut-outs that scenes use, procedural or from files; each entry is made once and cached.

An entry depends only on the seed and its number, not on earlier requests, so that every worker makes the same entries.
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
"""Share of the pictures of a world that are photographs, if a folder of photographs is given. Software packages contain
about a hundred free photographs (scripts/photographs.py), while FlyingChairs had 964. A hundred are enough to show real
grain and light, but too few for more than a tenth to a seventh of all pictures."""
LARGEST_ENLARGEMENT = 1.5
"""Largest factor by which a photograph smaller than the frames is enlarged. With a larger factor it would be too
blurred to have enough detail for matching."""
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp", ".tif", ".tiff")

Entry = TypeVar("Entry")


class TexturePool(Generic[Entry]):
    """A pool of `count` random entries with the numbers 0 to `count` - 1. Each is made on first use and cached."""

    def __init__(self, make: Callable[[np.random.Generator, int], Entry], count: int, seed: Sequence[int]) -> None:
        """Set up an empty pool.

        Args:
            make: function that makes an entry from its own random generator and its number.
            count: number of entries.
            seed: random seed of the pool; pools for different purposes need different seeds.
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

        The seed decides which photographs of the folder are used. The other entries do not change.

        Args:
            load: function that reads a photograph as an entry.

        Raises:
            DatasetError: the folder does not exist, or it contains no pictures.
        """
        files = picture_files(folder, "photographs")
        order = np.random.default_rng([*self._seed, self._count]).permutation(len(files))
        taken = max(1, round(PHOTOGRAPH_SHARE * self._count))

        def make(rng: np.random.Generator, number: int) -> Entry:
            return load(files[order[number % len(files)]]) if number < taken else self._make(rng, number)

        return TexturePool(make, self._count, self._seed)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_made": {}}  # each worker makes its own entries


def picture_files(folder: Path, what: str) -> list[Path]:
    """Return the paths of the pictures in a folder and its subfolders, sorted; `what` names them in error messages.

    Raises:
        DatasetError: the folder does not exist, or it contains no pictures.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder} to take {what} from")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise DatasetError(f"no pictures in {folder} to take {what} from; wanted {', '.join(PICTURE_SUFFIXES)}")
    return files


def load_background(path: Path, height: int, width: int) -> Frame:
    """Read a picture, scale it to cover `height` x `width`, and band-limit it.

    A picture that is too small is enlarged until it covers this size. A picture that covers more than twice this size
    is reduced until it just covers twice this size.
    """
    return _fitted(read_image(path), height, width)


def _fitted(frame: UInt8[np.ndarray, "_rows _columns 3"], height: int, width: int) -> Frame:
    scale = max(height / frame.shape[0], width / frame.shape[1])
    larger = min(1.0, 2 * scale)
    # enlarge a picture smaller than the frame; reduce one much larger than the frame to twice the frame
    factor = scale if scale > 1 else larger
    if factor != 1:
        size = (max(width, round(frame.shape[1] * factor)), max(height, round(frame.shape[0] * factor)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return noise.soften(frame)


def load_photograph(path: Path, height: int, width: int) -> Frame:
    """Read a photograph, scale it to cover `height` x `width`, and band-limit it.

    A photograph is enlarged by at most `LARGEST_ENLARGEMENT`; if it is still too small, it is extended by reflection at
    its borders.
    """
    frame = read_image(path)
    scale = max(height / frame.shape[0], width / frame.shape[1])
    if scale <= LARGEST_ENLARGEMENT:
        return _fitted(frame, height, width)
    frame = cv2.resize(frame, None, fx=LARGEST_ENLARGEMENT, fy=LARGEST_ENLARGEMENT, interpolation=cv2.INTER_CUBIC)
    below, beside = max(0, height - frame.shape[0]), max(0, width - frame.shape[1])
    return noise.soften(cv2.copyMakeBorder(frame, 0, below, 0, beside, cv2.BORDER_REFLECT_101))


def folder_digest(folder: Path, what: str) -> str:
    """Return the number of pictures in a folder and a hash of their paths and file sizes, to identify the folder.

    Raises:
        DatasetError: the folder does not exist, or it contains no pictures.
    """
    files = picture_files(folder, what)
    listed = "\n".join(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}" for path in files)
    return f"{len(files)} pictures, {hashlib.sha256(listed.encode()).hexdigest()[:12]}"


def load_cutout(path: Path, size: int) -> Texture:
    """Read an RGBA cut-out, reduce its longer side to at most `size` texels, and add a transparent margin of 2 texels.

    Raises:
        DatasetError: the file cannot be decoded, or the picture has no alpha channel.
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
    # a transparent margin gives the object soft edges at its borders
    image = cv2.copyMakeBorder(image, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    return np.rint(image).astype(np.uint8)


def opaque(frame: Frame) -> Texture:
    """Return a picture as an opaque RGBA texture."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA)
