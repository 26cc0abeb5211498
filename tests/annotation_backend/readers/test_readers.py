"""Two blind readings, their agreement, the decision between them, and the verdicts of two reviewers."""

from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling import jobs
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import CorrectionKind, LabelingTask, TaskState
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.readers.adjudication.choices import Choices, read_choices
from annotation_backend.readers.adjudication.deciding import adjudicate
from annotation_backend.readers.adjudication.readings import Readings, open_adjudication, readings_for, volume_of
from annotation_backend.readers.jobs import compare_readings, prepare_adjudication, summarise_agreement
from annotation_backend.readers.models import PairAgreement, Proposals, StudyAgreement
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from annotation_backend.stages.flow import open_rows
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore
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
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db

ONE = {1: square(slice(4, 10), slice(4, 10)), 2: square(slice(4, 10), slice(4, 10))}
"""36 pixels on each of two slices."""

OTHER = {1: square(slice(4, 10), slice(4, 10)), 2: square(slice(4, 10), slice(7, 13))}
"""The same on the first slice; moved by three pixels on the second: half of it is the same."""


class World:
    """The study, its people, and a case that two of them read."""

    def __init__(self) -> None:
        self.study: Study = study_with(STAGES)
        self.first = person_of(self.study, "first", Role.ANNOTATOR, 51)
        self.second = person_of(self.study, "second", Role.ANNOTATOR, 52)
        self.judge = person_of(self.study, "judge", Role.RADIOLOGIST, 53)
        self.other_judge = person_of(self.study, "other", Role.RADIOLOGIST, 54)
        self.third_judge = person_of(self.study, "third", Role.RADIOLOGIST, 55)
        self.manager = person_of(self.study, "manager", Role.DATA_MANAGER, 56)
        self.case, self.tasks = published_case(self.study)
        self.row = opened(self.case)

    def both(self) -> None:
        """Both read the case and hand in."""
        read(self.first, self.row, ONE, number=600)
        read(self.second, self.row, OTHER, number=700)

    def page(self, person: User, name: str, *values: Any, **options: Any) -> Any:
        """A page of the study as a person gets it."""
        return signed_in(person).get(page_of(self.study, name, *values), options)

    def readings(self) -> Readings:
        """What is decided between."""
        row = open_adjudication(self.case)
        assert row is not None
        return readings_for(row)


@pytest.fixture
def world(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio
    return World()


def compared(world: World) -> list[PairAgreement]:
    compare_readings.call(row=world.row.pk)
    summarise_agreement.call(study=world.study.name)
    return list(PairAgreement.objects.filter(is_current=True, label="Tumour"))


def test_two_readings_are_compared_and_only_a_data_manager_sees_them_before_the_blind_stage_is_closed(
    world: World,
) -> None:
    read(world.first, world.row, ONE, number=600)
    assert compared(world) == []
    read(world.second, world.row, OTHER, number=700)
    [pair] = compared(world)
    assert pair.dice == pytest.approx(2 * (36 + 18) / 144)
    assert [figures[0] for _, figures in pair.slices] == pytest.approx([1.0, 0.5])
    assert pair.volume_ml == pytest.approx(72 * 4 / 1000)
    kept = StudyAgreement.objects.get(study=world.study).content
    assert kept["everything"]["masks"][0]["dice"]["value"] == pytest.approx(0.75)
    assert b"0.750" in world.page(world.judge, "agreement").content
    CaseStage.objects.filter(pk=world.row.pk).update(state="open", closed_at=None)
    summarise_agreement.call(study=world.study.name)
    assert b"0.750" not in world.page(world.judge, "agreement").content
    assert b"0.750" not in world.page(world.judge, "agreement-case", world.case.code).content
    assert world.page(world.judge, "agreement-csv").getvalue().count(b"\r\n") == 1
    assert b"0.750" in world.page(world.manager, "agreement").content
    csv = world.page(world.manager, "agreement-csv").getvalue().decode().splitlines()
    assert csv[1].startswith(f"{world.case.code},")
    assert [line.split(",")[7:9] for line in csv[1:4]] == [["", "0.75"], ["1", "1.0"], ["2", "0.5"]]
    assert world.page(world.first, "agreement").status_code == 403


def test_figures_follow_a_readers_newer_save(world: World) -> None:
    world.both()
    [before] = compared(world)
    save_of(world.second, world.tasks[2], ONE[2], number=702, at="11:00:00")
    assemble_case.call(case_code=world.case.code)
    [after] = compared(world)
    assert (after.pk != before.pk, after.dice) == (True, 1.0)
    assert PairAgreement.objects.filter(label="Tumour").count() == 2, "the former figures are kept"


def test_what_readers_draw_counts_for_nobody_until_somebody_decides(world: World) -> None:
    world.both()
    assert standing_of(world.case).mask is None
    assert [row.stage for row in open_rows(world.case)] == ["decide"]


def test_an_adjudicator_takes_one_mask_whole(world: World) -> None:
    world.both()
    readings = world.readings()
    correction = adjudicate(world.case, world.judge, Choices("2"), seen_sha256=readings.masks_sha256)
    assert (correction.kind, correction.author) == (CorrectionKind.ADJUDICATED, world.judge)
    assemble_case.call(case_code=world.case.code)
    mask = standing_of(world.case).mask
    assert mask is not None
    assert np.array_equal(volume_of(mask).data, volume_of(readings.masks[2]).data)
    assert [row.stage for row in open_rows(world.case)] == ["review"]
    assert set(LabelingTask.objects.filter(case=world.case).values_list("state", flat=True)) == {TaskState.ANNOTATED}


def test_regions_are_listed_and_merged_as_chosen(world: World) -> None:
    world.both()
    row = open_adjudication(world.case)
    assert row is not None
    prepare_adjudication.call(row=row.pk)
    regions = Proposals.objects.get().regions["Tumour"]
    assert [(one["voxels"], one["inside"], one["outside"]) for one in regions] == [
        (18, ["1"], ["2"]),
        (18, ["2"], ["1"]),
    ]
    page = world.page(world.judge, "adjudication", world.case.code)
    assert page.status_code == 200
    assert b"Reader 1" in page.content
    assert b"first@" not in page.content
    assert b"Annotator" not in page.content, "who a blind reader is"
    choices = Choices("regions", regions={(1, 1): "1", (1, 2): "outside"})
    assert read_choices(choices.word) == choices
    picture = world.page(world.judge, "adjudication-picture", world.case.code, "t2", 2, choices=choices.word)
    assert picture.status_code == 200
    form = {"action": "save", "seen": world.readings().masks_sha256, "region-1-1": "1", "region-1-2": "outside"}
    answer = signed_in(world.judge).post(page_of(world.study, "adjudication", world.case.code), form)
    assert answer.status_code == 302
    assemble_case.call(case_code=world.case.code)
    mask = standing_of(world.case).mask
    assert mask is not None
    assert np.count_nonzero(volume_of(mask).data) == 72
    assert PairAgreement.objects.count() == 0


@pytest.mark.parametrize(
    ("who", "code"), [("first", "stage-not-theirs"), ("manager", "stage-not-theirs"), ("judge", "seen-superseded")]
)
def test_whoever_may_not_or_has_not_seen_is_refused_by_name(world: World, who: str, code: str) -> None:
    world.both()
    with pytest.raises(RejectedInput) as refused:
        adjudicate(world.case, getattr(world, who), Choices("1"), seen_sha256="0")
    assert refused.value.code == code


def test_a_reader_does_not_decide_and_sees_no_other_mask(world: World) -> None:
    world.both()
    give_role(world.study, world.first, Role.RADIOLOGIST)
    with pytest.raises(RejectedInput) as refused:
        adjudicate(world.case, world.first, Choices("1"), seen_sha256=world.readings().masks_sha256)
    assert refused.value.code == "stage-drew-before"
    assert world.page(world.first, "adjudication", world.case.code).status_code == 403
    assert world.page(world.first, "adjudication-picture", world.case.code, "t2", 2).status_code == 404


def test_a_mask_that_changed_meanwhile_refuses_the_decision(world: World) -> None:
    world.both()
    seen = world.readings().masks_sha256
    save_of(world.second, world.tasks[2], ONE[2], number=702, at="11:00:00")
    form = {"action": "save", "seen": seen, "whole": "1"}
    answer = signed_in(world.judge).post(page_of(world.study, "adjudication", world.case.code), form)
    assert answer.status_code == 409
    assert b"seen-superseded" in answer.content
    assert standing_of(world.case).mask is None


def test_verdicts_of_several_are_listed_where_they_differ_once_all_are_in(world: World) -> None:
    world.both()
    adjudicate(world.case, world.judge, Choices("1"), seen_sha256=world.readings().masks_sha256)
    assemble_case.call(case_code=world.case.code)
    mask = standing_of(world.case).mask
    assert mask is not None
    words = {"accepts_unannotated": True}
    decide(
        mask,
        world.other_judge,
        verdict=Verdict.APPROVE,
        quality_score=QualityScore.EXCELLENT,
        comment="my word",
        **words,
    )
    assert b"my word" not in world.page(world.third_judge, "agreement").content
    own, others = (
        world.page(person, "review-case", world.case.code).content for person in (world.other_judge, world.third_judge)
    )
    assert b"my word" in own
    assert b"my word" not in others, "nobody sees a verdict before their own"
    assert b'name="verdict"' not in own
    assert b'name="verdict"' in others
    assert b"tag waiting" in world.page(world.third_judge, "review-queue").content
    decide(
        mask, world.third_judge, verdict=Verdict.RETURN, quality_score=QualityScore.INSUFFICIENT, comment="no", **words
    )
    summarise_agreement.call(study=world.study.name)
    content = world.page(world.third_judge, "agreement").content
    assert b"my word" in content
    assert b"verdicts differ" in content
    [scores] = StudyAgreement.objects.get(study=world.study).content["closed"]["scores"]
    assert (scores["masks"], scores["differing"], scores["pairs"][0]["both"]) == (1, 1, 1)


def test_the_agreement_page_asks_as_often_whatever_the_number_of_pairs(world: World) -> None:
    world.both()
    [pair] = compared(world)
    reader, address = signed_in(world.manager), page_of(world.study, "agreement")
    counts = []
    for labels in ("ab", "cdef"):
        PairAgreement.objects.bulk_create(
            PairAgreement(**{**PairAgreement.objects.filter(pk=pair.pk).values().get(), "id": None, "label": label})
            for label in labels
        )
        with CaptureQueriesContext(connection) as asked:
            reader.get(address)
        counts.append(len(asked))
    assert counts[0] == counts[1]
