"""Saves that an earlier version decoded otherwise: decoded anew, and their masks and approvals are compared."""

from pathlib import Path

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.masks.brush import encode_alpha
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState, VersionMasks
from annotation_backend.labeling.upkeep import cases_behind, unfinished_cases
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.decoded_masks import decode_missing, stored_masks
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.labeling.versions.stored_versions import damaged_versions
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.models import EndReason, Review, Verdict
from annotation_backend.review.services import decide
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Mask
from datasets.study.case import QualityScore
from tests.annotation_backend.support.records import drawn, published, registered_case, save_body, saved

pytestmark = pytest.mark.django_db

BEFORE = 1


@pytest.fixture
def task(people: dict[Role, User], tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> LabelingTask:
    settings.DATA_FOLDER = tmp_path
    monkeypatch.setattr("annotation_backend.labeling.jobs.mirror_states", lambda _case: 0)
    return published(registered_case())[2]


def _two_regions(task: LabelingTask, alpha: int) -> list[dict[str, object]]:
    """One as the editor draws it, and one below it that a script wrote in `alpha`."""
    [plain], [faint] = save_body(task)["result"], save_body(task)["result"]
    below = np.zeros_like(drawn())
    below[12:15, 6:15] = True
    faint["id"], faint["value"]["rle"] = "b", encode_alpha(below.astype(np.uint8) * np.uint8(alpha))
    return [plain, faint]


def _as_before(mask: CaseMask) -> CaseMask:
    """The records as an earlier version left them: of two regions the faint one is in no mask."""
    whole = read_mask(mask.path)
    data = whole.data.copy()
    data[:, 12:, :] = 0
    data[:, :8, :] = 0
    row = VersionMasks.objects.get()
    VersionMasks.objects.update(decoding=BEFORE, areas={"Tumour": 45}, bits=row.bits)
    write_mask(mask.path, Mask(data, whole.grid, whole.labels))
    CaseMask.objects.update(decoding=BEFORE, sha256=sha256_of_file(mask.path))
    return CaseMask.objects.get()


def _approve(mask: CaseMask, people: dict[Role, User]) -> Review:
    return decide(
        mask,
        people[Role.RADIOLOGIST],
        verdict=Verdict.APPROVE,
        quality_score=QualityScore.EXCELLENT,
        accepts_unannotated=True,
    )


def _made(task: LabelingTask) -> CaseMask:
    made = assemble(task.case)
    assert made is not None
    return made


def test_a_mask_without_what_was_drawn_faintly_is_made_anew_and_its_approval_asks_for_a_look(
    task: LabelingTask, people: dict[Role, User]
) -> None:
    saved(task, result=_two_regions(task, 100))
    before = _as_before(_made(task))
    CaseMask.objects.update(decoding=BEFORE + 1)
    review = _approve(CaseMask.objects.get(), people)
    CaseMask.objects.update(decoding=BEFORE)
    assert approved_reviews() == [review], "what was looked at is there still"
    assert unfinished_cases() == {task.case.code} == cases_behind()
    with pytest.raises(RejectedInput, match="mask-behind"):
        _approve(before, people)
    assemble_case.func(case_code=task.case.code)
    now = standing_of(task.case)
    assert now.mask is not None
    assert now.mask.pk != before.pk
    assert read_mask(now.mask.path).foreground.sum() == drawn().sum() + 27
    assert stored_masks(now.saves[2]).areas == {"Tumour": int(drawn().sum()) + 27}
    assert sha256_of_file(before.path) == before.sha256, "what was approved stays as it was"
    assert approved_reviews() == []
    review.refresh_from_db()
    assert review.ending is not None
    assert review.ending.reason == EndReason.SAVES
    task.refresh_from_db()
    assert task.state == TaskState.ANNOTATED
    assert not cases_behind()
    assert _approve(now.mask, people) in approved_reviews()
    assert _made(task) == now.mask


def test_a_mask_that_shows_its_saves_as_they_are_read_now_stays_approved(
    task: LabelingTask, people: dict[Role, User]
) -> None:
    saved(task)
    review = _approve(_made(task), people)
    CaseMask.objects.update(decoding=BEFORE)
    VersionMasks.objects.update(decoding=BEFORE)
    assert cases_behind() == {task.case.code}
    assert list(damaged_versions(task.case)) == []
    assemble_case.func(case_code=task.case.code)
    assert approved_reviews() == [review]
    assert CaseMask.objects.get().is_of_today
    assert not cases_behind()
    assert decode_missing(task.case) == 0


def test_a_region_that_is_unreadable_now_is_named_where_it_was_left_out_in_silence(
    task: LabelingTask, people: dict[Role, User]
) -> None:
    [plain, faint] = _two_regions(task, 60)
    alpha = np.zeros_like(drawn(), dtype=np.uint8)
    alpha[12:15, 6:15], alpha[13, 6:15] = 60, 30
    faint["value"] = {**faint["value"], "rle": encode_alpha(alpha)}  # type: ignore[dict-item]
    saved(task, result=[plain, faint])
    before = _made(task)
    CaseMask.objects.update(decoding=BEFORE, findings=[])
    VersionMasks.objects.update(decoding=BEFORE, unreadable=0)
    now = _made(task)
    assert now.pk != before.pk
    assert [finding["code"] for finding in now.findings] == ["brush-code"]


def test_a_damaged_mask_of_before_is_not_made_anew_and_compared_once_it_is_whole(task: LabelingTask) -> None:
    saved(task)
    mask = _made(task)
    CaseMask.objects.update(decoding=BEFORE)
    content = mask.path.read_bytes()
    mask.path.unlink()
    assert _made(task).pk == mask.pk
    assert standing_of(task.case).is_to_be_assembled
    mask.path.write_bytes(content)
    assert _made(task).pk == mask.pk
    assert not standing_of(task.case).is_to_be_assembled
