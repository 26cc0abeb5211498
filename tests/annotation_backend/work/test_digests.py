"""Daily e-mails: off by default, one a day, counts and links alone, none to who declined."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import follow, send_back
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work import digests
from annotation_backend.work.digests import send_digests
from annotation_backend.work.models import DigestChoice
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(settings: Any) -> Study:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return study_of("mstt-199-staged")


@pytest.fixture
def anna(study: Study) -> User:
    """An annotator with two pieces to do, one of which came back."""
    person = worker(study, Role.ANNOTATOR)
    worker(study, Role.ANNOTATOR, 2)
    worker(study, Role.RADIOLOGIST)
    for number in (1, 2):
        case = bare_case(study, number)
        follow(case, drawn([2]))
        last = assign(row_of(case, "adjacent"), person, [1], how=AssignedBy.CLAIM)
    hand_in(last)
    send_back(row_of(case, "review"), person=None, why="Frau Muster's left thigh")
    return person


def test_one_e_mail_a_day_says_counts_and_links_and_nothing_else(study: Study, anna: User, settings: Any) -> None:
    assert send_digests(dry_run=True) == 1
    assert mail.outbox == []
    assert send_digests() == 1
    [sent] = mail.outbox
    assert sent.to == [anna.email]
    assert f"{study}: 2 to do, 1 of them sent back" in sent.body
    assert settings.MASKLOOP_URL + page_of(study, "my-work") in sent.body
    assert "Muster" not in sent.body
    assert study.code("C", 1) not in sent.body
    assert send_digests() == 0
    DigestChoice.objects.update(sent_at=now() - timedelta(hours=21))
    assert send_digests() == 1


def test_who_declines_gets_none_until_they_ask_again(study: Study, anna: User, settings: Any) -> None:
    settings.SEND_DIGESTS = True
    browser = signed_in(anna)
    assert "Send me none" in browser.get(page_of(study, "my-work")).content.decode()
    browser.post(page_of(study, "my-work"), {"digests": "off"})
    assert send_digests() == 0
    assert "Send me one a day" in browser.get(page_of(study, "my-work")).content.decode()
    browser.post(page_of(study, "my-work"), {"digests": "on"})
    assert send_digests() == 1


def test_who_is_closed_or_has_nothing_to_do_gets_none(study: Study, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert send_digests() == 0


def test_it_is_off_by_default(study: Study, anna: User, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("send_digests", "--json")
    assert "digests-off" in capsys.readouterr().out
    assert digests.send_if_due() == 0
    assert "Send me none" not in signed_in(anna).get(page_of(study, "my-work")).content.decode()
    call_command("send_digests", "--dry-run")
    assert mail.outbox == []


def test_the_reconciler_sends_what_is_due_where_it_is_on(
    study: Study, anna: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEND_DIGESTS = True
    monkeypatch.setattr(digests, "looked_at", None)
    assert [digests.send_if_due() for _ in range(2)] == [1, 0]


def test_an_e_mail_that_did_not_go_goes_with_the_next_run(
    study: Study, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_words: object, **_more: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(digests, "send_mail", silent)
        with pytest.raises(ConnectionRefusedError):
            send_digests()
    assert send_digests() == 1
