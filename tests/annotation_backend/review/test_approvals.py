"""An approval is bound to what was looked at: changes that end it, and that it is checked before each use."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, Registration, Slice, VerdictOfRegistration
from annotation_backend.cases.registration import export
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.verdicts import decide_registration
from annotation_backend.cases.signals import shown_changed
from annotation_backend.cases.workers.images import ExportTask, StoredPictures
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.signals import saves_settled
from annotation_backend.labeling.upkeep import cases_behind
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.publishing.contents.selection import select
from annotation_backend.publishing.contents.versions import releases_folder
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.services import publish_release, release_case
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.models import EndReason, Review, Verdict, VerdictEnd, approved_review
from annotation_backend.review.services import decide, queue
from datasets.errors import RejectedInput
from datasets.release.build import ReleaseSettings
from datasets.study.case import QualityScore
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import (
    published,
    register_otherwise,
    registered_case,
    save_body,
    saved,
    the_study,
)

pytestmark = pytest.mark.django_db

SETTINGS = ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0")


@pytest.fixture
def task(people: dict[Role, User], tmp_path: Path, settings) -> LabelingTask:
    settings.DATA_FOLDER = tmp_path
    return published(registered_case())[2]


@pytest.fixture
def approval(task: LabelingTask, people: dict[Role, User]) -> Review:
    saved(task)
    return _approved(task.case, people)


def _approved(case: Case, people: dict[Role, User], **changes: object) -> Review:
    mask = assemble(case)
    assert mask is not None
    return _decided(mask, people, **changes)


def _decided(mask: CaseMask, people: dict[Role, User], **changes: object) -> Review:
    choices = {"verdict": Verdict.APPROVE, "quality_score": QualityScore.EXCELLENT, "accepts_unannotated": True}
    return decide(mask, people[Role.RADIOLOGIST], **{**choices, **changes})  # type: ignore[arg-type]


def _delete(*saves: Annotation) -> None:
    """As reconciliation does it when Label Studio has these annotations no more."""
    from annotation_backend.labeling.saves.store import mark_deleted

    mark_deleted(Annotation.objects.filter(pk__in=[save.pk for save in saves]))


def _page(client: Client, people: dict[Role, User], name: str, *args: str) -> str:
    client.force_login(people[Role.RADIOLOGIST])
    return " ".join(client.get(page_at(name, *args)).content.decode().split())


def test_an_approval_keeps_by_digest_all_that_was_looked_at(approval: Review) -> None:
    case, mask = approval.mask.case, approval.mask
    assert approval.seen["registration"] == case.images_sha256 == approval.seen["pictured"]
    assert approval.seen["images"] == case.registrations.get().record["outputs"]
    assert (approval.seen["mask"], approval.seen["mask_inputs"]) == (mask.sha256, mask.inputs_sha256)
    [save] = mask.annotations.all()
    assert approval.seen["saves"] == [[2, 7, save.content_sha256, 4, 4]]
    assert len(approval.seen["pictures"]) == len(approval.seen_sha256) == 64


def test_deleting_all_annotations_ends_the_approval_and_is_no_way_to_register_again(
    approval: Review, people: dict[Role, User], client: Client
) -> None:
    case = approval.mask.case
    before = case.images_sha256
    _delete(*Annotation.objects.all())
    assert approved_review(case) is None
    assert VerdictEnd.objects.get(review=approval).reason == EndReason.SAVES
    report = register_cases([Case.objects.get()], again=True, workers=1)
    assert [finding.code for finding in report.findings] == ["case-annotated"]
    assert "Delete" not in report.findings[0].remedy
    with pytest.raises(RejectedInput, match="case-annotated"):
        register_otherwise(case)
    assert Registration.objects.get().record_sha256 == before
    assert all(image.path.exists() for image in case.images.all())
    with pytest.raises(RejectedInput, match="nothing-approved"):
        select(the_study())
    for page in (_page(client, people, "review-queue"), _page(client, people, "case-page", case.code)):
        assert re.search(r"pproval ended on \d+ \w+ \d{4}, \d\d:\d\d: what was drawn has changed", page)


def test_another_registration_ends_an_approval_and_its_mask_stands_no_more(
    approval: Review, people: dict[Role, User], client: Client
) -> None:
    """No command replaces a registration under a drawing; a restored data folder may."""
    case = approval.mask.case
    Registration.objects.update(record_sha256="f" * 64)
    Case.objects.update(images_sha256="f" * 64)
    assert approved_review(case) is None
    assert approved_reviews() == []
    assert VerdictEnd.objects.get().reason == EndReason.REGISTRATION
    assert standing_of(case).mask is None
    assert cases_behind() == {case.code}
    with pytest.raises(RejectedInput, match="pictures-behind"):
        _decided(approval.mask, people)
    assert "manage.py export_slices --case C0001" in _page(client, people, "review-case", case.code)
    assert export_case(Case.objects.get())
    with pytest.raises(RejectedInput, match="mask-behind"):
        _decided(approval.mask, people)
    anew = assemble(Case.objects.get())
    assert anew is not None
    assert anew != approval.mask
    assert approved_review(Case.objects.get()) is None
    assert _decided(anew, people).mask == anew


def test_a_save_while_others_are_registered_keeps_the_registration(task: LabelingTask) -> None:
    """The rule is asked before the computing, and again at its effect."""
    case = task.case
    before = case.registrations.get()

    def drawn_meanwhile() -> None:
        saved(task)
        register_otherwise(case)

    assert not case.is_annotated
    with pytest.raises(RejectedInput, match="case-annotated"):
        drawn_meanwhile()
    assert Registration.objects.get().record_sha256 == before.record_sha256
    assert not (case.folder / "registration" / "otherwise").exists()


@pytest.mark.parametrize("outcome", ["otherwise", "unknown"])
def test_a_save_that_label_studio_denied_keeps_nobody_from_registering(task: LabelingTask, outcome: str) -> None:
    from annotation_backend.labeling.models import ConfirmationOutcome
    from annotation_backend.labeling.saves.confirm import note

    receive({"action": "ANNOTATION_CREATED", "annotation": save_body(task)})
    assert Case.objects.get().is_annotated
    note(Annotation.objects.get(), ConfirmationOutcome(outcome))
    assert not Case.objects.get().is_annotated


def test_a_skip_without_a_region_is_no_drawing(task: LabelingTask) -> None:
    saved(task, was_cancelled=True, result=[])
    assert not task.case.is_annotated
    saved(task, was_cancelled=True, updated_at="2026-11-21T11:00:00Z")
    assert task.case.is_annotated


def test_pictures_of_an_earlier_registration_do_not_come_after_a_later_one(
    task: LabelingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_otherwise(Case.objects.get(), "first")
    shown = Case.objects.get().pictured_sha256
    draw = export.export_pictures

    def drawn_too_late(asked: ExportTask) -> StoredPictures:
        pictures = draw(asked)
        register_otherwise(Case.objects.get(), "second")
        return pictures

    monkeypatch.setattr(export, "export_pictures", drawn_too_late)
    with pytest.raises(RejectedInput, match="registration-superseded"):
        export_case(Case.objects.select_related("study").get())
    assert Case.objects.get().pictured_sha256 == shown
    assert Case.objects.get().pictured_sha256 != Registration.objects.get().record_sha256


def test_the_mask_that_counts_again_after_a_deletion_takes_a_verdict(
    task: LabelingTask, people: dict[Role, User], client: Client
) -> None:
    saved(task)
    first = assemble(task.case)
    later = saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    second = assemble(task.case)
    assert first is not None
    assert second is not None
    _delete(later)
    assert assemble(task.case) == first
    assert f'name="mask" value="{first.pk}"' in _page(client, people, "review-case", "C0001")
    assert [entry.mask for entry in queue(the_study())] == [first]
    with pytest.raises(RejectedInput, match="mask-superseded"):
        _decided(second, people)
    assert _decided(first, people).mask == first
    assert [entry.is_waiting for entry in queue(the_study())] == [False]


def test_a_mask_that_counts_again_after_its_approval_ended_takes_another_verdict(
    approval: Review, people: dict[Role, User]
) -> None:
    case = approval.mask.case
    later = saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    assert VerdictEnd.objects.get().review == approval
    _delete(later)
    assert standing_of(case).mask == approval.mask
    assert approved_review(case) is None
    assert [entry.is_waiting for entry in queue(the_study())] == [True]
    again = _decided(approval.mask, people)
    assert approved_review(case) == again


def test_a_new_save_ends_the_approval_at_once_and_sends_the_case_back(
    approval: Review, people: dict[Role, User]
) -> None:
    def states() -> list[str]:
        return list(LabelingTask.objects.order_by("slice_index").values_list("state", flat=True))

    assert states() == ["pending", "pending", "approved", "pending", "pending"]
    saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    assert states() == ["pending", "pending", "annotated", "annotated", "pending"]
    assert approved_reviews() == []
    with pytest.raises(RejectedInput, match="mask-behind"):
        _decided(approval.mask, people)


def test_a_save_that_only_a_webhook_vouches_for_ends_no_approval(approval: Review, people: dict[Role, User]) -> None:
    other = LabelingTask.objects.get(slice_index=3)
    receive({"action": "ANNOTATION_CREATED", "annotation": save_body(other, identifier=8)})
    assert approved_review(approval.mask.case) == approval
    assert not VerdictEnd.objects.exists()


def test_a_return_ends_with_the_next_save_and_its_other_slices_stay_returned(
    task: LabelingTask, people: dict[Role, User]
) -> None:
    saved(task)
    other = LabelingTask.objects.get(slice_index=3)
    saved(other, identifier=8)
    mask = assemble(task.case)
    assert mask is not None
    returned = _decided(mask, people, verdict=Verdict.RETURN, comment="The lower border.")
    saved(task, updated_at="2026-11-21T11:00:00Z")
    assert VerdictEnd.objects.get().review == returned
    other.refresh_from_db()
    assert (other.state, other.review_comment) == (TaskState.RETURNED, "The lower border.")


def test_another_tissue_type_ends_the_approval_of_what_was_drawn_on_the_other_sequence(approval: Review) -> None:
    case = approval.mask.case
    Case.objects.update(tissue_type="fat")
    assert approved_reviews() == []
    assert VerdictEnd.objects.get().reason == EndReason.SEQUENCE
    shown_changed.send(sender=Case, case=case)
    assert VerdictEnd.objects.count() == 1


def test_a_picture_that_was_drawn_anew_ends_the_approval(approval: Review) -> None:
    Slice.objects.filter(index=2, role="t2").update(sha256="0" * 64)
    saves_settled.send(sender=Case, case=approval.mask.case)
    assert VerdictEnd.objects.get().reason == EndReason.PICTURES


def test_a_page_that_was_loaded_before_a_change_cannot_approve_after_it(
    task: LabelingTask, people: dict[Role, User], client: Client
) -> None:
    saved(task)
    assemble(task.case)
    page = _page(client, people, "review-case", "C0001")
    fields = {name: re.findall(rf'name="{name}" value="(\w+)"', page)[0] for name in ("mask", "seen")}
    form = {**fields, "verdict": "approve", "quality_score": "excellent", "accepts_unannotated": "on"}
    Slice.objects.filter(index=2, role="t1").update(sha256="0" * 64)
    address = page_at("review-case", "C0001")
    refused = client.post(address, form)
    assert refused.status_code == 409
    assert "have changed since the page was loaded" in refused.content.decode()
    assert f"?v={fields['seen'][:16]}" not in refused.content.decode()
    fresh = re.findall(r'name="seen" value="(\w+)"', refused.content.decode())[0]
    assert client.post(address, {**form, "seen": fresh}).status_code == 302


def test_an_empty_form_is_answered(task: LabelingTask, people: dict[Role, User], client: Client) -> None:
    saved(task)
    assemble(task.case)
    client.force_login(people[Role.RADIOLOGIST])
    assert client.post(page_at("review-case", "C0001")).status_code == 400


def test_an_excluded_case_takes_no_verdict(task: LabelingTask, people: dict[Role, User], client: Client) -> None:
    saved(task)
    exclude(task.case, reason="Another patient.")
    for changes in ({}, {"verdict": Verdict.RETURN, "comment": "x"}):
        with pytest.raises(RejectedInput, match="case-excluded"):
            _approved(task.case, people, **changes)
    page = _page(client, people, "review-case", "C0001")
    assert "C0001 is excluded: Another patient." in page
    assert 'value="approve"' not in page
    take_back(task.case)
    assert approved_reviews() == []
    assert _approved(task.case, people)


@pytest.mark.parametrize(("verdict", "code"), [("reject", "registration-rejected"), ("look", "registration-doubtful")])
def test_a_case_whose_registration_is_in_doubt_takes_no_verdict(
    task: LabelingTask, people: dict[Role, User], verdict: str, code: str
) -> None:
    saved(task)
    judge, record = people[Role.DATA_MANAGER], task.case.images_sha256
    decide_registration(
        task.case, judge, verdict=VerdictOfRegistration(verdict), record_sha256=record, comment="Does not fit."
    )
    with pytest.raises(RejectedInput, match=code):
        _approved(task.case, people)
    decide_registration(task.case, judge, verdict=VerdictOfRegistration.ACCEPT, record_sha256=record)
    assert approved_reviews() == []
    assert _approved(task.case, people)


@pytest.fixture
def three(approval: Review, people: dict[Role, User]) -> list[Review]:
    reviews = [approval]
    for number in (2, 3):
        task = published(registered_case(f"C000{number}"), first_task=1000 * number)[2]
        saved(task, identifier=number * 10)
        reviews.append(_approved(task.case, people))
    return reviews


def test_cases_that_are_excluded_returned_or_drawn_on_while_a_release_is_built_are_not_in_it(
    three: list[Review], people: dict[Role, User]
) -> None:
    changes = [
        lambda: exclude(three[0].mask.case, reason="Consent withdrawn."),
        lambda: saved(LabelingTask.objects.get(case__code="C0002", slice_index=3), identifier=99),
    ]

    def meanwhile(done: int, _total: int) -> None:
        if changes and done == 2:
            changes.pop(0)()

    built = publish_release(the_study(), SETTINGS, progress_of=lambda: meanwhile)
    assert [case.code for case in built.release.cases.all()] == ["C0003"]
    assert [(finding.code, finding.subject) for finding in built.findings] == [
        ("case-left", "C0001"),
        ("case-left", "C0002"),
    ]
    assert "it was excluded: Consent withdrawn." in built.findings[0].message
    assert "what was drawn has changed" in built.findings[1].message
    files = [path for path in built.release.path.rglob("*") if path.is_file()]
    names = [str(path.relative_to(built.release.path)) for path in files]
    assert {found for name in names for found in re.findall(r"sub-\d+", name)} == {"sub-0003"}
    plain = {
        name: path.read_bytes() for name, path in zip(names, files, strict=True) if path.suffix not in (".gz", ".py")
    }
    assert {name for name, content in plain.items() if re.search(rb"C000\d|sub-000[12]", content)} == set()
    assert built.report.findings == ()


def test_a_release_names_both_saves_whose_annotations_have_one_number(
    task: LabelingTask, people: dict[Role, User]
) -> None:
    other = LabelingProject.objects.create(label_studio_id=2, title="Made anew", study=the_study())
    sibling = LabelingTask.objects.get(case=task.case, slice_index=4)
    sibling.project = other
    sibling.save()
    first, second = saved(task), saved(sibling, updated_at="2026-11-21T11:00:00.000001Z")
    _approved(task.case, people)
    [review] = approved_reviews()
    case = release_case(review, "sub-0001_ses-1")
    found = {name: digest for name, digest in case.sources.items() if name.startswith("annotation_")}
    assert found == {"annotation_7_slice_2": first.content_sha256, "annotation_7_slice_4": second.content_sha256}


def test_a_registration_that_somebody_doubts_again_takes_its_case_out_until_it_is_accepted(
    approval: Review, people: dict[Role, User], client: Client
) -> None:
    case = approval.mask.case
    client.force_login(people[Role.RADIOLOGIST])
    for verdict, approved in ((VerdictOfRegistration.LOOK, []), (VerdictOfRegistration.ACCEPT, [approval])):
        decide_registration(
            case,
            people[Role.DATA_MANAGER],
            verdict=verdict,
            record_sha256=case.images_sha256,
            comment="Is the edge right?",
        )
        assert approved_reviews() == approved
        assert approved_reviews([case.code]) == approved
        assert approved_reviews(["C0009"]) == []
        page = client.get(page_at("case-page", case.code)).content.decode()
        assert "Approved on" in page
        assert ("not counted now: its registration waits for a person" in page) == (not approved)
        assert ('<p class="message success">Approved on' in page) == bool(approved), "green only while it counts"


def test_a_release_whose_cases_all_leave_is_not_frozen_and_leaves_nothing(approval: Review) -> None:
    def meanwhile(_done: int, _total: int) -> None:
        if approval.mask.case.exclusion is None:
            exclude(Case.objects.get(), reason="Consent withdrawn.")

    with pytest.raises(RejectedInput, match="approvals-changed"):
        publish_release(the_study(), SETTINGS, progress_of=lambda: meanwhile)
    assert not Release.objects.exists()
    assert [path.name for path in releases_folder(the_study()).iterdir() if path.is_dir()] == []


def test_a_folder_is_not_left_without_its_record(approval: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the record is written."""

    def full(*_values: object, **_words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Release.objects, "update_or_create", full)
    with pytest.raises(OSError, match="No space"):
        publish_release(the_study(), SETTINGS)
    assert [path.name for path in releases_folder(the_study()).iterdir() if path.is_dir()] == []


def test_a_damaged_mask_is_refused_with_what_brings_it_back(three: list[Review]) -> None:
    mask = three[1].mask
    content = bytearray(mask.path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    mask.path.write_bytes(content)
    with pytest.raises(RejectedInput, match="stored-file-changed") as refusal:
        publish_release(the_study(), SETTINGS)
    assert f"Mask {mask.pk} of {mask.case.code}" in refusal.value.message
    assert "check_data --mend" in refusal.value.remedy


@pytest.mark.slow
def test_a_later_version_names_the_cases_that_were_excluded_since_as_withdrawn(three: list[Review]) -> None:
    publish_release(the_study(), SETTINGS)
    exclude(three[1].mask.case, reason="Consent withdrawn.")
    later = publish_release(the_study(), replace(SETTINGS, version="1.1.0"))
    assert [case.code for case in later.release.cases.all()] == ["C0001", "C0003"]
    card = (later.release.path / "README.md").read_text(encoding="utf-8")
    assert "withdrawn and must not be used any more:\n\n- sub-0002_ses-1" in card
    take_back(three[1].mask.case)
    last = publish_release(the_study(), replace(SETTINGS, version="1.2.0")).release
    assert "must not be used any more" not in (last.path / "README.md").read_text(encoding="utf-8")


def test_a_release_without_a_record_is_named_and_recorded_by_building_it_again(approval: Review) -> None:
    """A build was killed after its folder was moved in and before its record was kept."""
    publish_release(the_study(), SETTINGS)
    Release.objects.all().delete()
    other = publish_release(the_study(), replace(SETTINGS, version="2.0.0"))
    assert [finding.code for finding in other.findings] == ["release-unrecorded"]
    assert "tumours-1.0.0" in other.findings[0].message
    assert publish_release(the_study(), SETTINGS).findings == ()


def test_while_the_mask_of_newer_saves_is_missing_the_page_says_so(
    task: LabelingTask, people: dict[Role, User], client: Client
) -> None:
    """The worker is stopped, or cannot write masks."""
    saved(task)
    page = _page(client, people, "review-case", "C0001")
    assert "a worker puts them together into a mask." in page
    assert "No slice of this case" not in page
    assemble(task.case)
    saved(task, updated_at="2026-11-21T11:00:00Z")
    assert "being put together" in _page(client, people, "review-queue")
