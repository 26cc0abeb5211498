"""Accounts: the four first ones, one more, and who is who in Label Studio."""

from typing import Any

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import create_first_accounts, create_person
from annotation_backend.labeling import people
from annotation_backend.labeling.assembly import current_saves
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.people import ensure_people
from datasets.errors import RejectedInput
from tests.annotation_backend.records import accounts, published, registered_case, saved

pytestmark = pytest.mark.django_db


def test_one_account_for_each_role_made_once() -> None:
    assert len(create_first_accounts()) == 4
    assert create_first_accounts() == []
    assert set(User.objects.values_list("role", flat=True)) == set(Role.values)


def test_a_new_person_signs_in_with_the_drawn_password() -> None:
    person, password = create_person("second@hospital.org", Role.RADIOLOGIST)
    assert person.check_password(password)
    assert password not in person.password
    assert person.has_role(Role.RADIOLOGIST)


@pytest.mark.parametrize(("email", "code"), [("nobody", "email"), ("Second@hospital.org", "account-exists")])
def test_a_bad_or_taken_address_is_refused(email: str, code: str) -> None:
    create_person("second@hospital.org", Role.RADIOLOGIST)
    with pytest.raises(RejectedInput, match=rf"\[{code}\]"):
        create_person(email, Role.ANNOTATOR)


def _in_label_studio(monkeypatch: pytest.MonkeyPatch, numbers: dict[str, int]) -> None:
    """Has Label Studio list these people, and nothing else asked."""
    listed = [{"email": email, "id": number} for email, number in numbers.items()]

    def call(_method: str, path: str, **_options: Any) -> Any:
        assert path == "/api/users/"
        return listed

    monkeypatch.setattr(people, "call", call)
    monkeypatch.setattr(people, "sign_up", lambda *_words: None)
    monkeypatch.setattr(people, "ensure_tabs", lambda _project: 0)


def test_who_left_label_studio_stays_the_author_of_what_they_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    task = published(registered_case())[2]
    saved(task)
    _in_label_studio(monkeypatch, {"Deleted": 4})
    assert ensure_people() == []
    known[Role.ANNOTATOR].refresh_from_db()
    assert known[Role.ANNOTATOR].label_studio_id == 4
    assert current_saves(task.case)[2] is not None


def test_an_address_is_the_same_in_capitals_and_what_was_drawn_before_counts_once_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts()
    emil, _ = create_person("Emil@X.org", Role.ANNOTATOR)
    task = published(registered_case())[2]
    saved(task, person=17)
    assert current_saves(task.case)[2] is None
    _in_label_studio(monkeypatch, {"emil@x.ORG": 17})
    assert ensure_people() == []
    emil.refresh_from_db()
    assert emil.label_studio_id == 17
    assert current_saves(task.case)[2] is not None
    assert LabelingTask.objects.get(pk=task.pk).state == TaskState.ANNOTATED


def test_a_number_that_was_noted_goes_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    annotator, radiologist = known[Role.ANNOTATOR], known[Role.RADIOLOGIST]
    _in_label_studio(monkeypatch, {annotator.email: 3, radiologist.email: 4})
    findings = ensure_people()
    assert [finding.code for finding in findings] == ["label-studio-number", "label-studio-number"]
    assert not any("@" in str(finding) for finding in findings)
    numbers = dict(User.objects.values_list("role", "label_studio_id"))
    assert (numbers[Role.RADIOLOGIST], numbers[Role.ANNOTATOR]) == (3, 4)
