"""Withdrawn patients and releases: which codes they have, in which versions they are, and that a new one is without."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date
from pathlib import Path

from annotation_backend.cases.exclusion import CaseClosed
from annotation_backend.cases.models import Case, Patient, Withdrawal
from annotation_backend.labeling.models import CaseMask
from annotation_backend.publishing.models import Release, ReleasedCase
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.absence import Absence, Sought, absence_from, each_once, sought_in
from datasets.release.correcting.beside import Beside, beside
from datasets.release.correcting.held_volumes import HeldVolume, volume_of_file
from datasets.release.correcting.tombstone import buried_volumes
from datasets.release.manifest import Manifest
from datasets.release.manifest_reading import read_manifest
from datasets.release.paths import MANIFEST_NAME, MASK

_NEVER_RELEASED = "not released"


def withdrawals_of(study: Study) -> int:
    """How many patients of a study were withdrawn; none is ever taken back."""
    return Withdrawal.objects.filter(patient__study=study).count()


def withdrawn_codes(study: Study) -> frozenset[str]:
    """What the releases of a study call, or called, the cases of withdrawn patients."""
    rows = ReleasedCase.objects.filter(case__patient__withdrawal__isnull=False, release__study=study)
    return frozenset(rows.values_list("code", flat=True))


def withdrawn_in(release: Release) -> dict[str, date]:
    """The withdrawn cases that a version holds, by its codes, with the day of the withdrawal."""
    rows = ReleasedCase.objects.filter(release=release, case__patient__withdrawal__isnull=False)
    days = rows.values_list("code", "case__patient__withdrawal__created")
    return {code: moment.astimezone(UTC).date() for code, moment in days}


def require_nobody_withdrawn(release: Release) -> None:
    """Refuses to give away what was withdrawn; the folder stays as it is, for whoever has to prove what was in it.

    Raises:
        CaseClosed: ``release-withdrawn``.
    """
    if gone := withdrawn_in(release):
        raise CaseClosed(
            "release-withdrawn",
            f"{release} holds {len(gone)} case(s) that were withdrawn, and is given away no more.",
            remedy="Take the next version; who has this one finds in its tombstone what to delete.",
        )


def releases_with(patient: Patient) -> list[Release]:
    """The versions that hold a case of a patient, the oldest first."""
    held = ReleasedCase.objects.filter(case__patient=patient).values("release")
    return list(Release.objects.filter(pk__in=held).order_by("pk"))


def proof_for(study: Study, folder: Path) -> Absence | None:
    """Looks for the voxels of all withdrawn patients of a study in a version; None where nobody was withdrawn.

    They are those of earlier releases, of whatever name, and those of the patients' images and masks in the
    installation, which may never have been in a release.

    Args:
        study: The study.
        folder: Of the version, written whole; it may not be in its place yet.

    Raises:
        RejectedInput: The version's manifest cannot be read.
    """
    if not withdrawals_of(study):
        return None
    manifest = read_manifest((folder / MANIFEST_NAME).read_bytes())
    if not isinstance(manifest, Manifest):
        return None
    codes = withdrawn_codes(study)
    released = [_released_volumes(release, codes) for release in _holding(study)]
    volumes = each_once([*(volume for one in released for volume in one.volumes), *_own_volumes(study)])
    unread = sorted({name for one in released for name in one.unread})
    return absence_from(manifest, Sought(tuple(sorted(codes)), volumes, tuple(unread)))


def _holding(study: Study) -> list[Release]:
    held = ReleasedCase.objects.filter(case__patient__withdrawal__isnull=False, release__study=study).values("release")
    return list(Release.objects.filter(pk__in=held).order_by("pk"))


def _released_volumes(release: Release, codes: frozenset[str]) -> Sought:
    """The withdrawn volumes of an earlier version; of one whose files were deleted those that its tombstone names."""
    try:
        found = sought_in([OpenedRelease.in_folder(release.path)], codes)
        if not found.unread:
            return found
    except RejectedInput:
        pass
    try:
        return Sought((), buried_volumes(beside(release.path, Beside.TOMBSTONE).read_bytes()))
    except (OSError, RejectedInput):
        return Sought((), (), (str(release),))


def _own_volumes(study: Study) -> Iterator[HeldVolume]:
    """The images and masks of withdrawn patients in the installation, as a release would store them.

    A file that cannot be read was in no new release either: what is released is read.
    """
    cases = Case.objects.filter(patient__withdrawal__isnull=False, study=study).prefetch_related("images")
    codes: Mapping[int, str] = dict(ReleasedCase.objects.filter(case__in=cases).values_list("case", "code"))
    for case in cases:
        files = [(image.role, image.path) for image in case.images.all()]
        files += [(MASK, mask.path) for mask in CaseMask.objects.filter(case=case)]
        for name, path in files:
            try:
                yield volume_of_file(path, place="installation", case=codes.get(case.pk, _NEVER_RELEASED), name=name)
            except (RejectedInput, OSError):
                continue
