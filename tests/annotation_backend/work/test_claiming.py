"""What is next for a person, in each order and with words that say why; what nobody gets."""

from datetime import timedelta

import numpy as np
import pytest
from django.dispatch import receiver
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.mask_inputs import inputs_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin, finish, follow
from annotation_backend.stages.models import WHOLE_CASE, Assignment
from annotation_backend.stages.signals import work_asked
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.work.models import Disagreement
from annotation_backend.work.own import own_pieces
from annotation_backend.work.taking.claiming import claim_next, next_review
from annotation_backend.work.taking.orders import Order
from datasets.errors import RejectedInput
from datasets.image.packed_mask import packed
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import BLIND_PAIR, bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.records import SHAPE, accounts, approve, published, registered_case, saved
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db

PIECE = BLIND_PAIR[: BLIND_PAIR.index('[[stages]]\nname = "decide"')].replace("readers = 2\nblind = true\n", "")
"""One drawing stage alone."""


def _slices(assignment: Assignment) -> list[int]:
    return list(assignment.slices.values_list("slice_index", flat=True))


def _model(study: Study) -> Model:
    return Model.objects.create(
        name="m", version="1", method="clicks-2d", folder="x", digest="0" * 64, prompt_kinds=["point"]
    )


def _scored(case: Case, model: Model, *scores: float, inputs: str = "") -> None:
    """Estimates of a model, of the case as it is now or of other inputs."""
    of_now = inputs_of([Case.objects.with_images().get(pk=case.pk)], model)[case.pk]
    for index, score in enumerate(scores):
        row = {"inputs_sha256": inputs or of_now, "model_version": "m", "score": score, "bits": b""}
        InitialMask.objects.create(case=case, slice_index=index, model=model, **row)


@pytest.fixture
def study() -> Study:
    """With a stage in which annotators claim two slices at a time."""
    stages = PIECE.replace('does = "draw"', 'does = "draw"\nunit = "slice"\npiece = 2')
    return study_of("t1", stages=stages)


@pytest.fixture
def anna(study: Study) -> User:
    return worker(study, Role.ANNOTATOR, 1)


@pytest.fixture
def bert(study: Study) -> User:
    return worker(study, Role.ANNOTATOR, 2)


def test_pieces_are_claimed_one_after_the_other_and_nobody_gets_anothers(study: Study, anna: User, bert: User) -> None:
    for number in (1, 2):
        begin(bare_case(study, number))
    claims = [claim_next(study, person) for person in (anna, bert)]
    assert [_slices(one) for one in claims] == [[0, 1], [2, 3]]
    assert {one.row.case.code for one in claims} == {study.code("C", 1)}
    assert claims[0].why == f"Next in the order of patients: {study.code('P', 1)}"
    assert claims[0].lease_until is not None
    cleo = worker(study, Role.ANNOTATOR, 3)
    assert _slices(claim_next(study, cleo)) == [4]
    assert claim_next(study, worker(study, Role.ANNOTATOR, 4)).row.case.code == study.code("C", 2)


def test_what_is_excluded_unpublished_or_another_roles_is_nobodys_next(study: Study, anna: User) -> None:
    first, second = (bare_case(study, number) for number in (1, 2))
    for case in (first, second):
        begin(case)
    exclude(first, reason="Another patient.")
    LabelingTask.objects.filter(case=second).update(label_studio_id=0)
    for person in (anna, worker(study, Role.RADIOLOGIST)):
        with pytest.raises(RejectedInput, match="nothing-to-do"):
            claim_next(study, person)


def test_a_lease_that_ran_out_is_free_for_the_next_who_asks(study: Study, anna: User, bert: User) -> None:
    begin(bare_case(study))
    late = claim_next(study, anna)
    Assignment.objects.update(lease_until=now() - timedelta(seconds=1))
    assert _slices(claim_next(study, bert)) == _slices(late)


def test_where_the_model_is_least_sure_comes_first_and_what_it_did_not_estimate_last(study: Study, anna: User) -> None:
    cases = [bare_case(study, number) for number in (1, 2, 3)]
    for case in cases:
        begin(case)
    model, former = _model(study), known_model("former")
    Promotion.objects.create(study=study, model=former, prompt_kind=PromptKind.AUTOMATIC)
    Promotion.objects.create(study=study, model=model, prompt_kind=PromptKind.AUTOMATIC)
    _scored(cases[1], model, 0.9, 0.7)
    _scored(cases[2], model, 0.5, 0.62)
    _scored(cases[1], former, 0.1)
    _scored(cases[0], former, 0.1)
    _scored(cases[0], model, 0.2, inputs="of a former registration")
    claims = []
    for number in range(3):
        claims.append(claim_next(study, worker(study, Role.ANNOTATOR, 10 + number), order=Order.UNCERTAINTY))
        cases_left = [one for one in cases if one != claims[-1].row.case]
        Assignment.objects.filter(pk=claims[-1].pk).update(state="done", ended_at=now())
        finish(claims[-1].row)
        assert cases_left
    assert [one.row.case for one in claims] == [cases[2], cases[1], cases[0]]
    assert claims[0].why == "The model is least sure here: it puts the quality of its masks at 0.56 of 1"
    assert claims[2].why.startswith("No model estimated its masks")


def test_who_reads_blind_is_not_told_how_far_others_agree() -> None:
    study = study_of("t1", "blind", stages=BLIND_PAIR)
    reader = worker(study, Role.ANNOTATOR)
    case = bare_case(study)
    begin(case)
    Disagreement.objects.create(case=case, between="readers", dice=0.31)
    claim = claim_next(study, reader, order=Order.DISAGREEMENT)
    assert "0.31" not in claim.why
    assert "not told" in claim.why


def test_where_masks_agree_least_comes_first(study: Study, anna: User) -> None:
    cases = [bare_case(study, number) for number in (1, 2, 3)]
    for case in cases:
        begin(case)
    Disagreement.objects.create(case=cases[1], between="readers", dice=0.8)
    Disagreement.objects.create(case=cases[2], between="model", dice=0.31)
    claim = claim_next(study, anna, order=Order.DISAGREEMENT)
    assert claim.row.case == cases[2]
    assert claim.why == "Masks agree least here: Dice 0.31 between the model's draft and what was drawn"


def test_an_app_above_may_pause_a_person(study: Study, anna: User, bert: User) -> None:
    begin(bare_case(study))

    def pause(*, person: User, **_signal: object) -> None:
        if person == anna:
            raise RejectedInput("paused", "You have a pause.", remedy="Ask.")

    receiver(work_asked)(pause)
    try:
        with pytest.raises(RejectedInput, match="paused"):
            claim_next(study, anna)
        claim_next(study, bert)
    finally:
        work_asked.disconnect(pause)


def test_the_centre_slice_is_one_and_the_models_largest_area_is_proposed() -> None:
    study = study_of("mstt-199-staged")
    case = registered_case(study.code("C", 1), study=study)
    published(case, first_task=500, project=77)
    begin(case)
    model = _model(study)
    for index, pixels in ((1, 3), (3, 40), (4, 12)):
        mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
        mask.flat[:pixels] = True
        row = {"inputs_sha256": "x", "model_version": "m", "bits": packed(mask)}
        InitialMask.objects.create(case=case, slice_index=index, model=model, **row)
    radiologist, other = (worker(study, Role.RADIOLOGIST, number) for number in (1, 2))
    claim = claim_next(study, radiologist)
    assert _slices(claim) == [WHOLE_CASE], "the person may choose another slice"
    assert "largest on slice 3 by a model's mask" in claim.why
    [piece] = own_pieces(study, radiologist)
    assert piece.next_task.slice_index == 3
    with pytest.raises(RejectedInput, match="nothing-to-do"):
        claim_next(study, other)


def test_adjacent_slices_go_outwards_from_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts()
    stages = PIECE.replace('does = "draw"', 'does = "draw"\nunit = "slice"\npiece = 2\nslices = "adjacent"')
    study = study_of("mstt-199", "outwards", stages=stages)
    case = registered_case(study.code("C", 1), study=study)
    tasks = published(case, first_task=500, project=77)
    saved(tasks[3], person=4)
    begin(case)
    anna, bert = (worker(study, Role.ANNOTATOR, number) for number in (1, 2))
    assert _slices(claim_next(study, anna)) == [2, 4]
    [piece] = own_pieces(study, anna)
    assert piece.next_task.slice_index == 2
    assert _slices(claim_next(study, bert)) == [0, 1]
    assert own_pieces(study, bert)[0].next_task.slice_index == 1, "nearest first"


def test_whoever_opened_one_slice_by_its_link_gets_the_others_next_and_keeps_nobody_from_them() -> None:
    study = study_of("mstt-199")
    anna, bert = (worker(study, Role.ANNOTATOR, number) for number in (1, 2))
    case = bare_case(study)
    row = begin(case)[0]
    for person, index in ((anna, 1), (bert, 3)):
        assign(row, person, [index], how=AssignedBy.CLAIM)
    assert _slices(claim_next(study, anna)) == [0, 2, 4]
    with pytest.raises(RejectedInput, match="nothing-to-do"):
        claim_next(study, bert)


def test_two_readers_each_get_the_whole_case_and_the_third_nothing() -> None:
    study = study_of("t1", "pair", stages=BLIND_PAIR)
    begin(bare_case(study))
    people = [worker(study, Role.ANNOTATOR, number) for number in (1, 2, 3)]
    assert [claim_next(study, person).seat for person in people[:2]] == [1, 2]
    with pytest.raises(RejectedInput, match="nothing-to-do"):
        claim_next(study, people[2])


def test_the_next_review_is_ones_own_then_what_waits_for_anybody_and_never_what_one_drew() -> None:
    people = accounts()
    study = study_of("mstt-199", "reviews")
    for role in (Role.ANNOTATOR, Role.RADIOLOGIST):
        give_role(study, people[role], role)
    radiologist = people[Role.RADIOLOGIST]
    own, others = (registered_case(study.code("C", number), study=study) for number in (1, 2))
    for number, (case, person) in enumerate(((own, 3), (others, 4)), start=1):
        saved(published(case, first_task=number * 100, project=77)[2], identifier=number, person=person)
        assert assemble(case) is not None
        follow(case, drawn([2]))
    found = next_review(study, radiologist)
    assert found.row.case == others, "the first one they drew in themselves"
    assert found.why == f"Next in the order of patients: {others.patient.code}"
    approve(others.masks.get(), radiologist)
    with pytest.raises(RejectedInput, match="nothing-to-review"):
        next_review(study, radiologist)


def test_a_review_by_lot_is_next_for_the_one_it_fell_on_alone() -> None:
    study = study_of("mstt-199-staged")
    case = bare_case(study)
    first, second = (worker(study, Role.RADIOLOGIST, number) for number in (1, 2))
    follow(case, drawn([2]))
    finish(row_of(case, "adjacent"))
    chosen = Assignment.objects.get().person
    other = second if chosen == first else first
    found = next_review(study, chosen)
    assert (found.row.case, found.why) == (case, "You were drawn by lot")
    with pytest.raises(RejectedInput, match="nothing-to-review"):
        next_review(study, other)
