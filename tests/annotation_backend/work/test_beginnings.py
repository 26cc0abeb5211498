"""Where drawing begins: where the tumour is largest, by what the stage lets its people see, and outwards from there."""

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.registry.models import Model
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import WHOLE_CASE, Assignment, CaseStage
from annotation_backend.stages.spreading import spread
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work.own import own_pieces
from annotation_backend.work.taking import suggestions
from annotation_backend.work.taking.claiming import claim_next
from annotation_backend.work.taking.suggestions import Suggestion, around, beginning_of
from datasets.image.packed_mask import packed
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import BLIND_PAIR, bare_case, study_of, worker
from tests.annotation_backend.support.records import SHAPE, accounts, published, registered_case, saved, signed_in

pytestmark = pytest.mark.django_db

AREAS = {1: 3, 2: 9, 3: 40, 4: 12}
"""Pixels of the model's draft by slice: most of them on slice 3."""

INTERACTIVE = """
[[stages]]
name = "draw"
title = "Interactive"
done_by = "annotator"
does = "draw"
unit = "slice"
method = "interactive"
"""


def _case_with_draft(stages: str, name: str = "draft") -> tuple[Case, Study]:
    study = study_of("t1", name, stages=stages)
    case = registered_case(study.code("C", 1), study=study)
    published(case, first_task=500, project=77)
    model = Model.objects.create(
        name=name, version="1", method="clicks-2d", folder="x", digest="0" * 64, prompt_kinds=["point"]
    )
    for index, pixels in AREAS.items():
        mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
        mask.flat[:pixels] = True
        row = {"inputs_sha256": "x", "model_version": "m", "bits": packed(mask)}
        InitialMask.objects.create(case=case, slice_index=index, model=model, **row)
    begin(case)
    return case, study


def _held(assignment: Assignment) -> list[int]:
    return list(assignment.slices.values_list("slice_index", flat=True))


def _order(study: Study, person: User) -> list[int]:
    """The slices that come next, one after the other as each is drawn."""
    found = []
    person_number = person.label_studio_id
    while (piece := own_pieces(study, person)[0]).next_task is not None:
        found.append(piece.next_task.slice_index)
        task = LabelingTask.objects.get(pk=piece.next_task.pk)
        saved(task, identifier=900 + len(found), person=person_number)
    return found


def test_an_interactive_stage_begins_where_the_draft_is_largest_and_goes_outwards() -> None:
    case, study = _case_with_draft(INTERACTIVE)
    anna = worker(study, Role.ANNOTATOR)
    last = max(LabelingTask.objects.filter(case=case).values_list("slice_index", flat=True))
    claim = claim_next(study, anna)
    assert claim.begins_at == 3
    words = "Begin at slice 3 and go outwards: the tumour is largest there by a model's mask"
    assert claim.why == f"Next in the order of patients: {case.patient.code}. {words}"
    page = signed_in(anna).get(page_of(study, "my-work")).content.decode()
    assert "Begin at slice 3 and go outwards" in page
    assert _order(study, anna) == sorted(range(last + 1), key=lambda index: (abs(index - 3), index))


def test_pieces_hang_together_and_lie_around_where_the_tumour_is_largest() -> None:
    _, study = _case_with_draft(INTERACTIVE + "piece = 2\n")
    first, second = (claim_next(study, worker(study, Role.ANNOTATOR, number)) for number in (1, 2))
    assert (_held(first), first.begins_at) == ([2, 3], 3)
    assert second.begins_at == 4, "the nearest that is free"
    assert "Begin at slice 4 and go outwards: the tumour is largest on slice 3 by" in second.why


@pytest.mark.parametrize("words", ['method = "manual"\n', "blind = true\n"])
def test_a_stage_that_hides_models_tells_nothing_of_them(words: str) -> None:
    stages = INTERACTIVE.replace('method = "interactive"\n', words)
    case, study = _case_with_draft(stages)
    anna = worker(study, Role.ANNOTATOR)
    claim = claim_next(study, anna)
    assert claim.begins_at is None
    page = signed_in(anna).get(page_of(study, "my-work")).content.decode()
    assert "By hand: no model draws here." in page
    assert claim.why == f"Next in the order of patients: {case.patient.code}"


def test_a_contour_that_came_along_says_it_where_no_model_drew_but_not_to_blind_readers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contour = Suggestion(2, "the mask that came with the studies")
    monkeypatch.setattr(suggestions, "imported_suggestion", lambda _case: contour)
    study = study_of("t1", "contours", stages=INTERACTIVE.replace("interactive", "manual"))
    begin(bare_case(study))
    assert claim_next(study, worker(study, Role.ANNOTATOR)).begins_at == 2
    blind = study_of("t1", "blind-ones", stages=BLIND_PAIR)
    begin(bare_case(blind))
    claim = claim_next(blind, worker(blind, Role.ANNOTATOR))
    assert (_held(claim), claim.begins_at) == ([WHOLE_CASE], None)


def test_what_people_drew_in_a_stage_before_says_it_best() -> None:
    centre = """
[[stages]]
name = "centre"
title = "Centre"
done_by = "radiologist"
does = "draw"
unit = "slice"
slices = "centre"
"""
    accounts()
    case, study = _case_with_draft(centre + INTERACTIVE + 'after = ["centre"]\n')
    saved(LabelingTask.objects.get(case=case, slice_index=1), identifier=7, person=4)
    assert assemble(case) is not None
    row = CaseStage.objects.get(case=case, stage="centre")
    CaseStage.objects.filter(pk=row.pk).update(state="done", closed_at=row.opened_at)
    CaseStage.objects.create(case=case, stage="draw")
    claim = claim_next(study, worker(study, Role.ANNOTATOR))
    assert "the tumour is largest on slice 1 by what is drawn" in claim.why
    assert claim.begins_at == 0, "the nearest that is free"


def test_who_is_given_work_by_lot_is_told_as_well() -> None:
    case, study = _case_with_draft(INTERACTIVE.replace('unit = "slice"', 'assignment = "hand"'))
    anna = worker(study, Role.ANNOTATOR)
    [given] = spread(CaseStage.objects.get(case=case), how=AssignedBy.RANDOM)
    assert (given.person, given.begins_at) == (anna, 3)
    assert given.why.startswith("You were drawn by lot. Begin at slice 3 and go outwards")
    assert own_pieces(study, anna)[0].next_task.slice_index == 3


def test_a_control_case_says_where_to_begin_as_other_work_does() -> None:
    case, study = _case_with_draft(INTERACTIVE)
    row = CaseStage.every.create(case=case, stage="draw", is_control=True)
    given = assign(row, worker(study, Role.ANNOTATOR), [1, 2, 4], how=AssignedBy.CLAIM)
    assert given.begins_at == 2
    assert given.why == "Begin at slice 2 and go outwards: the tumour is largest on slice 3 by a model's mask"


@pytest.mark.parametrize(
    ("free", "centre", "count", "chosen"),
    [
        ([0, 1, 2, 3, 4], 2, 3, {1, 2, 3}),
        ([0, 1, 5, 6], 3, 2, {0, 1}),
        ([0, 1, 2, 8, 9], 4, 3, {0, 1, 2}),
        ([4, 5], 0, 5, {4, 5}),
        ([0, 1, 2], 1, 0, {0, 1, 2}),
    ],
)
def test_slices_that_hang_together(free: list[int], centre: int, count: int, chosen: set[int]) -> None:
    assert set(around(free, centre, count)) == chosen


def test_where_nobody_knows_where_the_tumour_is_nobody_is_told() -> None:
    assert beginning_of([1, 2], None) is None
