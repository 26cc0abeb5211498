"""What readers learn of each other while they read: no mask, version, number or word, by whatever address."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling import jobs
from annotation_backend.labeling.models import Annotation, AnnotationFinding, CaseMask, FindingKind, Restoration
from annotation_backend.labeling.versions.versions import restore
from annotation_backend.readers.jobs import compare_readings, summarise_agreement
from annotation_backend.review.comments.services import answer, pin
from annotation_backend.stages.assigning import assign, give_back, hand_in
from annotation_backend.stages.flow import finish, send_back
from annotation_backend.stages.models import Reading
from annotation_backend.studies.addresses import page_of
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy
from tests.annotation_backend.readers.several import (
    STAGES,
    opened,
    person_of,
    published_case,
    read,
    save_of,
    square,
    study_with,
)
from tests.annotation_backend.stages.world import row_of
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db

DRAWN = {1: square(slice(4, 10), slice(4, 10)), 2: square(slice(4, 10), slice(4, 10))}


class Blind:
    """Two readers of one role, the first of whom has handed in, and a manager."""

    def __init__(self, role: Role) -> None:
        self.study = study_with(STAGES.replace('done_by = "annotator"', f'done_by = "{role.value}"'))
        self.first = person_of(self.study, "first", role, 51)
        self.second = person_of(self.study, "second", role, 52)
        self.third = person_of(self.study, "third", role, 53)
        self.manager = person_of(self.study, "manager", Role.DATA_MANAGER, 56)
        self.case, self.tasks = published_case(self.study)
        self.row = opened(self.case)
        read(self.first, self.row, DRAWN, number=600)
        self.work = assign(self.row, self.second, how=AssignedBy.HAND)
        self.mask = CaseMask.objects.get(reading__person=self.first)

    def status(self, person: User, name: str, *values: Any) -> int:
        """How a page answers a person."""
        return signed_in(person).get(page_of(self.study, name, *values)).status_code


@pytest.fixture
def folder(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio


def _masks(world: Blind, person: User) -> set[int]:
    names = ("review-mask", "review-mask-download", "review-figures")
    found = {world.status(person, name, world.mask.pk) for name in names}
    return {*found, world.status(person, "slice-with-mask", world.mask.pk, world.case.drawn_role, 2)}


@pytest.mark.usefixtures("folder")
def test_a_radiologist_who_reads_sees_no_mask_of_another_reader_until_both_are_done() -> None:
    world = Blind(Role.RADIOLOGIST)
    for person in (world.second, world.third):
        assert _masks(world, person) == {404}, "as where there is none"
        assert world.status(person, "review-case", world.case.code) == 403
        address = page_of(world.study, "review-correct", world.case.code)
        forms = [{"base": number, "file": SimpleUploadedFile("x", b"x")} for number in (world.mask.pk, 1 << 20)]
        assert {signed_in(person).post(address, form).status_code for form in forms} == {403}
    assert _masks(world, world.manager) == {200}
    finish(world.row)
    assert _masks(world, world.third) == {200}


@pytest.mark.usefixtures("folder")
def test_who_reads_nothing_themselves_sees_no_mask_of_a_reading_that_goes_on() -> None:
    world = Blind(Role.ANNOTATOR)
    judge = person_of(world.study, "judge", Role.RADIOLOGIST, 57)
    assert _masks(world, judge) == {404}
    page = signed_in(judge).get(page_of(world.study, "review-case", world.case.code))
    assert (page.status_code, b"Reader 1" in page.content) == (200, False)
    finish(world.row)
    assert _masks(world, judge) == {200}


def _figures(world: Blind, person: User) -> int:
    """On how many of the pages of agreement a person sees a figure."""
    compare_readings.call(row=world.row.pk)
    summarise_agreement.call(study=world.study.name)
    pages = [("agreement",), ("agreement-case", world.case.code), ("agreement-csv",), ("dashboard",)]
    found = [signed_in(person).get(page_of(world.study, *page)).getvalue() for page in pages]
    return sum(b"0.444" in page for page in found)


@pytest.mark.usefixtures("folder")
def test_who_reads_a_case_again_sees_neither_the_former_rounds_agreement_nor_its_masks() -> None:
    world = Blind(Role.RADIOLOGIST)
    moved = {index: square(slice(6, 12), slice(6, 12)) for index in DRAWN}
    for index, mask in moved.items():
        save_of(world.second, world.tasks[index], mask, number=700 + index)
    jobs.assemble_case.call(case_code=world.case.code)
    hand_in(world.work)
    readers, judge = (world.first, world.second), person_of(world.study, "judge", Role.RADIOLOGIST, 57)
    assert _figures(world, judge) >= 3, "16 of 36 pixels are the same on each slice: Dice 64 / 144"

    finish(row_of(world.case, "decide"))
    [again] = send_back(row_of(world.case, "review"), person=judge, why="The edge is wrong")
    assert (again.stage, again.round) == ("read", 2)
    for person in (*readers, world.third, judge):
        assert _figures(world, person) == 0
        assert set(_masks(world, person)) <= {403, 404}
    assert _figures(world, world.manager) >= 3
    finish(again)
    assert _figures(world, judge) >= 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RADIOLOGIST])
def test_what_is_found_of_a_readers_saves_is_named_to_nobody_who_is_blind_to_them(role: Role) -> None:
    world = Blind(role)
    judge = person_of(world.study, "judge", Role.RADIOLOGIST, 57)
    theirs = Annotation.objects.get(label_studio_id=602)
    for kind in FindingKind:
        numbers = {"count": 1, "saves": [theirs.pk], "people": [51], "area_before": 36, "area_after": 4}
        AnnotationFinding.objects.create(annotation=theirs, kind=kind, label="Tumour", numbers=numbers)
    own = signed_in(world.manager).get(page_of(world.study, "finding-list"))
    assert len(own.context["findings"]) == len(FindingKind), "a data manager sees all"
    place = f"{world.case.code} · 2".encode()

    def told(person: User) -> set[str]:
        client = signed_in(person)
        pages = [("finding-list",), ("case-page", world.case.code), ("review-case", world.case.code), ("study",)]
        found = {page[0]: client.get(page_of(world.study, *page)) for page in pages}
        words = (place, b" to look at</a>", b"about annotations that nobody has looked at", b'data-findings="2"')
        return {name for name, page in found.items() if any(word in page.content for word in words)}

    blind = [one for one in (world.second, world.third, judge) if role is Role.RADIOLOGIST or one == judge]
    key = AnnotationFinding.objects.values_list("pk", flat=True)[0]
    assert told(world.manager) >= {"finding-list", "case-page", "study"}
    for person in blind:
        assert told(person) == set()
        assert signed_in(person).post(page_of(world.study, "finding-seen", key)).status_code == 404
    finish(world.row)
    assert {"finding-list", "case-page", "study"} <= told(judge)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RADIOLOGIST])
def test_a_slices_versions_are_the_readers_own_alone(role: Role) -> None:
    world = Blind(role)
    save_of(world.second, world.tasks[2], square(slice(5, 9), slice(5, 9)), number=700)
    theirs = Annotation.objects.get(label_studio_id=602)
    own = Annotation.objects.get(label_studio_id=700)
    place = (world.case.code, 2)
    page = signed_in(world.second).get(page_of(world.study, "slice-versions", *place))
    assert [row["version"].pk for row in page.context["rows"]] == [own.pk]
    assert world.status(world.second, "compare-versions", *place, own.number, theirs.number) == 404
    assert world.status(world.second, "comparison-picture", *place, theirs.number, theirs.number) == 404
    back = signed_in(world.second).post(page_of(world.study, "restore-version", *place, theirs.number))
    assert (back.status_code, Restoration.objects.count()) == (302, 0)
    with pytest.raises(RejectedInput, match="version-of-a-reading"):
        restore(theirs, person=world.manager)


@pytest.mark.usefixtures("folder")
def test_readers_hear_nothing_that_others_say_of_the_case_meanwhile() -> None:
    world = Blind(Role.ANNOTATOR)
    judge = person_of(world.study, "judge", Role.RADIOLOGIST, 57)
    asked = pin(world.case, judge, voxel=[3, 4, 2], text="Look at the border.")
    answer(asked, world.first, text="It lies at the fascia.")
    address = page_of(world.study, "review-comments", world.case.code)

    def heard(person: User) -> bytes:
        values = signed_in(person).get(address, headers={"accept": "application/json"}).content
        return values + signed_in(person).get(address).content

    assert b"Look at the border" in heard(world.second), "who reviews may say something to all"
    assert b"fascia" not in heard(world.second)
    for person in (world.first, judge, world.manager):
        assert (b"fascia" in heard(person)) == (person != judge), "nor does who reviews the case, until they are done"
    finish(world.row)
    assert b"fascia" in heard(world.second)


@pytest.mark.usefixtures("folder")
def test_a_radiologist_who_reads_pins_nothing_that_others_would_see_above_their_tasks() -> None:
    world = Blind(Role.RADIOLOGIST)
    form = {"i": 3, "j": 4, "k": 2, "text": "Here!"}
    answered = signed_in(world.second).post(page_of(world.study, "review-comments", world.case.code), form)
    assert answered.status_code == 403


@pytest.mark.usefixtures("folder")
def test_a_reader_who_leaves_frees_the_seat_for_another() -> None:
    world = Blind(Role.ANNOTATOR)
    give_back(world.work)
    read(world.third, world.row, DRAWN, number=800)
    world.row.refresh_from_db()
    assert world.row.state == "done"
    seats = dict(Reading.objects.filter(handed_in_at__isnull=False).values_list("person", "seat"))
    assert seats == {world.first.pk: 1, world.third.pk: 2}


@pytest.mark.usefixtures("folder")
def test_a_reader_who_comes_back_finds_another_seat_or_none() -> None:
    world = Blind(Role.ANNOTATOR)
    give_back(world.work)
    taken = assign(world.row, world.third, how=AssignedBy.HAND)
    with pytest.raises(RejectedInput, match="slice-taken"):
        assign(world.row, world.second, how=AssignedBy.HAND)
    give_back(taken)
    assert assign(world.row, world.second, how=AssignedBy.HAND).seat == 2
