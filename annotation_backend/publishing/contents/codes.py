"""What a study's patients and cases are called in its releases: codes given once, the same in every version.

The database's codes follow the order in which studies came in and stand on pages that only members see; a release's are
for strangers. A number is never given twice, also where its patient has left.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.publishing.models import ReleaseCode, ReleasedCase, ReleasePatient
from annotation_backend.studies.models import Study


def planned_codes(study: Study, cases: Sequence[Case]) -> dict[int, str]:
    """The codes that cases have, or would be given now, by the cases' keys; nothing is written down.

    Args:
        study: The cases' study.
        cases: In any order; new numbers follow the order of their own codes.
    """
    return {key: row.code for key, row in _rows(study, cases).items()}


def give_codes(study: Study, cases: Sequence[Case]) -> dict[int, str]:
    """The codes of cases by the cases' keys; those that have none are given one, for ever."""
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)  # two releases at once would give one number twice
        rows = _rows(study, cases)
        for row in rows.values():
            for new in (row.patient, row):
                if new._state.adding:
                    new.save()
    return {key: row.code for key, row in rows.items()}


def former_codes(cases: Sequence[Case]) -> Mapping[int, tuple[str, ...]]:
    """By the cases' keys: what releases that are there call them, but for the codes that they have now.

    Those are releases of schemas 1 and 2, whose codes were the database's.
    """
    now = {row.case_id: row.code for row in ReleaseCode.objects.filter(case__in=cases).select_related("patient")}
    found: dict[int, set[str]] = defaultdict(set)
    for case, code in ReleasedCase.objects.filter(case__in=cases).values_list("case", "code"):
        if code != now.get(case):
            found[case].add(code)
    return {case: tuple(sorted(codes)) for case, codes in found.items()}


def _rows(study: Study, cases: Sequence[Case]) -> dict[int, ReleaseCode]:
    """The rows of codes by the cases' keys; those that are not in the database yet have no key."""
    patients = {row.patient_id: row for row in ReleasePatient.objects.filter(study=study)}
    known = ReleaseCode.objects.filter(patient__study=study).select_related("patient")
    codes = {row.case_id: row for row in known if row.case_id is not None}
    newest = ReleasePatient.objects.filter(study=study).order_by("number").last()
    last_patient = newest.number if newest else 0
    last_case: dict[int, int] = defaultdict(int)
    for row in known:
        last_case[row.patient.number] = max(last_case[row.patient.number], row.number)
    for case in sorted(cases, key=lambda case: (case.patient.code, case.code)):
        if case.pk in codes:
            continue
        if case.patient_id not in patients:
            last_patient += 1
            patients[case.patient_id] = ReleasePatient(study=study, patient=case.patient, number=last_patient)
        patient = patients[case.patient_id]
        last_case[patient.number] += 1
        codes[case.pk] = ReleaseCode(patient=patient, case=case, number=last_case[patient.number])
    return {case.pk: codes[case.pk] for case in cases}
