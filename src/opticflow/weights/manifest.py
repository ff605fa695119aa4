"""The known weight sets, as records in `manifest.toml`."""

import glob
import os
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class WeightsRecord:
    """One weight set; the fields are explained at the top of `manifest.toml`."""

    name: str
    parameters: int
    licence: str
    trained_on: str
    file: str | None = None
    url: str | None = None
    page: str | None = None
    sha256: str | None = None
    sha256_begins: str | None = None
    bytes: int | None = None
    error: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    use: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """A key of MODELS."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """The tag that distinguishes it from the other sets of its network."""
        # tags contain dots themselves, so only the first dot separates
        return self.name.partition(".")[2]

    @property
    def path(self) -> Path:
        """Path of its file; it may not exist before it is downloaded or imported."""
        if self.file:
            return HERE / self.file
        if self.url:
            return cache_folder() / Path(self.url).name
        return next(iter(imported_files(self.name)), imported_path(self.name))

    @property
    def present(self) -> bool:
        """Whether it can be loaded now."""
        return self.path.is_file()

    @property
    def state(self) -> str:
        """How it can be obtained: shipped, here, to download, or by hand."""
        if self.present:
            return "shipped" if self.file else "here"
        return "to download" if self.url else "by hand"


def cache_folder() -> Path:
    """Return the folder for downloaded weights: `weights` in `OPTICFLOW_CACHE` or in the platform's cache folder."""
    folder = os.environ.get("OPTICFLOW_CACHE")
    if not folder:
        import pooch  # here, because it is not needed if `OPTICFLOW_CACHE` is set

        folder = pooch.os_cache("opticflow")
    return Path(folder) / "weights"


def imported_path(name: str) -> Path:
    """Return where `opticflow models import` stores a weight set with this name."""
    return cache_folder() / f"{name}.safetensors"


def imported_files(name: str) -> list[Path]:
    """Return the imported weight sets that a name refers to: that with this name, or otherwise all whose names continue
    it.

    Args:
        name: NETWORK, NETWORK.AUTHORS or NETWORK.AUTHORS.FILE.
    """
    exact = imported_path(name)
    if os.path.isfile(exact):  # noqa: PTH113 - pathlib raises an error for a name that is too long
        return [exact]
    return sorted(exact.parent.glob(f"{glob.escape(name)}.*.safetensors")) if "/" not in name else []


@cache
def records() -> tuple[WeightsRecord, ...]:
    """Return all known weight sets, in the order of `manifest.toml`."""
    with (HERE / "manifest.toml").open("rb") as file:
        return tuple(WeightsRecord(**entry) for entry in tomllib.load(file)["weights"])
