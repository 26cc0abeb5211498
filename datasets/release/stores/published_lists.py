"""What lies beside a published release and changes: its errata, and the tombstone of withdrawn cases.

A release's own README sends readers to them: beside its folder, where it was published. They are put there again
whenever they are others, and are the only files that are ever written over.
"""

from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import write_bytes
from datasets.release.correcting.beside import Beside, beside, put_beside
from datasets.release.manifest_reading import strict_json
from datasets.release.stores.address import FOLDER, Address
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.lists import ReleaseLists, read_release_lists
from datasets.release.stores.opening import opened_to_read, opened_to_write
from datasets.release.stores.refusals import named_system_errors
from datasets.release.stores.stored_files import read_list

CARRIED = (Beside.ERRATA, Beside.TOMBSTONE)


def upload_lists(folder: Path, address: Address) -> tuple[str, ...]:
    """Puts a release's errata and tombstone beside it where it was published.

    Args:
        folder: The release's folder here, beside which they lie.
        address: The place of all releases, as `upload_release` was given it.

    Returns:
        The names of the files that are new or others there.

    Raises:
        RejectedInput: This release is not published there (``release-missing``, ``release-digest``), or as `refusals`
            say.
    """
    lists = read_release_lists(FolderFiles(folder))
    read_release_lists(opened_to_read(address.below(lists.title)), digest=lists.digest)
    put = []
    for what in CARRIED:
        here, name = beside(folder.resolve(), what), f"{lists.title}{what.value}"
        if here.is_file() and _replaced(address, name, here.read_bytes()):
            put.append(name)
    return tuple(put)


def fetched_lists(address: Address, lists: ReleaseLists) -> dict[Beside, bytes]:
    """The errata and the tombstone beside a published release; what is none of this release's is left out.

    Args:
        address: Of the release.
        lists: What belongs to it.
    """
    above, name = address.apart()
    found = {}
    for what in CARRIED if name else ():
        content = _read(above, f"{name}{what.value}")
        if content is not None and _is_about(content, lists):
            found[what] = content
    return found


def keep_errata(place: Path, found: dict[Beside, bytes]) -> int:
    """Writes the errata of a fetched release beside it; returns how many there are."""
    content = found.get(Beside.ERRATA)
    if content is None:
        return 0
    with named_system_errors():
        put_beside(place, Beside.ERRATA, content)
    errata = strict_json(content).get("errata")
    return len(errata) if isinstance(errata, list) else 0


def _replaced(address: Address, name: str, content: bytes) -> bool:
    """Makes a file beside a published release what it is here; False where it is that already."""
    if address.scheme != FOLDER:
        files = opened_to_write(address)
        if read_list(files, name) == content:
            return False
        files.replace(name, content)
        return True
    place = Path(address.place) / name
    with named_system_errors():
        if place.is_file() and place.read_bytes() == content:
            return False
        write_bytes(place, content)
        place.chmod(0o644)
    return True


def _read(above: Address, name: str) -> bytes | None:
    """A file beside a release; None where it is not there, or the place does not say so to everybody."""
    try:
        return read_list(opened_to_read(above), name)
    except RejectedInput:
        return None


def _is_about(content: bytes, lists: ReleaseLists) -> bool:
    try:
        value: Any = strict_json(content)
    except RejectedInput:
        return False
    return isinstance(value, dict) and value.get("release_digest") == lists.digest
