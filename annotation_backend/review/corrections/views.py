"""Takes a corrected mask, from the viewer's pen or from another program."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, Correction
from annotation_backend.review.corrections.checks import uploaded_mask
from annotation_backend.review.corrections.services import correct_in_review
from annotation_backend.review.readers import READERS
from annotation_backend.review.viewing.masks_shown import require_not_alone
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from datasets.errors import RejectedInput


class CorrectionForm(forms.Form):
    """A mask as a file, and the number of the mask that it corrects."""

    base = forms.IntegerField(min_value=1, max_value=2**31)
    file = forms.FileField(max_length=200)


@study_page(*READERS)
@require_POST
def correct_case(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """Keeps a corrected mask as a version, or says why not; values for the viewer, a page for a form."""
    case = get_object_or_404(Case.objects.with_images(), study=study, code=code)
    require_not_alone(request, case)  # the numbers of others' masks would be told by what is refused
    wants_values = request.headers.get("Accept", "").startswith("application/json")
    try:
        correction = _corrected(request, case)
    except RejectedInput as error:
        if wants_values:
            values = {"code": error.code, "message": error.message, "remedy": error.remedy}
            return JsonResponse(values, status=400)
        messages.error(request, f"{error.message} {error.remedy}")
        return redirect(page_of(study, "review-case", code))
    messages.success(
        request, f"Your correction is kept; it changes {correction.changed_share:.1%} of the mask's voxels."
    )
    back = page_of(study, "review-case", code)
    return JsonResponse({"address": back}, status=201) if wants_values else redirect(back)


def _corrected(request: HttpRequest, case: Case) -> Correction:
    form = CorrectionForm(request.POST, request.FILES)
    if not form.is_valid():
        raise RejectedInput("upload-missing", "No mask came with the form.", remedy="Choose a .nii or .nii.gz file.")
    base = get_object_or_404(CaseMask.objects.select_related("case__study"), case=case, pk=form.cleaned_data["base"])
    mask = uploaded_mask(case, form.cleaned_data["file"])
    return correct_in_review(case, signed_in_user(request), mask, base=base)
