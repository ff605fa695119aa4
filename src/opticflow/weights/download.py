"""Download published weights, checked against their hash, completely or not at all."""

import errno
import hashlib
from pathlib import Path
from typing import Any

from opticflow.errors import WeightsError
from opticflow.io.atomic import make_folder
from opticflow.weights.manifest import WeightsRecord

ATTEMPTS_AFTER_A_FAILURE = 2
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def download(record: WeightsRecord, *, progress: Any = None) -> Path:
    """Return the file of a weight set, from the cache or the network.

    After a failed transfer or a wrong hash, the whole file is fetched again, up to `ATTEMPTS_AFTER_A_FAILURE` times.
    Only a file with the right hash gets the final name.

    Args:
        record: the record of the weight set.
        progress: an object with `total`, `update(bytes)`, `reset()` and `close()`, as pooch wants it, such as tqdm's.

    Raises:
        WeightsError: there is no URL, the URL cannot be reached or does not have the file, the hash of the file is
            wrong, or the file cannot be stored.
        FormatError: the folder for the file cannot be made.
    """
    if record.present:
        verify(record, record.path)
        return record.path
    if not record.url:
        raise WeightsError(
            f"{record.name} cannot be fetched by a program: get it from {record.page}, "
            "then `opticflow models import FILE`"
        )
    if not record.url.startswith(("https://", "http://")):
        raise WeightsError(f"{record.name} cannot be fetched: {record.url!r} is no address of the web")
    import pooch  # here, because only downloads need it

    make_folder(record.path.parent)
    fetched = _Checked(record, progress)
    store = pooch.create(
        record.path.parent,
        base_url="",
        # without a whole hash pooch checks nothing; `_Checked` also compares the beginning of a hash
        registry={record.path.name: f"sha256:{record.sha256}" if record.sha256 else None},
        urls={record.path.name: record.url},
        retry_if_failed=ATTEMPTS_AFTER_A_FAILURE,
    )
    logger = pooch.get_logger()
    level = logger.level
    # pooch would log every attempt
    logger.setLevel("ERROR")
    try:
        return Path(store.fetch(record.path.name, downloader=fetched))  # type: ignore[arg-type]
    except (ValueError, OSError) as error:
        raise WeightsError(_explained(error, record)) from error
    finally:
        logger.setLevel(level)


def verify(record: WeightsRecord, path: Path) -> None:
    """Compare a file, shipped or downloaded, with the hash in its record.

    Raises:
        WeightsError: it differs.
    """
    wanted = record.sha256 or record.sha256_begins or ""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    # some records only have the beginning of the hash
    if not found.startswith(wanted):
        raise WeightsError(
            f"{path} is not {record.name}: its sha256 is {found[: max(8, len(wanted))]}, wanted {wanted}; "
            "delete it and download it again"
        )


class _Checked:
    """A downloader for pooch that also checks the beginning of a hash, because pooch itself needs the whole hash."""

    def __init__(self, record: WeightsRecord, progress: Any):
        self.record = record
        self.progress = progress

    def __call__(self, url: str, output_file: str, store: Any) -> None:
        from pooch import HTTPDownloader

        options = {"progressbar": self.progress} if self.progress is not None else {}
        HTTPDownloader(**options)(url, output_file, store)
        try:
            verify(self.record, Path(output_file))
        except WeightsError as error:
            # pooch tries again after a ValueError
            raise ValueError(str(error)) from error


def _explained(error: Exception, record: WeightsRecord) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"{record.url} answers {response.status_code} {response.reason}; {record.name} cannot be fetched"
    if isinstance(error, ValueError):
        wanted = record.sha256 or record.sha256_begins
        return f"what {record.url} sends is not {record.name}: wanted a file whose sha256 begins with {wanted}"
    if isinstance(error, PermissionError) or getattr(error, "errno", None) in _OF_THE_DISK:
        reason = getattr(error, "strerror", None) or "no permission"
        return (
            f"{record.name} cannot be kept in {record.path.parent}: {reason}; "
            "set OPTICFLOW_CACHE to a folder that can be written"
        )
    return (
        f"{record.name} could not be fetched from {record.url} ({type(error).__name__}): check the connection, or "
        f"bring the file from another machine and put it into {record.path.parent}"
    )
