"""What the viewer of a review page fetches: images, masks and numbers, each for people who read reviews."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import CaseImage
from annotation_backend.cases.stored.digests import whole_bytes
from annotation_backend.cases.stored.files import image_file
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.inference.serving.uncertainty_maps import uncertainty_maps
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.registry.models import Model
from annotation_backend.review.readers import READERS
from annotation_backend.review.verdict_stages import open_review
from annotation_backend.review.viewing.figures import figures_of, former_of
from annotation_backend.review.viewing.masks_shown import case_with_models, mask_shown
from annotation_backend.review.viewing.overlays import readers_masks
from annotation_backend.review.viewing.volumes import model_answer, stored_answer, uncertainty_answer
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page


@study_page(*READERS)
@require_GET
def volume(request: HttpRequest, study: Study, code: str, role: str) -> HttpResponseBase:
    """An image of a case on the case's grid."""
    images = CaseImage.objects.select_related("case__study")
    image = get_object_or_404(images, case__study=study, case__code=code, role=role)
    return stored_answer(request, image_file(image))


@study_page(*READERS)
@require_GET
def model_mask(request: HttpRequest, study: Study, code: str, pk: int) -> HttpResponseBase:
    """What a model drew of a case before anybody prompted."""
    case = case_with_models(request, study, code)
    model = get_object_or_404(Model.objects.filter(initial_masks__case=case).distinct(), pk=pk)
    return model_answer(request, case, model)


@study_page(*READERS)
@require_GET
def uncertainty_map(request: HttpRequest, study: Study, code: str, pk: int) -> HttpResponseBase:
    """How unsure a model is of each voxel of a case that it drew before anybody prompted."""
    case = case_with_models(request, study, code)
    found = next((one for one in uncertainty_maps(case) if one.model.pk == pk), None)
    if found is None:
        raise Http404
    return uncertainty_answer(request, found)


@study_page(*READERS)
@require_GET
def mask_volume(request: HttpRequest, study: Study, mask_id: int) -> HttpResponseBase:
    """A version of a case's mask."""
    return stored_answer(request, mask_file(mask_shown(request, study, mask_id)))


@study_page(*READERS)
@require_GET
def mask_download(request: HttpRequest, study: Study, mask_id: int) -> HttpResponse:
    """A version of a case's mask as a file, for Slicer or ITK-SNAP."""
    mask = mask_shown(request, study, mask_id)
    answer = HttpResponse(whole_bytes(mask_file(mask)), content_type="application/gzip")
    record(EventKind.MASK_DOWNLOADED, signed_in_user(request), case=mask.case, detail={"mask": mask.pk})
    answer["Content-Disposition"] = f'attachment; filename="{mask.case.code}-mask-{mask.pk}.nii.gz"'
    answer["Cache-Control"] = "private, no-store"
    return answer


@study_page(*READERS)
@require_GET
def figures(request: HttpRequest, study: Study, mask_id: int) -> HttpResponse:
    """The numbers of a mask; compared with another version of it, where the address names one."""
    mask, person = mask_shown(request, study, mask_id), signed_in_user(request)
    row = open_review(mask.case)
    is_blind = row is not None and row.rules is not None and row.rules.is_blind
    readers = [] if is_blind else list(readers_masks(mask.case, person).values())
    former = None if is_blind else former_of(mask.case, request.GET.get("former", ""), person)
    return JsonResponse(figures_of(mask, former, readers=readers))
