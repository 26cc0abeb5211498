"""Decisions, withdrawals and builds at the same moment, on a database that threads share: each has one outcome."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case, Patient, Withdrawal
from annotation_backend.publishing.correcting.errata import accept, decline, report
from annotation_backend.publishing.correcting.withdrawing import WithdrawnPatient, withdraw_patient
from annotation_backend.publishing.models import Erratum, ErratumStep, Release
from annotation_backend.publishing.services import BuiltRelease, publish_release
from annotation_backend.review.models import VerdictEnd
from datasets.release.manifest_reading import read_manifest
from tests.annotation_backend.publishing.correcting.conftest import approved_case, said_of, version
from tests.annotation_backend.support.on_disk import at_once, database_on_disk, in_a_thread
from tests.annotation_backend.support.records import accounts, the_study

pytestmark = pytest.mark.django_db(transaction=True)

CODE = "sub-0002_ses-1"


@pytest.fixture(autouse=True)
def on_disk(tmp_path: Path, settings) -> Iterator[None]:
    settings.DATA_FOLDER = tmp_path / "data"
    people = accounts()
    for code in ("C0001", "C0002"):
        approved_case(code, people[Role.RADIOLOGIST])
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        yield


def _first() -> Release:
    return in_a_thread(lambda: publish_release(the_study(), version("1.0.0")).release)


def test_of_several_decisions_at_once_one_counts() -> None:
    first = _first()
    erratum = in_a_thread(lambda: report(the_study(), said_of(first, CODE)))
    outcomes = at_once(*[lambda: accept(erratum)] * 3, lambda: decline(erratum, words="It is right."))
    states = in_a_thread(lambda: [step.state for step in ErratumStep.objects.filter(erratum=erratum)])
    refused = [outcome for outcome in outcomes if outcome == "erratum-decided"]
    assert (states, len(refused)) in [
        (["reported", "accepted"], 3),
        (["reported", "declined"], 3),
        (["reported", "accepted", "declined"], 2),  # an accepted one may be declined after all
    ]
    assert in_a_thread(VerdictEnd.objects.count) == ("accepted" in states)


def test_two_reports_at_once_have_two_numbers() -> None:
    first = _first()
    outcomes = at_once(*(lambda text=text: report(the_study(), said_of(first, CODE, text=text)) for text in "abc"))
    assert sorted(outcome.number for outcome in outcomes) == [1, 2, 3]
    same = at_once(*[lambda: report(the_study(), said_of(first, CODE, text="The same."))] * 2)
    assert sorted(str(outcome) for outcome in same) == ["erratum 4", "erratum-known"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_version_that_is_built_while_a_patient_is_withdrawn_has_a_tombstone_or_is_without(number: int) -> None:
    first = _first()

    def leave() -> WithdrawnPatient:
        return withdraw_patient(Patient.objects.get(code="P0002"), reason="Wrote to us.")

    built, gone = at_once(lambda: publish_release(the_study(), version("1.0.1")), leave)
    assert isinstance(built, BuiltRelease)
    assert isinstance(gone, WithdrawnPatient)
    manifest = read_manifest((built.release.path / "manifest.json").read_bytes())
    holds = CODE in {case.case for case in manifest.cases}
    stone = built.release.path.with_name("tumours-1.0.1.tombstone.json").exists()
    proof = built.release.path.with_name("tumours-1.0.1.proof.json").exists()
    assert (manifest.withdrawn, stone, proof) == (((), True, False) if holds else ((CODE,), False, True))
    assert first.path.with_name("tumours-1.0.0.tombstone.json").exists()
    assert in_a_thread(Withdrawal.objects.count) == 1


def test_of_two_withdrawals_at_once_one_is_told_of_the_other() -> None:
    _first()

    def leave() -> object:
        return withdraw_patient(Patient.objects.get(code="P0002"), reason="Wrote to us.")

    outcomes = at_once(leave, leave)
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["patient-withdrawn"]
    exclusions = in_a_thread(lambda: Case.objects.get(code="C0002").exclusions.count())
    assert exclusions == 1


def test_an_erratum_that_is_accepted_while_the_next_version_is_built_leaves_one_of_both_first() -> None:
    first = _first()
    erratum = in_a_thread(lambda: report(the_study(), said_of(first, CODE)))
    built, _ = at_once(lambda: publish_release(the_study(), version("1.0.1")), lambda: accept(erratum))
    held = in_a_thread(lambda: sorted(built.release.held.values_list("code", flat=True)))
    assert held in (["sub-0001_ses-1"], ["sub-0001_ses-1", CODE])
    assert in_a_thread(lambda: Erratum.objects.get().state) == "accepted"
    assert in_a_thread(VerdictEnd.objects.count) == 1
