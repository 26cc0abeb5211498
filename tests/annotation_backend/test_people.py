"""Accounts: the four first ones, and one more."""

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import create_first_accounts, create_person
from datasets.errors import RejectedInput

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
