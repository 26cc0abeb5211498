"""Whoever reviews blind sees the mask that counts, and neither its former versions nor a model's nor how unsure
that was, by no address."""

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.stages.flow import follow
from annotation_backend.studies.models import Study
from datasets.image.packed_mask import packed
from tests.annotation_backend.inference.unsure_masks import unsure_mask
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import drawn, saved, signed_in
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db

BLIND = 'done_by = "radiologist"\nreaders = 2\nblind = true'


def _statuses(person: User, mask: CaseMask) -> set[int]:
    browser = signed_in(person)
    names = ("review-mask", "review-mask-download", "review-figures")
    pages = [page_at(name, mask.pk) for name in names] + [page_at("slice-with-mask", mask.pk, "t2", 2)]
    return {browser.get(page).status_code for page in pages}


def _answers(person: User, addresses: list[str]) -> set[int]:
    return {signed_in(person).get(address).status_code for address in addresses}


@pytest.mark.parametrize("is_blind", [True, False])
def test_former_masks_and_models(mask: CaseMask, people: dict[Role, User], study: Study, *, is_blind: bool) -> None:
    if is_blind:
        document = study.document.replace('done_by = "radiologist"', BLIND)
        Study.objects.filter(pk=study.pk).update(document=document)
    former = CaseMask.objects.select_related("case__study").get(pk=mask.pk)
    saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    counting = assemble(former.case)
    assert counting is not None
    follow(former.case, standing_of(former.case).drawn)
    model = known_model()
    unsure_mask(former.case, model, bits=packed(drawn()))
    of_the_model = [page_at(name, "C0001", model.pk) for name in ("review-model-mask", "review-uncertainty")]
    radiologist, manager = people[Role.RADIOLOGIST], people[Role.DATA_MANAGER]
    assert _statuses(radiologist, counting) == {200}
    assert _statuses(radiologist, former) == ({404} if is_blind else {200})
    assert _answers(radiologist, of_the_model) == ({404} if is_blind else {200})
    assert _statuses(manager, former) == {200}
    assert _answers(manager, of_the_model) == {200}
    page = signed_in(radiologist).get(page_at("review-case", "C0001")).content.decode()
    assert ("data-unsure" in page) is not is_blind
