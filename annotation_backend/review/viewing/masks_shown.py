"""Which masks the pages of reviews show to whom: none of a reader who is not to be heard yet."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.verdict_stages import open_review
from annotation_backend.stages.hiding import (
    draws_all_of,
    draws_alone,
    draws_without_models,
    hidden_readings,
    is_blind_still,
)
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may

ALONE = "You draw this case yourself now, or may take it: what others drew of it is shown once that stage is done."


def mask_shown(request: HttpRequest, study: Study, mask_id: int) -> CaseMask:
    """A mask of a study by its number, as far as it may be shown to the person.

    Raises:
        Http404: There is none, it is another reader's whose work goes on, or the person draws the case themselves: who
            tried numbers would find out that somebody drew.
    """
    mask = get_object_or_404(CaseMask.objects.select_related("case__study"), case__study=study, pk=mask_id)
    person = signed_in_user(request)
    if _is_alone(person, mask.case):
        raise Http404
    hidden = hidden_readings(person, mask.case)
    if is_reviewed_blind(request, mask.case) and standing_of(mask.case).mask != mask:
        raise Http404
    return get_object_or_404(CaseMask.objects.select_related("case__study").exclude(reading__in=hidden), pk=mask.pk)


def case_with_models(request: HttpRequest, study: Study, code: str) -> Case:
    """A case of a study, for people who may see what models say of it: their masks, and how unsure they are.

    A model saw the images alone, and yet whoever draws or reviews blind is to see nothing that leads the eye.

    Raises:
        PermissionDenied: The person draws the case, and sees no models or nobody's work meanwhile.
        Http404: There is none, or it is reviewed blind.
    """
    case = get_object_or_404(Case.objects.with_images(), study=study, code=code)
    require_not_alone(request, case)
    if draws_without_models(signed_in_user(request), case):
        raise PermissionDenied(ALONE)
    if is_reviewed_blind(request, case):
        raise Http404
    return case


def is_reviewed_blind(request: HttpRequest, case: Case) -> bool:
    """Whether a case waits for a review whose people see no mask but the one that counts; never for a data manager."""
    row = open_review(case)
    return row is not None and is_blind_still(row) and not may(request, Role.DATA_MANAGER)


def require_not_alone(request: HttpRequest, case: Case) -> None:
    """Refuses a person who draws a case without seeing others' work.

    Raises:
        PermissionDenied: They do.
    """
    if _is_alone(signed_in_user(request), case):
        raise PermissionDenied(ALONE)


def _is_alone(person: User, case: Case) -> bool:
    return draws_alone(person, case) or draws_all_of(person, case)
