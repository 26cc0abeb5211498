"""A correction keeps what it corrects: who drew, corrected or decided that approves nothing of it."""

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import Annotation, CaseMask, CorrectionKind, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.review.models import approved_review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask
from tests.annotation_backend.review.test_corrections import CORRECTING
from tests.annotation_backend.support.records import approve, member, saved

pytestmark = pytest.mark.django_db

RADIOLOGIST = 3


@pytest.fixture
def correcting(mask: CaseMask, study: Study) -> CaseMask:
    """The mask, in a study whose review may correct a tenth."""
    document = study.document.split("[[stages]]")[0] + CORRECTING
    Study.objects.filter(pk=study.pk).update(document=document)
    return CaseMask.objects.select_related("case__study").get(pk=mask.pk)


def _without(mask: CaseMask, voxels: int, author: User, kind: CorrectionKind = CorrectionKind.CORRECTED) -> CaseMask:
    """The mask after a correction that takes some of its 45 voxels away."""
    read = read_mask(mask.path)
    data = read.data.copy()
    for place in np.argwhere(data)[:voxels]:
        data[tuple(place)] = 0
    correct(mask.case, Mask(data, read.grid, read.labels), kind=kind, author=author, base=mask)
    made = assemble(mask.case)
    assert made is not None
    return made


def test_who_drew_does_not_approve_after_a_voxel_of_it_was_corrected(
    correcting: CaseMask, people: dict[Role, User]
) -> None:
    task = LabelingTask.objects.get(slice_index=2)
    saved(task, person=RADIOLOGIST, updated_at="2026-11-24T10:00:00.000001Z")
    own = assemble(correcting.case)
    assert own is not None
    other = member("second@hospital.org", Role.RADIOLOGIST, label_studio_id=33)
    for author in (people[Role.RADIOLOGIST], other):
        own = _without(own, 1, author)
        assert own.annotations.count() == 0, "the correction stands in the place of the save"
        with pytest.raises(RejectedInput, match="own-drawing"):
            approve(own, people[Role.RADIOLOGIST])
    assert own.annotators() == {4, RADIOLOGIST}


def test_many_small_corrections_of_ones_own_add_up(correcting: CaseMask, people: dict[Role, User]) -> None:
    reviewer, mask = people[Role.RADIOLOGIST], correcting
    for _ in range(3):
        mask = _without(mask, 3, reviewer)
    assert mask.corrections.count() == 1
    assert mask.corrected_share_of(reviewer) == pytest.approx(3 / 45 + 3 / 42 + 3 / 39)
    with pytest.raises(RejectedInput, match="correction-too-large"):
        approve(mask, reviewer)
    review = approve(mask, member("second@hospital.org", Role.RADIOLOGIST, label_studio_id=33))
    assert approved_review(mask.case) == review


def test_a_small_correction_of_ones_own_is_approved_and_starts_anew_with_a_new_save(
    correcting: CaseMask, people: dict[Role, User]
) -> None:
    reviewer = people[Role.RADIOLOGIST]
    mask = _without(correcting, 3, reviewer)
    drawn = saved(LabelingTask.objects.get(slice_index=2), identifier=8, updated_at="2026-11-25T10:00:00.000001Z")
    assert isinstance(drawn, Annotation)
    anew = assemble(mask.case)
    assert anew is not None
    assert anew.corrected_share_of(reviewer) == 0.0
    assert approve(_without(anew, 4, reviewer), reviewer).largest_correction == 0.1


def test_who_decided_between_readers_does_not_approve_that_not_even_an_empty_mask(
    correcting: CaseMask, people: dict[Role, User]
) -> None:
    judge = people[Role.RADIOLOGIST]
    empty = _without(correcting, 45, judge, CorrectionKind.ADJUDICATED)
    same = _without(empty, 0, judge, CorrectionKind.ADJUDICATED)
    assert same.corrected_share_of(judge) >= 1.0
    with pytest.raises(RejectedInput, match="correction-too-large"):
        approve(same, judge)
