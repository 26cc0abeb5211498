"""Which place an address is."""

from pathlib import Path

from datasets.release.stores.address import FOLDER, S3, WEB, Address
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.fsspec_files import FsspecFiles
from datasets.release.stores.refusals import not_exclusive, read_only
from datasets.release.stores.s3_files import S3Files
from datasets.release.stores.stored_files import ReadableFiles, WritableFiles
from datasets.release.stores.web_files import WebFiles

_NOT_EXCLUSIVE = ("ftp", "sftp", "ssh")
"""What fsspec's own drivers only read here: ftp's writes over what is there, that of ssh opens no new file to write."""


def opened_to_read(address: Address) -> ReadableFiles:
    """The files of the release at an address.

    Raises:
        MaskloopError: As `refusals` say.
    """
    if address.scheme == FOLDER:
        return FolderFiles(Path(address.place))
    return WebFiles(address) if address.scheme in WEB else _opened(address, is_written=False)


def opened_to_write(address: Address) -> WritableFiles:
    """The place of a release at an address that is no folder.

    Raises:
        MaskloopError: As `refusals` say.
    """
    if address.scheme in WEB:
        raise read_only()
    if address.scheme in _NOT_EXCLUSIVE:
        raise not_exclusive()
    return _opened(address, is_written=True)


def _opened(address: Address, *, is_written: bool) -> WritableFiles:
    if address.scheme == S3:
        return S3Files(address.place, is_written=is_written)
    return FsspecFiles(address)
