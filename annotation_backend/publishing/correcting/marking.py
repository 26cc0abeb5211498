"""What a new version says and makes of errata: the reasons in its change log, and which of them it puts right."""

from collections.abc import Iterator, Mapping

from django.db.models import Q

from annotation_backend.cases.models import Case
from annotation_backend.publishing.correcting.listed import open_errata
from annotation_backend.publishing.correcting.steps import step
from annotation_backend.publishing.models import Erratum, ErratumStep, Release, ReleasedCase
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.errata_file import ErratumState
from datasets.release.correcting.mended import is_mended
from datasets.release.manifest import CaseEntry, Manifest
from datasets.release.manifest_reading import AnyCase, read_manifest
from datasets.release.paths import MANIFEST_NAME
from datasets.release.settings import version_key

_LONGEST_REASON = 900


def reasons_for(study: Study, name: str, version: str, codes: Mapping[int, str]) -> dict[str, str]:
    """Why cases of a version were corrected, by the version's codes, for its change log.

    A version that is built again has the reasons of the first time, whatever was accepted since.

    Args:
        study: Whose release it is.
        name: The release's name.
        version: Its version.
        codes: What the version calls its cases, by the cases' keys.
    """
    built = Release.objects.filter(study=study, name=name, version=version).first()
    mended = Q(state=ErratumState.CORRECTED, release=built) if built else Q(pk=None)
    own = ErratumStep.objects.filter(mended).values("erratum")
    errata = list(Erratum.objects.filter(pk__in=own, case__in=codes).prefetch_related("steps"))
    errata += [erratum for erratum in open_errata(list(codes)) if erratum.release.name == name]
    found: dict[str, list[str]] = {}
    for erratum in sorted(errata, key=lambda erratum: erratum.number):
        accepted = next(one for one in erratum.steps.all() if one.state == ErratumState.ACCEPTED)
        if built is None or accepted.created <= built.created:
            found.setdefault(codes[erratum.case_id], []).append(f"erratum {erratum.number}: {accepted.words}")
    return {code: "; ".join(parts)[:_LONGEST_REASON] for code, parts in found.items()}


def mended_by(erratum: Erratum) -> Release | None:
    """The first later version of the release that has put right what an erratum says; None where there is none."""
    about = erratum.release
    later = [one for one in Release.objects.filter(study=erratum.study, name=about.name) if _is_newer(one, about)]
    before = _before(erratum)
    for release in sorted(later, key=lambda one: version_key(one.version)):
        entry = _entries(release).get(erratum.case_id)
        if entry is not None and is_mended(erratum.faulty_part, before, erratum.mask_voxels, entry):
            return release
    return None


def mark_corrected(release: Release) -> list[Erratum]:
    """Marks the accepted errata that a version puts right; must run in the transaction that records the version."""
    entries = _entries(release)
    corrected = []
    for erratum in _waiting(release):
        entry = entries.get(erratum.case_id)
        if entry is not None and is_mended(erratum.faulty_part, _before(erratum), erratum.mask_voxels, entry):
            Case.objects.select_for_update().get(pk=erratum.case_id)
            step(erratum, ErratumState.CORRECTED, person=None, release=release)
            corrected.append(erratum)
    return corrected


def not_corrected(release: Release) -> Iterator[Finding]:
    """The accepted errata that a version leaves: the case is not in it, or is as it was."""
    entries = _entries(release)
    for erratum in _waiting(release):
        code = erratum.case.code
        if erratum.case_id not in entries:
            message = f"Erratum {erratum.number} is accepted, and its case has no approved mask again: it is left out."
            remedy = "Have the case reviewed, and build a further version."
            yield Finding(Level.WARNING, "erratum-waits", message, remedy, code)
        else:
            message = f"Erratum {erratum.number} is accepted, and what it says is as it was in this version."
            remedy = "Have the case drawn again, or decline the erratum where the case was found to be right."
            yield Finding(Level.WARNING, "erratum-not-corrected", message, remedy, code)


def _waiting(release: Release) -> list[Erratum]:
    """Accepted errata about earlier versions of the release, whose cases are still to be used."""
    rows = Erratum.objects.filter(study=release.study, release__name=release.name).exclude(release=release)
    rows = rows.filter(case__patient__withdrawal__isnull=True).select_related("release", "case")
    waiting = [one for one in rows.prefetch_related("steps") if one.state is ErratumState.ACCEPTED]
    return sorted(waiting, key=lambda one: one.number)


def _is_newer(release: Release, other: Release) -> bool:
    return version_key(release.version) > version_key(other.version)


def _entries(release: Release) -> dict[int, CaseEntry]:
    """The cases of a version by their keys; none of a former schema, or of one that cannot be read."""
    try:
        manifest = read_manifest((release.path / MANIFEST_NAME).read_bytes())
    except (OSError, RejectedInput):
        return {}
    if not isinstance(manifest, Manifest):
        return {}
    keys = dict(ReleasedCase.objects.filter(release=release).values_list("code", "case"))
    return {keys[entry.case]: entry for entry in manifest.cases if entry.case in keys}


def _before(erratum: Erratum) -> AnyCase | None:
    """The case in the version about which an erratum was reported; None where that is not there any more."""
    try:
        opened = OpenedRelease.in_folder(erratum.release.path)
    except RejectedInput:
        return None
    return next((case for case in opened.manifest.cases if case.case == erratum.code), None)
