"""Proves that a version holds no voxel of withdrawn cases: by the digests of voxels, not of files.

A file that is compressed anew, has another name or lies in another patient's case has the same voxels, and is found.
What was resampled, cropped or changed otherwise has other voxels, and is not.

Volumes that are zero everywhere are left out, and are counted: all empty masks of a size are equal, whoever's they are.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.progress import Progress
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.held_volumes import HeldVolume, volumes_of_case, volumes_of_manifest
from datasets.release.manifest import Manifest
from datasets.release.manifest_reading import AnyCase

SCHEMA = "maskloop-absence/1"

_METHOD = (
    "SHA-256 of the inflated voxels of every image and mask of the withdrawn cases, compared with that of every image "
    "and mask of this version. Volumes that are zero everywhere are equal for everybody and are left out. What was "
    "resampled or cropped has other voxels and would not be found."
)
_SHOWN = 5


@dataclass(frozen=True)
class Met:
    """A volume of a version that holds the voxels of a withdrawn one."""

    here: HeldVolume
    withdrawn: HeldVolume

    def __str__(self) -> str:
        return f"{self.here.case} ({self.here.name}) is {self.withdrawn.case} ({self.withdrawn.name})"


@dataclass(frozen=True)
class Absence:
    """What came of looking for withdrawn cases in a version.

    Args:
        version: The version, such as ``thigh-tumours-1.0.1``.
        digest: Its release digest.
        withdrawn: Codes of the withdrawn cases that were looked for, sorted.
        sought: Their volumes.
        held: How many volumes the version holds.
        met: Those of the version that hold the voxels of a withdrawn one, and of a withdrawn case by its code.
        unread: Earlier versions whose files could not be read; what only they held was not looked for.
    """

    version: str
    digest: str
    withdrawn: tuple[str, ...]
    sought: tuple[HeldVolume, ...]
    held: int
    met: tuple[Met, ...]
    unread: tuple[str, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Whether everything could be looked for, and nothing was found."""
        return not self.met and not self.unread

    @property
    def blank(self) -> tuple[HeldVolume, ...]:
        """The volumes that were left out because they are zero everywhere."""
        return tuple(volume for volume in self.sought if volume.is_blank)

    @property
    def sentence(self) -> str:
        """In words for people."""
        left = len(self.blank)
        found = f"{len(self.met)} found" if self.met else "none found"
        unread = f"; {len(self.unread)} earlier version(s) could not be read: {', '.join(self.unread)}"
        return (
            f"{len(self.sought) - left} volume(s) of {len(self.withdrawn)} withdrawn case(s) were looked for by their "
            f"voxels among the {self.held} of {self.version}: {found}"
            + (f"; {left} that are zero everywhere were left out" if left else "")
            + (unread if self.unread else "")
            + "."
        )

    def encode(self) -> bytes:
        """The bytes of the proof."""
        return canonical_json(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "method": _METHOD,
            "version": self.version,
            "release_digest": self.digest,
            "proven": self.is_proven,
            "withdrawn": list(self.withdrawn),
            "volumes_of_this_version": self.held,
            "looked_for": [_plain(volume) for volume in self.sought if not volume.is_blank],
            "left_out": [_plain(volume) for volume in self.blank],
            "found": [{"here": _plain(each.here), "withdrawn": _plain(each.withdrawn)} for each in self.met],
            "unread": list(self.unread),
        }


@dataclass(frozen=True)
class Sought:
    """What is to be looked for.

    Args:
        withdrawn: Codes of the withdrawn cases, of all versions.
        volumes: Their volumes, each digest once.
        unread: Earlier versions that could not be read.
    """

    withdrawn: tuple[str, ...]
    volumes: tuple[HeldVolume, ...]
    unread: tuple[str, ...] = ()


def sought_in(earlier: Iterable[OpenedRelease], withdrawn: Collection[str], *, anew: bool = False) -> Sought:
    """The volumes of withdrawn cases that earlier versions hold.

    Args:
        earlier: The versions.
        withdrawn: Codes that any of them has for a withdrawn case.
        anew: Reads the files, whatever manifests say.
    """
    found: list[HeldVolume] = []
    unread = []
    for release in earlier:
        for case in release.manifest.cases:
            if case.case not in withdrawn:
                continue
            try:
                found += volumes_of_case(release, case, anew=anew)
            except (RejectedInput, OSError):
                unread.append(f"{release.version.name}-{release.version.version}")
    return Sought(tuple(sorted(withdrawn)), each_once(found), tuple(sorted(set(unread))))


def each_once(volumes: Iterable[HeldVolume]) -> tuple[HeldVolume, ...]:
    """The volumes, of those with the same voxels the first."""
    return tuple(sorted({volume.voxels: volume for volume in reversed(list(volumes))}.values()))


def absence_from(manifest: Manifest, sought: Sought) -> Absence:
    """Looks for the volumes, and the codes, of withdrawn cases in a version.

    Args:
        manifest: The version's, whose digests its verification compares with the inflated files.
        sought: What is looked for.
    """
    version = f"{manifest.name}-{manifest.version}"
    held = list(volumes_of_manifest(version, manifest.cases))
    return compared(version, manifest.release_digest, held, sought)


def read_absence(former: Path, version: Path, *, progress: Progress = lambda done, total: None) -> Absence:
    """Looks for the cases that a version names as withdrawn, by reading the files of both versions.

    Args:
        former: The folder of a version that holds the cases.
        version: The folder of the version.
        progress: Called after each case of the version.

    Raises:
        RejectedInput: A folder is none of a release (``release-missing``), its lists cannot be believed
            (``release-unsound``), a file of the version is not as it is listed (``file-changed``, ``file-missing``), or
            the former version holds none of the cases (``withdrawn-unknown``).
    """
    before, now = OpenedRelease.in_folder(former), OpenedRelease.in_folder(version)
    gone = {case.case for case in before.manifest.cases} & set(now.manifest.withdrawn)
    if not gone:
        message = "The version names no case as withdrawn that the former one holds."
        raise RejectedInput("withdrawn-unknown", message, remedy="Give the former version first, then the new one.")
    held: list[HeldVolume] = []
    cases: Sequence[AnyCase] = now.manifest.cases
    for done, case in enumerate(cases, start=1):
        held += volumes_of_case(now, case, anew=True)
        progress(done, len(cases))
    name = f"{now.version.name}-{now.version.version}"
    return compared(name, now.version.digest, held, sought_in([before], gone, anew=True))


def compared(version: str, digest: str, held: Collection[HeldVolume], sought: Sought) -> Absence:
    """Looks for volumes, and for codes, among those of a version.

    Args:
        version: Name and version.
        digest: Its release digest.
        held: All volumes of the version.
        sought: What is looked for.
    """
    by_voxels = {volume.voxels: volume for volume in sought.volumes if not volume.is_blank}
    met = [Met(volume, by_voxels[volume.voxels]) for volume in held if volume.voxels in by_voxels]
    met += [
        Met(volume, volume) for volume in held if volume.case in sought.withdrawn and volume.voxels not in by_voxels
    ]
    return Absence(version, digest, sought.withdrawn, sought.volumes, len(held), tuple(met), sought.unread)


def require_absent(found: Absence) -> None:
    """Refuses a version that holds voxels of withdrawn cases.

    Raises:
        RejectedInput: ``withdrawn-voxels``; it names the cases and images of both.
    """
    if not found.met:
        return
    more = f" and {len(found.met) - _SHOWN} more" if len(found.met) > _SHOWN else ""
    raise RejectedInput(
        "withdrawn-voxels",
        f"Voxels of withdrawn cases are in {found.version}: {'; '.join(map(str, found.met[:_SHOWN]))}{more}.",
        remedy="Exclude the cases that hold them: the same images came in under another patient, or a mask was copied.",
    )


def _plain(volume: HeldVolume) -> dict[str, Any]:
    return {"place": volume.place, "case": volume.case, "volume": volume.name, "voxels": volume.voxels}
