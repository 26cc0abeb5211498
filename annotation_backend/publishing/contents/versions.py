"""The versions of a release before the one that is built: which it follows, what left since, what it takes over."""

from collections.abc import Sequence
from pathlib import Path

from django.db.models import Q

from annotation_backend.publishing.models import Release, ReleasedCase
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.case_files import EarlierVersion
from datasets.release.settings import version_key
from datasets.study.case import Consent


def releases_folder(study: Study) -> Path:
    """Folder of a study's releases."""
    return study.folder / "releases"


def versions_before(study: Study, name: str, version: str) -> list[Release]:
    """The recorded versions of a release that are older than a version, the oldest first.

    Raises:
        RejectedInput: The version is none of ours (``release-version``).
    """
    key = version_key(version)
    releases = Release.objects.filter(study=study, name=name)
    return sorted(
        (release for release in releases if version_key(release.version) < key),
        key=lambda release: version_key(release.version),
    )


def followed(study: Study, name: str, version: str) -> str | None:
    """The version that this one follows; None for the first.

    Raises:
        RejectedInput: A newer version was published, and this one never was (``release-version-order``).
    """
    before = versions_before(study, name, version)
    is_there = (releases_folder(study) / f"{name}-{version}").exists()
    recorded = Release.objects.filter(study=study, name=name)
    if not is_there and recorded.count() > len(before) and not recorded.filter(version=version).exists():
        newest = max((release.version for release in recorded), key=version_key)
        raise RejectedInput(
            "release-version-order",
            f"Expected a version newer than {newest}, got {version}.",
            remedy="Give a higher version.",
        )
    return before[-1].version if before else None


def left_since(before: Sequence[Release]) -> list[str]:
    """Codes under which earlier versions held cases that must not be used any more, sorted.

    Those are cases that are excluded now, and those whose patients were withdrawn, or did not agree that images are
    given away.
    """
    gone = Q(case__exclusions__isnull=False, case__exclusions__ended__isnull=True) | Q(case__consent=Consent.REFUSED)
    gone |= Q(case__patient__withdrawal__isnull=False)
    rows = ReleasedCase.objects.filter(gone, release__in=before)
    return sorted(set(rows.values_list("code", flat=True)))


def to_take_over(study: Study, name: str, version: str) -> Release | None:
    """The release whose unchanged cases the next one takes over: the version before it, or else the study's newest.

    Codes are the study's, so that releases of two names may hold the same files. None where the folder of neither is
    as it was published, as far as its manifest says, or where both are of former schemas.
    """
    others = Release.objects.filter(study=study).exclude(name=name).order_by("-pk")[:1]
    for release in (*reversed(versions_before(study, name, version)[-1:]), *others):
        earlier = EarlierVersion.in_folder(release.path)
        if earlier is not None and earlier.manifest.release_digest == release.digest:
            return release
    return None
