"""Cases by code, and their volumes on one grid, for the other apps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from annotation_backend.cases.models import Case, CaseImage
from annotation_backend.cases.registration.register import require_in_use, require_registered
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import is_unchanged
from datasets.formats.nifti import read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import CaseVolumes

if TYPE_CHECKING:
    from curation.registration.transfer import Placement


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
    return cases.select_related("study").prefetch_related("images", "registrations", "series", "exclusions")


def case_volumes(case: Case) -> CaseVolumes:
    """The case's images on its grid, without those that are left out.

    Raises:
        RejectedInput: The case is not registered, or its files are gone.
    """
    require_registered(case)
    return CaseVolumes({image.role: _whole(image) for image in case.shown_images})


def drawn_volume(case: Case) -> Volume:
    """The image that annotators draw on, on the case's grid.

    Raises:
        RejectedInput: As for `case_volumes`.
    """
    require_registered(case)
    return _whole(next(image for image in case.shown_images if image.role == case.drawn_role))


def _whole(image: CaseImage) -> Volume:
    """A volume on the case's grid, after it was found to be the one that registration wrote."""
    if not is_unchanged(image.path, sha256=image.sha256):
        raise RejectedInput(
            "case-volume-changed",
            f"The registered {image.role.upper()} of {image.case.code} is gone or is not the one that registration "
            "wrote.",
            remedy="Restore the data folder from its backup.",
        )
    return read_volume(image.path)


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
    from curation.registration.transfer import CASE, transfer_mask

    return transfer_mask(mask, source=placement_in(case, role), target=CASE, grid=picture_plane(case).grid)


def placement_in(case: Case, role: str) -> "Placement":
    """Where the series of a role lies in the case: as its registration says; the image that stayed was not moved.

    Raises:
        RejectedInput: The record is damaged, or its deformation is gone or another.
    """
    from curation.registration.register import placement_of
    from curation.registration.transfer import CASE

    row = case.registrations.filter(role=role).first()
    return CASE if row is None else placement_of(row.record, folder=row.folder)
