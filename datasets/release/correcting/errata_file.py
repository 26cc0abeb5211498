"""The list of errata beside a release: the same errata give the same bytes, and nobody is named in them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from datasets.files import canonical_json
from datasets.release.manifest_reading import AnyManifest

SCHEMA = "maskloop-errata/1"


class ErratumState(StrEnum):
    """What has become of an erratum."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


OPEN_STATES = (ErratumState.REPORTED, ErratumState.ACCEPTED)
"""States in which something is still to be done."""


@dataclass(frozen=True, order=True)
class ListedErratum:
    """An erratum as everybody may read it.

    Args:
        number: Its number in the study.
        case: What the release beside which it is listed calls the case.
        part: What of the case is wrong (`FaultyPart`).
        label: Of the mask, where one is meant.
        slices: The slices that are meant; none for the whole case.
        state: What has become of it.
        reported_on: The version about which it was reported, such as ``thigh-tumours-1.0.0``.
        text: What is wrong, in words that somebody of the study has read; empty before.
        answer: Why it was declined; empty else.
        corrected_in: The first version that puts it right; empty where there is none yet.
    """

    number: int
    case: str
    part: str
    label: str
    slices: tuple[int, ...]
    state: str
    reported_on: str
    text: str = ""
    answer: str = ""
    corrected_in: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "slices": list(self.slices)}


def errata_file(manifest: AnyManifest, errata: Iterable[ListedErratum]) -> bytes:
    """The bytes of the list beside a release.

    Args:
        manifest: The release's.
        errata: In any order.
    """
    value = {
        "schema": SCHEMA,
        "release": str(manifest.name),
        "version": str(manifest.version),
        "release_digest": manifest.release_digest,
        "errata": [each.as_dict() for each in sorted(errata)],
    }
    return canonical_json(value)
