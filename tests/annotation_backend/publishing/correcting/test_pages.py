"""Pages of errata and withdrawals: who may do what, what a wrong form says, and what is not given away any more."""

import json

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Patient
from annotation_backend.publishing.correcting.errata import accept, report
from annotation_backend.publishing.correcting.withdrawing import withdraw_patient
from annotation_backend.publishing.models import Erratum, Release
from annotation_backend.publishing.services import publish_release
from annotation_backend.studies.models import Study
from datasets.release.correcting.errata_file import ErratumState
from tests.annotation_backend.publishing.correcting.conftest import Redrawn, said_of, version
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import registered_case, second_study, signed_in

pytestmark = pytest.mark.django_db

CODE = "sub-0002_ses-1"
FORM = {"case": CODE, "part": "mask", "label": "Tumour", "slices": "1, 3–4", "text": "Its lower\nedge is wrong."}


@pytest.fixture
def browsers(people: dict[Role, User]) -> dict[Role, Client]:
    return {role: signed_in(person) for role, person in people.items()}


def test_everybody_of_the_study_reports_and_a_data_manager_decides(
    first: Release, browsers: dict[Role, Client], people: dict[Role, User]
) -> None:
    address = page_at("erratum-report", first.pk)
    for number, (role, browser) in enumerate(browsers.items(), start=1):
        assert CODE in browser.get(address).content.decode()
        answer = browser.post(address, {**FORM, "text": f"Fault {number}."})
        assert answer.headers["Location"] == page_at("erratum-page", number), role
        page = browser.get(page_at("erratum-page", number)).content.decode()
        assert ("Accept or decline it" in page) == (role in (Role.DATA_MANAGER, Role.ADMINISTRATOR)), role
    for role, browser in browsers.items():
        start = browser.get(page_at("study")).content.decode()
        assert ("4 reported faults to decide on" in start) == (role in (Role.DATA_MANAGER, Role.ADMINISTRATOR)), role
    erratum = Erratum.objects.get(number=1)
    assert (erratum.slices, erratum.label, erratum.last_step.person) == (
        [1, 3, 4],
        "Tumour",
        people[Role.ADMINISTRATOR],
    )
    for role in (Role.RADIOLOGIST, Role.ANNOTATOR):
        for decision in ("accept", "decline"):
            answer = browsers[role].post(page_at("erratum-page", 1), {"decision": decision, "words": "x"})
            assert answer.status_code == 403
    manager = browsers[Role.DATA_MANAGER]
    assert manager.post(page_at("erratum-page", 1), {"decision": "accept", "words": "The edge."}).status_code == 302
    assert manager.post(page_at("erratum-page", 2), {"decision": "decline", "words": "It is right."}).status_code == 302
    assert [Erratum.objects.get(number=number).state for number in (1, 2)] == ["accepted", "declined"]
    listed = manager.get(page_at("erratum-list")).content.decode()
    assert listed.index(page_at("erratum-page", 4)) < listed.index(page_at("erratum-page", 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"case": "sub-0009_ses-1"}, "Select a valid choice"),
        ({"part": ""}, "This field is required"),
        ({"slices": "1, two"}, "no list of numbers"),
        ({"slices": "99999-0"}, ""),
        ({"slices": "400"}, "Expected slices below"),
        ({"text": ""}, "This field is required"),
        ({"text": "x" * 600}, "not one line of 1 to 500"),
        ({"text": "Ask jane@hospital.org"}, "e-mail address"),
        ({"text": "DOE^JANE"}, "Take the name out"),
        ({"text": "a\0b"}, "Null characters"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(
    first: Release, browsers: dict[Role, Client], changes: dict[str, str], said: str
) -> None:
    answer = browsers[Role.ANNOTATOR].post(page_at("erratum-report", first.pk), {**FORM, **changes})
    if not said:
        assert Erratum.objects.get().slices == [], "an empty run is no slice"
        return
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Erratum.objects.exists()


def test_a_second_decision_and_words_that_name_somebody_are_refused(
    study: Study, first: Release, browsers: dict[Role, Client]
) -> None:
    erratum, manager = report(study, said_of(first, CODE)), browsers[Role.DATA_MANAGER]
    address = page_at("erratum-page", 1)
    for words, status in (("", 400), ("Ask jane@hospital.org", 400), ("Right.", 302), ("Again.", 409)):
        assert manager.post(address, {"decision": "decline", "words": words}).status_code == status, words
    assert manager.post(address, {"words": "x"}).status_code == 400
    assert erratum.state is ErratumState.DECLINED
    assert manager.get(page_at("erratum-page", 99)).status_code == 404
    assert manager.get(page_at("erratum-page", 10**30)).status_code == 404


def test_the_page_of_a_release_tells_of_errata_and_gives_what_lies_beside(
    study: Study, first: Release, browsers: dict[Role, Client], redrawn: Redrawn
) -> None:
    reader = browsers[Role.ANNOTATOR]
    assert "Nobody has reported a fault" in reader.get(page_at("release-page", first.pk)).content.decode()
    empty = json.loads(reader.get(page_at("release-beside", first.pk, "errata")).content)
    assert (empty["errata"], empty["release_digest"]) == ([], first.digest)
    accept(report(study, said_of(first, CODE)))
    review = browsers[Role.RADIOLOGIST].get(page_at("review-case", "C0002")).content.decode()
    assert "A reader of tumours-1.0.0 found a fault on slice 2: The lower part is missing." in " ".join(review.split())
    redrawn("C0002")
    later = publish_release(study, version("1.0.1")).release
    answer = reader.get(page_at("release-beside", first.pk, "errata"))
    assert answer["Content-Disposition"] == 'attachment; filename="tumours-1.0.0.errata.json"'
    assert answer.content == first.path.with_name("tumours-1.0.0.errata.json").read_bytes()
    assert "corrected</span> in tumours-1.0.1" in reader.get(page_at("release-page", first.pk)).content.decode()
    picture = page_at("release-change", later.pk, f"{CODE}-label-1")
    for role, status in ((Role.RADIOLOGIST, 200), (Role.DATA_MANAGER, 200), (Role.ANNOTATOR, 403)):
        assert browsers[role].get(picture).status_code == status
        shown = browsers[role].get(page_at("release-page", later.pk)).content.decode()
        assert (picture in shown) == (status == 200)
    for kind in ("tombstone", "proof", "manifest", "t1"):
        assert reader.get(page_at("release-beside", later.pk, kind)).status_code == 404
    assert browsers[Role.RADIOLOGIST].get(page_at("release-change", later.pk, "t1")).status_code == 404


def test_a_damaged_release_takes_no_report(first: Release, browsers: dict[Role, Client]) -> None:
    (first.path / "manifest.json").write_bytes(b"{}")
    reader = browsers[Role.ANNOTATOR]
    assert reader.get(page_at("erratum-report", first.pk)).status_code == 409
    assert reader.get(page_at("release-beside", first.pk, "errata")).status_code == 404
    assert reader.get(page_at("release-page", first.pk)).status_code == 409


def test_a_data_manager_withdraws_and_what_holds_the_patient_is_given_away_no_more(
    study: Study, first: Release, browsers: dict[Role, Client]
) -> None:
    manager, address = browsers[Role.DATA_MANAGER], page_at("withdrawal-list")
    for role in (Role.RADIOLOGIST, Role.ANNOTATOR):
        assert browsers[role].get(address).status_code == 403
        assert browsers[role].post(address, {"patient": "P0002", "reason": "x", "is_meant": "on"}).status_code == 403
    form = {"patient": "P0002", "reason": "Wrote to us.", "is_meant": "on"}
    for changes, said in (
        ({"is_meant": ""}, "This field is required"),
        ({"reason": ""}, "This field is required"),
        ({"patient": "P0099"}, "no patient of this code"),
    ):
        answer = manager.post(address, {**form, **changes})
        assert answer.status_code == 400
        assert said in answer.content.decode()
    assert not Patient.objects.filter(withdrawal__isnull=False).exists()
    assert f"{address}?patient=P0002" in manager.get(page_at("patient-page", "P0002")).content.decode()
    assert manager.head(page_at("release-download", first.pk)).status_code == 200
    assert manager.post(address, form).status_code == 302
    shown = manager.get(address).content.decode()
    assert "Wrote to us." in shown
    assert page_at("release-page", first.pk) in shown
    assert "was withdrawn, for good" in manager.get(page_at("patient-page", "P0002")).content.decode()
    for name, number in (("release-download", ()), ("release-part", (1,)), ("release-patch", ())):
        refused = manager.get(page_at(name, first.pk, *number))
        assert refused.status_code == 410
        assert "release-withdrawn" in refused.content.decode()
    page = manager.get(page_at("release-page", first.pk)).content.decode()
    assert CODE in page
    assert "Download (ZIP)" not in page
    stone = manager.get(page_at("release-beside", first.pk, "tombstone"))
    assert stone.content == first.path.with_name("tumours-1.0.0.tombstone.json").read_bytes()
    later = publish_release(study, version("1.0.1")).release
    assert manager.head(page_at("release-download", later.pk)).status_code == 200
    assert json.loads(manager.get(page_at("release-beside", later.pk, "proof")).content)["proven"] is True
    assert manager.post(address, form).status_code == 400


def test_a_patient_of_another_study_is_unknown(study: Study, first: Release, browsers: dict[Role, Client]) -> None:
    other = registered_case("second-C0009", study=second_study()).patient
    form = {"patient": other.code, "reason": "x", "is_meant": "on"}
    assert browsers[Role.DATA_MANAGER].post(page_at("withdrawal-list"), form).status_code == 400
    withdraw_patient(other, reason="x")
    assert other.code not in browsers[Role.DATA_MANAGER].get(page_at("withdrawal-list")).content.decode()
