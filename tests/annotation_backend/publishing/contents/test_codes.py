"""Codes of patients and cases in releases: given once, never again, the same in every version."""

import pytest

from annotation_backend.cases.models import Case, Patient
from annotation_backend.publishing.contents.codes import former_codes, give_codes, planned_codes
from annotation_backend.publishing.models import Release, ReleaseCode, ReleasedCase, ReleasePatient
from annotation_backend.studies.models import Study
from tests.annotation_backend.support.records import second_study

pytestmark = pytest.mark.django_db


def _case(study: Study, code: str, patient: str) -> Case:
    owner, _ = Patient.objects.get_or_create(study=study, code=patient, defaults={"pseudonym": patient})
    return Case.objects.create(study=study, code=code, patient=owner, source_sha256=code)


@pytest.fixture
def cases(study: Study) -> list[Case]:
    """Four cases of three patients, in another order than their codes'."""
    return [_case(study, code, patient) for code, patient in _ROWS]


_ROWS = (("C0004", "P0002"), ("C0001", "P0003"), ("C0003", "P0001"), ("C0002", "P0002"))
_CODES = ["sub-0002_ses-2", "sub-0003_ses-1", "sub-0001_ses-1", "sub-0002_ses-1"]


def _of(codes: dict[int, str], cases: list[Case]) -> list[str]:
    return [codes[case.pk] for case in cases]


def test_codes_follow_patients_and_their_cases_and_planning_writes_nothing(study: Study, cases: list[Case]) -> None:
    assert _of(planned_codes(study, cases), cases) == _CODES
    assert not ReleasePatient.objects.exists()
    assert _of(give_codes(study, cases), cases) == _CODES
    assert (ReleasePatient.objects.count(), ReleaseCode.objects.count()) == (3, 4)


def test_codes_stay_whatever_comes_in_and_in_whatever_order_they_are_asked_for(study: Study, cases: list[Case]) -> None:
    given = give_codes(study, cases[:2])
    assert _of(given, cases[:2]) == ["sub-0001_ses-1", "sub-0002_ses-1"]
    newcomer = _case(study, "C0000", "P0000")
    later = give_codes(study, [newcomer, *cases[::-1]])
    assert {key: later[key] for key in given} == given
    assert _of(later, [cases[2], cases[3], newcomer]) == ["sub-0004_ses-1", "sub-0001_ses-2", "sub-0003_ses-1"]
    assert planned_codes(study, cases[:1]) == {cases[0].pk: "sub-0001_ses-1"}
    assert give_codes(study, [newcomer, *cases]) == later


def test_a_number_is_given_to_nobody_else_when_its_patient_or_case_is_gone(study: Study, cases: list[Case]) -> None:
    give_codes(study, cases)
    cases[0].delete()
    cases[1].delete()
    Patient.objects.get(code="P0003").delete()
    newcomers = [_case(study, "C0005", "P0002"), _case(study, "C0006", "P0004")]
    assert _of(give_codes(study, newcomers), newcomers) == ["sub-0002_ses-3", "sub-0004_ses-1"]


def test_studies_count_for_themselves(study: Study, cases: list[Case]) -> None:
    give_codes(study, cases)
    other = second_study()
    case = _case(other, "S0001", "SP0001")
    assert give_codes(other, [case]) == {case.pk: "sub-0001_ses-1"}


def test_former_codes_are_those_that_other_releases_used(study: Study, cases: list[Case]) -> None:
    give_codes(study, cases)
    for version, codes in (("1.0.0", ["C0004", "C0001"]), ("2.0.0", _CODES)):
        release = Release.objects.create(study=study, name="a", version=version, digest="0" * 64, folder=version)
        rows = zip(cases, codes, strict=False)
        ReleasedCase.objects.bulk_create(ReleasedCase(release=release, case=case, code=code) for case, code in rows)
    assert former_codes(cases) == {cases[0].pk: ("C0004",), cases[1].pk: ("C0001",)}
    assert former_codes(cases[2:]) == {}
