"""Cases that would have no way on: a stage that the protocol has no more, a reader whose verdict ended, exclusion."""

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.exclusion import exclude
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import begin, finish, follow, send_back
from annotation_backend.stages.permits import permits_of, reading_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import FinishedCases, change_protocol
from annotation_backend.work.own import own_pieces
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
    document = _renamed(study.document, "second", "final").replace("version = 1", "version = 9", 1)
    assert change_protocol(study, document, finished=FinishedCases.LEAVE)
    assert open_stages(case) == []


def test_an_excluded_case_is_given_to_nobody_and_opens_for_nobody() -> None:
    study = study_of("mstt-199-staged")
    case = bare_case(study)
    first, second = (worker(study, Role.ANNOTATOR, number) for number in (1, 2))
    follow(case, drawn([2]))
    row = row_of(case, "adjacent")
    work = assign(row, first, [1], how=AssignedBy.CLAIM)
    assert permits_of(first, case)[1].may_draw
    assert [piece.assignment for piece in own_pieces(study, first)] == [work]
    exclude(case, reason="motion")
    assert permits_of(first, case) == {}
    assert own_pieces(study, first) == [], "nobody is led to what does not open"
    with pytest.raises(RejectedInput, match="case-excluded"):
        assign(row, second, [3], how=AssignedBy.HAND)
    assert hand_in(work), "what was drawn before is not lost"


def test_readers_masks_are_never_drawn_by_whoever_likes() -> None:
    stages = BLIND_PAIR.replace("blind = true", 'blind = true\nassignment = "open"', 1)
    with pytest.raises(RejectedInput, match="protocol-stage-readers"):
        study_of("t1", "open", stages=stages)


def test_what_a_reader_draws_later_without_an_assignment_is_the_cases_and_not_their_former_readings() -> None:
    repair = (
        '[[stages]]\nname = "repair"\ntitle = "Repair"\ndone_by = "annotator"\ndoes = "draw"\nassignment = "open"\n'
    )
    study = study_of("t1", "repaired", stages=f'{BLIND_PAIR}\n{repair}after = ["decide"]\n')
    case = bare_case(study)
    [row] = begin(case)
    readers = [worker(study, Role.ANNOTATOR, number) for number in (1, 2)]
    works = [assign(row, reader, how=AssignedBy.CLAIM) for reader in readers]
    numbers = [int(reader.label_studio_id or 0) for reader in readers]
    assert None not in [reading_of(case, 1, [number]) for number in numbers]
    for work in works:
        hand_in(work)
    assert None not in [reading_of(case, 1, [number]) for number in numbers], "a late save is still a reader's own"
    finish(row_of(case, "decide"))
    assert open_stages(case) == [("repair", 1)]
    assert [reading_of(case, 1, [number]) for number in numbers] == [None, None]
