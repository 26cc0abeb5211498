"""Fetches a release from wherever it was published; what is broken off goes on, and what came is verified."""

from pathlib import Path
from urllib.parse import unquote

from datasets.errors import MaskloopError, RejectedInput
from datasets.progress import ProgressOf, unseen
from datasets.release.correcting.given_away import is_tombstone_of, release_withdrawn
from datasets.release.paths import TOMBSTONE_ENDING
from datasets.release.stores.address import FOLDER, WEB, Address
from datasets.release.stores.filling import Transfer, fill_folder
from datasets.release.stores.lists import read_release_lists
from datasets.release.stores.opening import opened_to_read
from datasets.release.stores.stored_files import read_list


def fetch_release(
    address: Address, folder: Path, *, digest: str | None = None, progress_of: ProgressOf = unseen
) -> Transfer:
    """Fetches a release into a folder that is not there yet, whole or not at all.

    Args:
        address: Of the release itself.
        folder: The release's folder here; where the very same release lies there, nothing is done.
        digest: The release digest that the publisher names; without it, whoever can change the store can offer another
            sound release.
        progress_of: Shows how far it is.

    Raises:
        RejectedInput: There is no whole release (``release-missing``), another one (``release-digest``), one that is
            not as its lists say, one with withdrawn cases (``release-withdrawn``), or something else lies in the folder
            (``release-exists``).
        TryAgain: The store does not answer, or another run is at it; the next run goes on.
    """
    files = opened_to_read(address)
    lists = read_release_lists(files, digest=digest)
    _require_nobody_withdrawn(address, lists.digest)
    place = folder.absolute()
    if not place.name:
        raise RejectedInput("fetch-folder", "The folder has no name.", remedy="Name the release's folder.")
    return fill_folder(files, lists, place, is_for_others=False, progress_of=progress_of)


def _require_nobody_withdrawn(address: Address, digest: str) -> None:
    """Refuses a version beside which its publisher laid a tombstone; a place that does not say is as one without."""
    above, _, name = str(Path(address.place).absolute() if address.scheme == FOLDER else address.place).rpartition("/")
    if not above or not name:
        return
    name = unquote(name) if address.scheme in WEB else name
    try:
        beside = read_list(opened_to_read(Address(address.scheme, above)), name + TOMBSTONE_ENDING)
    except MaskloopError:  # a bucket that lets nobody list refuses to say what is not there
        return
    if beside is not None and is_tombstone_of(beside, digest):
        raise release_withdrawn()
