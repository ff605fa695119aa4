"""Read tensors from untrusted checkpoint files. No code in a file is ever executed."""

import contextlib
import io
import os
import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from opticflow.errors import FormatError, WeightsError
from opticflow.io.contents import one_line
from opticflow.io.limits import check_memory, read_limit

_NESTS = ("state_dict", "model_state_dict", "model")
"""Keys under which most training programs store the weights. If several sets of weights fit, the one under these keys
is used."""
_DEEPEST = 4
"""Number of nested dictionaries through which weights are looked for."""
_INSTRUCTION = 100
"""Upper bound of the memory that one byte or instruction of a pickle may need, in bytes."""


class _Beside:
    """Replaces a value that is not needed; its contents are ignored."""

    def __init__(self, *contents: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _Dictionary:
    """Creates a plain dictionary in place of a dictionary type."""

    def __new__(cls, *contents: Any) -> Any:
        return OrderedDict()


class _List:
    """Creates a plain list in place of a list type."""

    def __new__(cls, *contents: Any) -> Any:
        return []


_STAND_INS: dict[Any, list[str]] = {
    _Dictionary: [
        "collections.defaultdict",
        "easydict.EasyDict",
        "addict.addict.Dict",
        "yacs.config.CfgNode",
        "mmengine.config.config.ConfigDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "lightning.fabric.utilities.data.AttributeDict",
    ],
    _List: ["collections.deque"],
    _Beside: [
        *(f"builtins.{name}" for name in ("bool", "int", "float", "str", "bytes", "range", "slice")),
        *(f"builtins.{name}" for name in ("tuple", "list", "dict", "frozenset")),
        *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(f"pathlib{module}.{name}" for module in ("", "._local") for name in (
            "Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"
        )),
        *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
        "numpy.dtype",
        "numpy.ndarray",
        "argparse.Namespace",
        "types.SimpleNamespace",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "torch.torch_version.TorchVersion",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.nodes.AnyNode",
        "typing.Any",
    ],
}  # fmt: skip
"""Types that training programs store beside the weights, and their replacements."""


def read_tensors(path: Path, known: Callable[[Iterable[str]], bool]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors in a checkpoint by name, and the metadata of a safetensors file.

    Args:
        path: a file of torch.save, or a safetensors file.
        known: returns whether a network's weights have these names. Among nested sets of tensors, the set whose names
            are known is used. Prefixes that all names share (`module.`, `model.`) and the marks of compiled modules
            (`_orig_mod.`) are removed before.

    Raises:
        WeightsError: the file is missing, damaged, or no checkpoint; its pickle wants to run code; or it needs more
            memory than reading a file may take (`io.limits`).
    """
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises an error for a name that is too long
        raise WeightsError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    # safetensors: 8 bytes with the length of the header, then the header as JSON
    if head[8:10] == b'{"' or path.suffix == ".safetensors":
        tensors, notes = _read_safetensors(path)
        return _unprefixed(tensors, known) or tensors, notes
    # torch.save writes a ZIP archive, or in older versions a pickle from protocol 2 on
    if not head.startswith((b"PK\x03\x04", b"\x80")):
        raise WeightsError(
            f"{path}: not a checkpoint: it begins with {head[:8]!r}; wanted a file of torch.save or safetensors"
        )
    tensors = _weights_within(_read_pickle(path, zipped=head.startswith(b"PK")), path, known)
    if unusual := [name for name, tensor in tensors.items() if not _is_plain(tensor)]:
        raise WeightsError(
            f"{path}: {len(unusual)} tensors are sparse, quantised or without contents: {listed(unusual)}"
        )
    return tensors, {}


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return some of the names, shortened and printable, for a message."""
    names = list(names)
    brief = [name if len(name) <= 100 else f"{name[:100]}..." for name in names[:most]]
    brief = [name if name.isprintable() else ascii(name) for name in brief]
    return ", ".join(brief) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except Exception as error:  # the errors of several libraries have no common type
        raise WeightsError(f"{path}: not a whole safetensors file ({_first_line(error)}); fetch it again") from error


def _read_pickle(path: Path, *, zipped: bool) -> Any:
    stand_ins: list[Any] = [(made, name) for made, names in _STAND_INS.items() for name in names]
    try:
        if zipped:
            _check_archive(path)
        with (
            torch.serialization.safe_globals(stand_ins),
            warnings.catch_warnings(),
            contextlib.nullcontext(path) if zipped else _Counted(path) as file,
        ):
            warnings.simplefilter("ignore")  # about an unusual pickle, which our error reports
            # `weights_only` reads tensors and plain values, and refuses everything that would run code
            return torch.load(file, map_location="cpu", weights_only=True)
    except FormatError as error:
        raise WeightsError(f"{path}: {error}") from error
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        calls = [wanted[1]] if wanted else _calls(path) if "Unsupported" in str(error) else []
        if calls:
            raise WeightsError(
                f"{path}: refused: loading it would run code (the pickle wants {listed(map(repr, calls), 3)}); nothing "
                "was run. Save the state dict alone: torch.save(network.state_dict(), file)"
            ) from error
        raise WeightsError(
            f"{path}: not a checkpoint that can be read without running code ({_first_line(error)}). Save the state "
            "dict alone, by torch.save(network.state_dict(), file)"
        ) from error
    except Exception as error:  # the errors of PyTorch and its libraries have no common type
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{path}: a TorchScript program, not weights alone; "
                "save these: torch.save(torch.jit.load(file).state_dict(), other)"
            ) from error
        raise WeightsError(f"{path}: not a whole checkpoint ({_first_line(error)}); fetch it again") from error


def _check_archive(path: Path) -> None:
    """Raise an error for an archive whose contents need too much memory when they are unpacked."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > path.stat().st_size:  # torch.save does not compress
        check_memory("a compressed checkpoint", unpacked)
    pickled = sum(entry.file_size for entry in entries if entry.filename.endswith(".pkl"))
    check_memory("a checkpoint with much beside its tensors", _INSTRUCTION * pickled)


class _Counted(io.BufferedReader):
    """A file that limits the number of reads, and thus of the instructions of a pickle in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.left = int(read_limit() * 1e9) // _INSTRUCTION

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            check_memory("a checkpoint with much beside its tensors", int(read_limit() * 1e9) + 1)
        return super().read(size)


def _calls(path: Path) -> list[str]:
    """Return what a pickle that PyTorch refuses would import, as far as its opcodes show."""
    calls, strings = [], []
    with contextlib.suppress(Exception):  # the names found before an error are still useful
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents = b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
        else:
            with path.open("rb") as file:
                contents = file.read(int(read_limit() * 1e9) // _INSTRUCTION)
        for opcode, argument, _ in pickletools.genops(contents):
            # module and name are the last two strings on the stack
            if opcode.name == "STACK_GLOBAL":
                calls.append(".".join(strings[-2:]))
            elif opcode.name in ("GLOBAL", "INST"):
                calls.append(str(argument).replace(" ", "."))
            elif isinstance(argument, str):
                strings.append(argument)
    known = {name for names in _STAND_INS.values() for name in names}
    harmless = ("collections.OrderedDict", "torch._utils", "torch.FloatStorage", "numpy.")
    return [call for call in dict.fromkeys(calls) if not call.startswith(harmless) and call not in known]


def _first_line(error: Exception) -> str:
    """Return the first line of an error; those of PyTorch continue with advice that does not apply here."""
    reason = str(error).rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    return one_line(ValueError(reason[:160])) or type(error).__name__


def _weights_within(loaded: Any, path: Path, known: Callable[[Iterable[str]], bool]) -> dict[str, Tensor]:
    """Return the set of tensors that belongs to a network, among all that a training program has saved.

    If no set fits a network, return the largest one.
    """
    found = dict(_sets(loaded, (), set()))
    fitting = {place: tensors for place in found if (tensors := _unprefixed(found[place], known)) is not None}
    # of several sets that fit, one under the usual names is taken, in the order of `_NESTS`
    usual = sorted(
        (place for place in fitting if set(place) <= {*_NESTS}), key=lambda place: [*map(_NESTS.index, place)]
    )
    if len(fitting) == 1 or usual:
        return fitting[usual[0] if usual else next(iter(fitting))]
    if fitting:
        places = listed(".".join(place) for place in fitting)
        raise WeightsError(f"{path}: holds several sets of weights: {places}; save the one that is meant alone")
    if found:
        return max(found.values(), key=len)
    for nest in _NESTS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(nest), Mapping):
            loaded = loaded[nest]
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{path}: holds {type(loaded).__name__}; wanted a dictionary of tensors by name")
    strange = [_name(name) for name, value in loaded.items() if not isinstance(value, Tensor)]
    raise WeightsError(f"{path}: these entries are no tensors: {listed(strange, 5)}; wanted a state dict")


def _sets(loaded: Any, place: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield the nested dictionaries of tensors, each with the keys that lead to it."""
    if not isinstance(loaded, Mapping) or not loaded or id(loaded) in seen:
        return
    # a pickle may contain a dictionary within itself
    seen.add(id(loaded))
    if all(isinstance(value, Tensor) for value in loaded.values()):
        yield place, {_name(name): tensor for name, tensor in loaded.items()}
    elif len(place) < _DEEPEST:
        for name, value in loaded.items():
            yield from _sets(value, (*place, _name(name)), seen)


def _name(key: Any) -> str:
    """Return the key of a dictionary entry as text, whatever its type."""
    return str(key) if isinstance(key, str | int) else type(key).__name__


def _unprefixed(tensors: dict[str, Tensor], known: Callable[[Iterable[str]], bool]) -> dict[str, Tensor] | None:
    """Return the tensors under known names, without a common prefix; None if they are not known."""
    bare = {name.replace("_orig_mod.", ""): tensor for name, tensor in tensors.items()}
    # two names that become equal must not lose a tensor
    tensors = bare if len(bare) == len(tensors) else tensors
    # prefixes are removed one by one while all names share them
    while not known(tensors):
        prefix, dot, _ = next(iter(tensors), "").partition(".")
        if not dot or not all(name.startswith(prefix + dot) for name in tensors):
            return None
        tensors = {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items()}
    return tensors
