"""Cases by code, and their volumes on one grid, for the other apps."""

from collections.abc import Sequence

from django.db.models import QuerySet

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.register import require_in_use
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import is_unchanged
from datasets.formats.nifti import read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import CaseVolumes, SeriesRole


def select_cases(codes: Sequence[str] | None, *, study: Study | None = None) -> list[Case]:
    """The named cases, or all that are in use.

    Args:
        codes: Codes of cases; None for all.
        study: The study whose cases they must be; None for any.

    Raises:
        RejectedInput: A code belongs to no case of the study (``case-unknown``), or to one that is excluded
            (``case-excluded``).
    """
    among = Case.objects.all() if study is None else Case.objects.filter(study=study)
    if not codes:
        return list(_with_what_is_asked(among.in_use()))
    cases = list(_with_what_is_asked(among.filter(code__in=codes)))
    missing = sorted(set(codes) - {case.code for case in cases})
    if missing:
        raise RejectedInput(
            "case-unknown", f"No case is called {', '.join(missing)}.", remedy="The cases page lists them."
        )
    for case in cases:
        require_in_use(case)
    return cases


def case_called(code: str, *, study: Study | None = None) -> Case:
    """The case of a code, also an excluded one.

    Args:
        code: The case's code.
        study: The study whose case it must be; None for any.

    Raises:
        RejectedInput: No case of the study has it (``case-unknown``).
    """
    case = (Case.objects.all() if study is None else Case.objects.filter(study=study)).filter(code=code).first()
    if case is None:
        raise RejectedInput("case-unknown", "No case has this code.", remedy="The cases page lists them.")
    return case


def _with_what_is_asked(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Cases with the records that every step looks at, in a few queries for all of them."""
    return cases.select_related("study", "registration").prefetch_related("series", "exclusions")


def case_volumes(case: Case) -> CaseVolumes:
    """T1 and T2 on the case's grid.

    Raises:
        RejectedInput: The case is not registered, or its files are gone.
    """
    if not case.is_registered:
        raise RejectedInput("case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`.")
    return CaseVolumes(t1=_registered(case, SeriesRole.T1), t2=_registered(case, SeriesRole.T2))


def _registered(case: Case, role: SeriesRole) -> Volume:
    """A registered volume, after it was found to be the one that registration wrote."""
    path = case.registration.volume_path(role)
    if not is_unchanged(path, sha256=case.registration.record["outputs"][role.value]):
        raise RejectedInput(
            "case-volume-changed",
            f"The registered {role.value.upper()} of {case.code} is gone or is not the one that registration wrote.",
            remedy="Restore the data folder from its backup.",
        )
    return read_volume(path)


def picture_plane(case: Case) -> PicturePlane:
    """The plane of the case's pictures, which takes a picture's pixels back to voxels.

    Raises:
        RejectedInput: Its slices were not exported.
    """
    if case.picture_plane is None:
        raise RejectedInput("case-not-exported", f"{case.code} has no pictures.", remedy="Run `export_slices`.")
    return PicturePlane.from_dict(case.picture_plane)


def mask_on_case(case: Case, mask: Mask, role: str) -> Mask:
    """A mask on the grid of one of the case's series, brought onto the case's grid by the stored transform."""
    from curation.registration.register import placement_of
    from curation.registration.transfer import CASE, transfer_mask

    source = placement_of(case.registration.record, SeriesRole(role), folder=case.registration.folder)
    return transfer_mask(mask, source=source, target=CASE, grid=picture_plane(case).grid)
