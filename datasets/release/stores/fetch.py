"""Fetches a release from wherever it was published; what is broken off goes on, and what came is verified."""

from dataclasses import replace
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.progress import ProgressOf, unseen
from datasets.release.correcting.beside import Beside
from datasets.release.correcting.given_away import release_withdrawn
from datasets.release.stores.address import Address
from datasets.release.stores.filling import Transfer, fill_folder
from datasets.release.stores.lists import read_release_lists
from datasets.release.stores.opening import opened_to_read
from datasets.release.stores.published_lists import fetched_lists, keep_errata


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
            not as its lists say, something else lies in the folder (``release-exists``), or a tombstone lies beside
            it (``release-withdrawn``).
        TryAgain: The store does not answer, or another run is at it; the next run goes on.
    """
    files = opened_to_read(address)
    lists = read_release_lists(files, digest=digest)
    beside = fetched_lists(address, lists)
    if Beside.TOMBSTONE in beside:
        raise release_withdrawn()
    place = folder.absolute()
    if not place.name:
        raise RejectedInput("fetch-folder", "The folder has no name.", remedy="Name the release's folder.")
    done = fill_folder(files, lists, place, is_for_others=False, progress_of=progress_of)
    return replace(done, errata=keep_errata(place, beside))
