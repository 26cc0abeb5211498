"""Cases that would have no way on: a stage that the protocol has no more, a reader whose verdict ended, exclusion."""

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.exclusion import exclude
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import begin, finish, follow, send_back
from annotation_backend.stages.permits import permits_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import change_protocol
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import BLIND_PAIR, bare_case, drawn, open_stages, row_of, study_of, worker

pytestmark = pytest.mark.django_db

TWO_REVIEWS = """
[[stages]]
name = "draw"
title = "Drawing"
done_by = "annotator"
does = "draw"
unit = "slice"
opens_next = "hand-in"

[[stages]]
name = "first"
title = "First review"
done_by = "radiologist"
does = "review"
after = ["draw"]
returns_to = "draw"

[[stages]]
name = "second"
title = "Second review"
done_by = "radiologist"
does = "review"
after = ["first"]
returns_to = "draw"
"""


def _renamed(document: str, former: str, now: str) -> str:
    for key in (f'name = "{former}"', f'after = ["{former}"]', f'returns_to = "{former}"'):
        document = document.replace(key, key.replace(former, now))
    return document


def _change(study: Study, document: str) -> None:
    assert change_protocol(study, document.replace("version = 1", "version = 9", 1))


@pytest.mark.parametrize(
    ("closed", "former", "now"),
    [((), "draw", "paint"), (("draw",), "first", "look"), (("draw", "first"), "second", "final")],
)
def test_a_case_whose_open_stage_is_renamed_waits_in_the_renamed_one(
    closed: tuple[str, ...], former: str, now: str
) -> None:
    study = study_of("t1", "renamed", stages=TWO_REVIEWS)
    case = bare_case(study)
    begin(case)
    for stage in closed:
        finish(row_of(case, stage))
    assert open_stages(case) == [(former, 1)]
    _change(study, _renamed(study.document, former, now))
    case.refresh_from_db()
    assert open_stages(case) == [(now, 1)], "it is neither lost nor through"


def test_a_case_that_was_sent_back_to_a_stage_that_is_gone_is_drawn_in_the_new_one() -> None:
    study = study_of("t1", "renamed", stages=TWO_REVIEWS)
    case = bare_case(study)
    begin(case)
    finish(row_of(case, "draw"))
    send_back(row_of(case, "first"), person=None, why="wider")
    _change(study, _renamed(study.document, "draw", "paint"))
    assert open_stages(case) == [("paint", 1)]


def test_a_case_that_is_through_stays_through() -> None:
    study = study_of("t1", "renamed", stages=TWO_REVIEWS)
    case = bare_case(study)
    begin(case)
    for stage in ("draw", "first", "second"):
        finish(row_of(case, stage))
    _change(study, _renamed(study.document, "second", "final"))
    assert open_stages(case) == []


def test_an_excluded_case_is_given_to_nobody_and_opens_for_nobody() -> None:
    study = study_of("mstt-199-staged")
    case = bare_case(study)
    first, second = (worker(study, Role.ANNOTATOR, number) for number in (1, 2))
    follow(case, drawn([2]))
    row = row_of(case, "adjacent")
    work = assign(row, first, [1], how=AssignedBy.CLAIM)
    assert permits_of(first, case)[1].may_draw
    exclude(case, reason="motion")
    assert permits_of(first, case) == {}
    with pytest.raises(RejectedInput, match="case-excluded"):
        assign(row, second, [3], how=AssignedBy.HAND)
    assert hand_in(work), "what was drawn before is not lost"


def test_readers_masks_are_never_drawn_by_whoever_likes() -> None:
    stages = BLIND_PAIR.replace("blind = true", 'blind = true\nassignment = "open"', 1)
    with pytest.raises(RejectedInput, match="protocol-stage-readers"):
        study_of("t1", "open", stages=stages)
