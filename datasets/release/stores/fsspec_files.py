"""A release's files in any store that fsspec has a driver for: ``memory``, ``sftp``, ``gs``, ``abfs`` and others.

The driver's package is installed by whoever wants it, and reads its own configuration for credentials. Files are
created in fsspec's mode ``xb``; whether a driver keeps what that promises is tried out before a release is sent
(`upload`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from datasets.errors import MaskloopError, RejectedInput
from datasets.release.stores import refusals
from datasets.release.stores.address import Address
from datasets.release.stores.stored_files import PORTION_BYTES


class FsspecFiles:
    """The files of the release in a folder of a store.

    Args:
        address: Of the release's folder there.

    Raises:
        RejectedInput: There is no driver for it (``store-unknown``), or as `refusals` say.
    """

    most_at_once = 1
    """Drivers need not bear several threads."""

    def __init__(self, address: Address) -> None:
        with _named():
            self._system, place = _opened(address)
        self._root = place.rstrip("/")

    def sizes(self) -> Mapping[str, int]:
        """The size of each file in the folder; refused as `refusals` say."""
        with _named():
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        below = f"{self._root.lstrip('/')}/"
        return {path.lstrip("/").removeprefix(below): int(about["size"]) for path, about in found.items()}

    def read(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in portions; `FileNotFoundError` where it is not there, else refused as `refusals` say."""
        with _named(), self._system.open(f"{self._root}/{path}", "rb") as stream:
            while portion := stream.read(PORTION_BYTES):
                yield portion

    def create(self, path: str, source: Path, *, sha256: str, media_type: str) -> bool:
        """Writes a new file; False where something is there."""
        target = f"{self._root}/{path}"
        with _named(), source.open("rb") as stream:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                with self._system.open(target, "xb") as out:
                    copyfileobj(stream, out, PORTION_BYTES)
            except FileExistsError:
                return False
            except (NotImplementedError, ValueError) as error:  # a driver without this mode
                raise refusals.not_exclusive() from error
        return True

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file, also over what is there; refused as `refusals` say."""
        with _named():
            self._system.makedirs(self._root, exist_ok=True)
            with self._system.open(f"{self._root}/{path}", "wb") as out:
                out.write(content)


def _opened(address: Address) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(str(address))
    except ImportError as error:
        raise RejectedInput(
            "store-unknown",
            f"The package that opens {address.scheme}:// is not installed.",
            remedy="Install what fsspec's list of drivers names for it, beside Maskloop's own versions.",
        ) from error
    except ValueError as error:
        raise RejectedInput(
            "store-unknown",
            f"Nothing here opens addresses that begin with {address.scheme}://.",
            remedy="Give a folder, s3://bucket/path, or an address that fsspec knows.",
        ) from error


@contextmanager
def _named() -> Iterator[None]:
    """Refuses whatever a driver raises by name, without its words."""
    try:
        with refusals.named_system_errors():
            yield
    except (FileNotFoundError, MaskloopError, GeneratorExit):
        raise
    except Exception as error:
        raise refusals.failed(error) from error
