"""Keep stores: check them for damage, pack one into a single file, and join small files."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opticflow.errors import FormatError, InputError
from opticflow.io.atomic import check_target, remove_unfinished
from opticflow.store.flow_store import FlowStore
from opticflow.store.format import LENGTH, PACKED_SUFFIX, in_words, joined
from opticflow.store.places import INDEX, covered, segment_name
from opticflow.store.segment import Packets, SegmentReader, write_segment
from opticflow.store.writer import file_digest, note_segment, read_index

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Damage:
    """Something that is wrong with a store."""

    file: str
    what: str
    pairs: tuple[int, ...] = ()
    """The pairs that cannot be read."""

    def __str__(self) -> str:
        lost = (
            f"; lost: pair {in_words(self.pairs)}" if len(self.pairs) == 1 else f"; lost: pairs {in_words(self.pairs)}"
        )
        return f"{self.file}: {self.what}{lost if self.pairs else ''}"


def check_store(source: str | Path, *, progress: Progress = lambda done, total: None) -> list[Damage]:
    """Find everything that is damaged in a store. Pairs that have not been computed are no damage.

    Each file is compared with its SHA-256 in `store.json`, its description with that of the others, and each packet
    with its digest. Of a packed store, which has no `store.json`, what is read is checked: the description, the packets
    and their time stamps.

    Args:
        source: the store, in a folder or packed.
        progress: called with the number of files done and their total.

    Raises:
        FormatError: there is no store.
    """
    path = Path(source)
    if path.is_file():
        return list(_damage_of_file(path, None))
    names = sorted(entry.name for entry in path.iterdir() if covered(entry.name)) if path.is_dir() else []
    if not names and not (path / INDEX).is_file():
        raise FormatError(f"there is no flow store {path}")
    found: list[Damage] = []
    index: dict[str, Any] = {"segments": []}
    try:
        index = read_index(path)
    except FormatError as error:
        found.append(Damage(INDEX, str(error)))
    listed = {name: (range(first, last + 1), digest) for first, last, name, digest in index["segments"] if name}
    heads: dict[str, Any] = {}
    for done, name in enumerate(sorted({*names, *listed})):
        pairs = tuple(listed[name][0] if name in listed else covered(name) or ())
        if name not in names:
            found.append(Damage(name, "is missing", pairs))
        else:
            problems = list(_damage_of_file(path / name, heads))
            if name in listed and file_digest(path / name) != listed[name][1] and not problems:
                problems.append(Damage(name, "differs from its SHA-256 in store.json; all its pairs can be read"))
            if name not in listed and not any(problem.file == INDEX for problem in found):
                problems.append(Damage(name, "is not listed in store.json"))
            found += problems
        progress(done + 1, len({*names, *listed}))
    return found + _index_damage(index, heads)


def _damage_of_file(path: Path, heads: dict[str, Any] | None) -> Iterator[Damage]:
    """Yield what is wrong with a file; its head is added to `heads`."""
    pairs = tuple(covered(path.name) or ())
    try:
        reader = SegmentReader(path.name, str(path.absolute()))
    except FormatError as error:
        yield Damage(path.name, str(error).removeprefix(f"{path.name} "), pairs)
        return
    try:
        description = reader.description
        if heads is not None:
            heads[path.name] = json.loads(json.dumps(description.head.to_json()))
            if list(pairs) != description.indices:
                yield Damage(path.name, "covers other pairs than its name says", pairs)
            if heads[path.name] != next(iter(heads.values())):
                yield Damage(path.name, "is of another store than the files before it", pairs)
        lost = [entry.index for entry in description.entries if not _readable(reader, entry.index)]
        if lost:
            yield Damage(path.name, "is damaged", tuple(lost))
    finally:
        reader.close()


def _readable(reader: SegmentReader, index: int) -> bool:
    try:
        reader.read(index, reader.description.head.streams)
    except FormatError:
        return False
    return True


def _index_damage(index: dict[str, Any], heads: dict[str, Any]) -> list[Damage]:
    if not heads or "format" not in index:
        return []
    head = next(iter(heads.values()))
    different = sorted(key for key in {*head, *index} - {"segments"} if head.get(key) != index.get(key))
    return [Damage(INDEX, f"says otherwise than the files of the store: {', '.join(different)}")] if different else []


def pack_store(source: str | Path, target: Path) -> None:
    """Join the files of a complete store into one file, by copying their packets.

    Args:
        source: the store.
        target: the file, called `NAME.flows.mkv`.

    Raises:
        InputError: the store is not complete, or the target has another suffix.
        FormatError: a file is damaged or cannot be written.
    """
    if not target.name.lower().endswith(PACKED_SUFFIX):
        raise InputError(f"{target} has another suffix; a packed store is called NAME{PACKED_SUFFIX}")
    check_target(target)
    store = FlowStore(source)
    if missing := store.missing:
        raise InputError(f"{store.source} is not complete; missing are pairs {in_words(missing)}")
    _join(store, store.files, target)


def compact_store(source: Path, *, progress: Progress = lambda done, total: None) -> int:
    """Join the small files of a store, as a store that is filled on demand has them, to files of up to 32 pairs.

    Args:
        source: the store.
        progress: called with the number of files done and their total.

    Returns:
        The number of files that were joined.

    Raises:
        FormatError: a file is damaged or cannot be written; all files are kept then.
    """
    if not source.is_dir():
        raise FormatError(f"there is no flow store in a folder {source}")
    remove_unfinished(source)
    store, done = FlowStore(source), 0
    for names in _joinable(store):
        ranges = [covered(name) for name in names]
        first, last = ranges[0].start, ranges[-1].stop - 1  # type: ignore[union-attr]
        target = source / segment_name(first, last)
        _join(store, names, target)
        note_segment(source, first, last, target, store.head)
        store.close()
        done += len(names)
        progress(done, len(store.files))
    return done


def _joinable(store: FlowStore) -> list[list[str]]:
    """Return the lists of files to join: neighbours without a gap, in the same block of 32 pairs."""
    blocks: list[list[str]] = []
    last = None
    for name in store.files:
        pairs = covered(name)
        assert pairs is not None
        whole = pairs.start // LENGTH == (pairs.stop - 1) // LENGTH
        if last is not None and whole and pairs.start == last.stop and pairs.start // LENGTH == last.start // LENGTH:
            blocks[-1].append(name)
        else:
            blocks.append([name])
        last = pairs if whole else None
    return [names for names in blocks if len(names) > 1]


def _join(store: FlowStore, names: list[str], target: Path) -> None:
    readers = (store.reader(name) for name in names)
    descriptions, privates = zip(*((reader.description, reader.privates) for reader in readers), strict=True)
    if len({*privates}) > 1:
        raise FormatError(f"the files of {store.source} were encoded by different versions of FFmpeg")
    write_segment(target, joined(descriptions), _packets(store, names), privates[0])


def _packets(store: FlowStore, names: list[str]) -> Iterator[Packets]:
    """Yield the packets of all pairs of these files, in their order."""
    for name in names:
        for entry in store.reader(name).description.entries:
            yield store.reader(name).packets(entry.index)
