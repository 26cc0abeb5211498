"""The errata of a release: those of its cases whose masks are the ones that a reader saw, in whatever version."""

from collections.abc import Iterator

from annotation_backend.publishing.models import Erratum, Release, ReleasedCase
from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.errata_file import ErratumState, ListedErratum
from datasets.release.correcting.held_volumes import mask_voxels

_READ = (ErratumState.ACCEPTED, ErratumState.CORRECTED, ErratumState.WITHDRAWN)


def errata_of(release: Release) -> list[Erratum]:
    """The errata that concern a version, the newest first; who holds another version with the same mask is told, too.

    A version whose files cannot be read has those that were reported about itself.
    """
    held = dict(ReleasedCase.objects.filter(release=release).values_list("case", "code"))
    errata = list(Erratum.objects.filter(case__in=held).select_related("release", "case").prefetch_related("steps"))
    masks = _masks(release, {held[erratum.case_id] for erratum in errata if erratum.release_id != release.pk})
    return [
        erratum
        for erratum in errata
        if erratum.release_id == release.pk or masks.get(held[erratum.case_id]) == erratum.mask_voxels
    ]


def listed(release: Release) -> list[ListedErratum]:
    """The errata of a version as everybody may read them."""
    held = dict(ReleasedCase.objects.filter(release=release).values_list("case", "code"))
    return [_listed(erratum, held.get(erratum.case_id, erratum.code)) for erratum in errata_of(release)]


def _masks(release: Release, codes: set[str]) -> dict[str, str]:
    """SHA-256 of the voxels of masks by the codes of their cases."""
    if not codes:
        return {}
    try:
        opened = OpenedRelease.in_folder(release.path)
        return {case.case: mask_voxels(opened, case) for case in opened.manifest.cases if case.case in codes}
    except RejectedInput:
        return {}


def _listed(erratum: Erratum, code: str) -> ListedErratum:
    steps = {ErratumState(step.state): step for step in erratum.steps.all()}
    state = erratum.state
    read = next((steps[one].words for one in _READ if one in steps and steps[one].words), "")
    corrected = steps.get(ErratumState.CORRECTED)
    return ListedErratum(
        number=erratum.number,
        case=code,
        part=erratum.part,
        label=erratum.label,
        slices=tuple(erratum.slices),
        state=state.value,
        reported_on=str(erratum.release),
        text=read,
        answer=steps[state].words if state is ErratumState.DECLINED else "",
        corrected_in=str(corrected.release) if corrected else "",
    )


def open_errata(case_keys: list[int]) -> Iterator[Erratum]:
    """The accepted errata of cases that no version has put right yet."""
    for erratum in Erratum.objects.filter(case__in=case_keys).select_related("release").prefetch_related("steps"):
        if erratum.state is ErratumState.ACCEPTED:
            yield erratum
