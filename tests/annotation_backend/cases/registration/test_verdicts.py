"""Doubts about a registration: steps that they keep back, verdicts, registering again, and exclusions."""

import numpy as np
import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases import jobs
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, RedoState, RegistrationRedo, Slice, VerdictOfRegistration
from annotation_backend.cases.registration.export import export_case, export_cases
from annotation_backend.cases.registration.register import MOTIONS, PRESETS, register_cases, require_sound
from annotation_backend.cases.registration.verdicts import decide_registration, registrations
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.labeling.project.publish import publish
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.services import queue
from curation.registration.motion_search import Motion, Preset
from curation.registration.quality import Verdict
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, published, registered_case, saved, the_study

pytestmark = pytest.mark.django_db

MANAGERS = {Role.ADMINISTRATOR, Role.DATA_MANAGER}
JUDGES = MANAGERS | {Role.RADIOLOGIST}
CHECK = {"code": "edges", "value": 0.1, "limit": 0.3, "verdict": "look", "message": "Edges agree less than usual."}


@pytest.fixture
def case(people: dict[Role, User]) -> Case:
    return registered_case()


def _doubt(case: Case, verdict: str = "look") -> None:
    registration = case.registrations.get()
    registration.record["quality"] = {"verdict": verdict, "checks": [CHECK]}
    registration.verdict = registration.automatic_verdict = verdict
    registration.save()


def _address(case: Case) -> str:
    return page_at("registration-page", case.code)


def test_verdicts_presets_and_motions_are_those_of_curation() -> None:
    assert {verdict.value for verdict in Verdict} == set(VerdictOfRegistration.values) - {"left_out"}
    assert {preset.value for preset in Preset} == set(PRESETS)
    assert {motion.value for motion in Motion} == set(MOTIONS)


@pytest.mark.parametrize(("verdict", "code"), [("look", "registration-doubtful"), ("reject", "registration-rejected")])
def test_a_doubtful_case_is_neither_exported_nor_published_and_the_finding_says_where_to_look(
    case: Case, verdict: str, code: str
) -> None:
    _doubt(case, verdict)
    Slice.objects.all().delete()
    Case.objects.update(pictured_sha256="")
    report = export_cases(select_cases(None))
    assert report.pictures == {}
    assert [finding.code for finding in report.findings] == [code]
    assert _address(case) in report.findings[0].remedy
    with pytest.raises(RejectedInput, match=code):
        publish(case)


def test_a_persons_acceptance_lets_it_through_until_it_is_registered_again(
    case: Case, people: dict[Role, User]
) -> None:
    _doubt(case)
    given = decide_registration(
        case,
        people[Role.DATA_MANAGER],
        verdict=VerdictOfRegistration.ACCEPT,
        record_sha256=case.images_sha256,
    )
    fresh = Case.objects.get(pk=case.pk)
    require_sound(fresh)
    assert fresh.registrations.get().automatic_verdict == "look"
    assert given.person == people[Role.DATA_MANAGER]


def test_a_verdict_on_an_older_registration_or_without_a_reason_is_refused(
    case: Case, people: dict[Role, User]
) -> None:
    person = people[Role.RADIOLOGIST]
    with pytest.raises(RejectedInput, match="registration-superseded"):
        decide_registration(case, person, verdict=VerdictOfRegistration.ACCEPT, record_sha256="0" * 64)
    with pytest.raises(RejectedInput, match="comment-missing"):
        decide_registration(
            case,
            person,
            verdict=VerdictOfRegistration.REJECT,
            record_sha256=case.images_sha256,
            comment=" ",
        )
    assert case.registration_verdicts.count() == 0


def test_a_rejected_registration_takes_an_approved_mask_out_of_training_and_releases(
    mask,
    people: dict[Role, User],
) -> None:
    approve(mask, people[Role.RADIOLOGIST])
    assert len(approved_reviews()) == 1
    decide_registration(
        mask.case,
        people[Role.RADIOLOGIST],
        verdict=VerdictOfRegistration.REJECT,
        record_sha256=mask.case.images_sha256,
        comment="T1 shows the other leg.",
    )
    assert approved_reviews() == []


def test_an_excluded_case_goes_nowhere_but_its_page_until_it_is_taken_back(
    mask,
    client: Client,
    people: dict[Role, User],
) -> None:
    case = mask.case
    approve(mask, people[Role.RADIOLOGIST])
    exclude(case, reason="Twice the same patient.", person=people[Role.DATA_MANAGER])
    assert select_cases(None) == []
    assert queue(the_study()) == []
    assert approved_reviews() == []
    assert list(registrations(the_study(), "")) == []
    for refuses in (lambda: select_cases([case.code]), lambda: publish(case), lambda: export_case(case)):
        with pytest.raises(RejectedInput, match="case-excluded"):
            refuses()
    client.force_login(people[Role.DATA_MANAGER])
    for name in ("case-page", "registration-page"):
        assert "Twice the same patient." in client.get(page_at(name, case.code)).content.decode()
    assert "excluded" in client.get(page_at("case-list")).content.decode()
    take_back(case, person=people[Role.DATA_MANAGER])
    assert [one.code for one in select_cases(None)] == [case.code]
    assert len(approved_reviews()) == len(queue(the_study())) == 1
    ended = case.exclusions.get()
    assert (ended.reason, ended.ended_by) == ("Twice the same patient.", people[Role.DATA_MANAGER])


def test_exclusions_need_a_reason_and_happen_once(case: Case) -> None:
    with pytest.raises(RejectedInput, match="reason-missing"):
        exclude(case, reason=" ")
    with pytest.raises(RejectedInput, match="case-not-excluded"):
        take_back(case)
    exclude(case, reason="Cropped.")
    with pytest.raises(RejectedInput, match="case-excluded"):
        exclude(case, reason="Cropped.")


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    ("form", "allowed"),
    [
        ({"action": "judge", "verdict": "accept"}, JUDGES),
        ({"action": "redo", "preset": "fast", "motion": "rigid"}, MANAGERS),
        ({"action": "exclude", "reason": "Cropped."}, MANAGERS),
        ({"action": "take_back"}, MANAGERS),
    ],
    ids=lambda value: value.get("action") if isinstance(value, dict) else "",
)
def test_each_role_does_what_it_may_and_no_more(
    client: Client, case: Case, people: dict[Role, User], role: Role, form: dict[str, str], allowed: set[Role]
) -> None:
    if form["action"] == "take_back":
        exclude(case, reason="Cropped.")
    client.force_login(people[role])
    answer = client.post(_address(case), {**form, "record_sha256": case.images_sha256})
    assert answer.status_code == (302 if role in allowed else 403)
    done = {
        "judge": case.registration_verdicts.exists(),
        "redo": case.redos.exists(),
        "exclude": case.exclusions.exists(),
        "take_back": not case.exclusions.filter(ended__isnull=True).exists(),
    }
    assert done[form["action"]] == (role in allowed)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "dance"},
        {"action": "judge"},
        {"action": "judge", "verdict": "perfect"},
        {"action": "judge", "verdict": "reject"},
        {"action": "redo", "preset": "slow", "motion": "rigid"},
        {"action": "exclude", "reason": ""},
        {"action": "take_back"},
    ],
)
def test_a_form_that_is_wrong_is_answered_and_changes_nothing(
    client: Client, case: Case, people: dict[Role, User], form: dict[str, str]
) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    answer = client.post(_address(case), {**form, "record_sha256": case.images_sha256})
    assert answer.status_code == 409
    assert not case.registration_verdicts.exists()
    assert not case.redos.exists()
    assert not case.exclusions.exists()


def test_the_page_shows_checks_and_escapes_comments(client: Client, case: Case, people: dict[Role, User]) -> None:
    _doubt(case)
    client.force_login(people[Role.DATA_MANAGER])
    form = {"action": "judge", "verdict": "look", "comment": '<img src=x onerror="alert(1)">'}
    client.post(_address(case), {**form, "record_sha256": case.images_sha256})
    page = client.get(_address(case))
    content = page.content.decode()
    assert CHECK["message"] in content
    assert "<img src=x" not in content
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "<script>" not in content
    assert " style=" not in content


@pytest.mark.parametrize("asked", ["", "?slice=0", "?slice=99999", "?slice=-1", "?slice=٣", "?slice=9999999999999999"])
def test_any_slice_may_be_asked_for(client: Client, case: Case, people: dict[Role, User], asked: str) -> None:
    client.force_login(people[Role.ANNOTATOR])
    assert client.get(_address(case) + asked).status_code == 200


@pytest.mark.parametrize("kind", ["moving", "fixed", "checkerboard", "edges"])
def test_each_kind_of_picture_opens_and_none_beyond_the_last_slice(
    client: Client, case: Case, people: dict[Role, User], kind: str
) -> None:
    client.force_login(people[Role.ANNOTATOR])
    answer = client.get(page_at("registration-slice", case.code, "t1", kind, 4))
    assert answer.content.startswith(b"\x89PNG")
    assert client.get(page_at("registration-slice", case.code, "t1", kind, 5)).status_code == 404
    assert client.get(page_at("registration-slice", case.code, "t1", "nonsense", 0)).status_code == 404
    assert client.get(page_at("registration-slice", case.code, "t2", kind, 4)).status_code == 404, "T2 stayed"


def test_the_queue_lists_one_verdict_and_asks_as_often_for_many_cases_as_for_one(
    client: Client, case: Case, people: dict[Role, User], django_assert_num_queries
) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    _doubt(case)
    for number in range(2, 6):
        _doubt(registered_case(f"C{number:04d}"), "look" if number % 2 else "accept")
    with django_assert_num_queries(6):
        page = client.get(page_at("registration-queue")).content.decode()
    assert [code in page for code in ("C0001", "C0002", "C0003", "C0004", "C0005")] == [True, False, True, False, True]
    assert client.get(page_at("registration-queue") + "?verdict=nonsense").status_code == 404
    assert "C0002" in client.get(page_at("registration-queue") + "?verdict=accept").content.decode()


@pytest.mark.parametrize(("name", "queries"), [("case-list", 10), ("cohort-report", 16)])
def test_lists_ask_as_often_for_many_cases_as_for_one(
    client: Client, case: Case, people: dict[Role, User], django_assert_num_queries, name: str, queries: int
) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    for number in range(2, 6):
        registered_case(f"C{number:04d}")
    with django_assert_num_queries(queries):
        client.get(page_at(name))


def test_a_case_that_somebody_drew_on_is_not_registered_again(case: Case) -> None:
    task = published(case)[2]
    saved(task)
    before = case.images_sha256
    report = register_cases([case], again=True, workers=1)
    assert report.done == []
    assert [finding.code for finding in report.findings] == ["case-annotated"]
    assert Case.objects.get(pk=case.pk).registrations.get().record_sha256 == before


def test_a_job_that_fails_says_why_on_the_page_and_leaves_the_registration(
    client: Client, case: Case, people: dict[Role, User]
) -> None:
    for series in case.series.all():
        series.path.write_bytes(b"damaged")
    redo = RegistrationRedo.objects.create(case=case, preset="fast", motion="rigid", person=people[Role.DATA_MANAGER])
    before = case.images_sha256
    assert not jobs.register_again.func(redo_id=redo.pk)
    redo.refresh_from_db()
    assert redo.state == RedoState.FAILED
    assert redo.finding
    assert Case.objects.get(pk=case.pk).registrations.get().record_sha256 == before
    client.force_login(people[Role.DATA_MANAGER])
    assert "Failed" in client.get(_address(case)).content.decode()
    assert not jobs.register_again.func(redo_id=redo.pk)
    assert not jobs.register_again.func(redo_id=redo.pk + 1)


def test_pictures_of_a_new_registration_keep_their_addresses(case: Case) -> None:
    """The pictures are drawn anew from what the registration now shows; Label Studio's tasks need no change."""
    from annotation_backend.cases.registration.keep import keep_images
    from annotation_backend.cases.workers.images import StoredImages, StoredRegistration
    from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
    from datasets.formats.nifti import read_volume, write_volume
    from datasets.image.volume import Volume

    tokens = dict(case.slices.values_list("pk", "token"))
    digests = set(case.slices.values_list("sha256", flat=True))
    folder = case.folder / "moved"
    outputs = {}
    for role in ("t1", "t2"):
        volume = read_volume(case.folder / f"{role}.nii.gz")
        turned = Volume(np.ascontiguousarray(volume.data[::-1]), volume.grid)
        write_volume(folder / f"{role}.nii.gz", turned)
        outputs[role] = sha256_of_file(folder / f"{role}.nii.gz")
    (folder / "checkerboard.png").write_bytes(b"png")
    record = {"method": "turned", "transform": np.eye(4).tolist(), "outputs": outputs}
    digest = sha256_of_bytes(canonical_json(record))
    keep_images(case, StoredImages((StoredRegistration("t1", "t2", folder, "turned", record, digest),), ()))
    assert export_case(case) == len(tokens)
    assert dict(case.slices.values_list("pk", "token")) == tokens
    assert not digests & set(case.slices.values_list("sha256", flat=True))
    assert all(picture.path.exists() for picture in case.slices.all())
    assert export_case(case) == 0
