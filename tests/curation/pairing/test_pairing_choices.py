"""A person's choice of series overrides the points, and all series considered are reported in safe words."""

import json
from dataclasses import replace
from pathlib import Path

from curation.pairing.pairing import pair_series
from curation.scanning.scan import scan_folder
from datasets.finding import Level
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import (
    T1,
    T2,
    codes,
    edit,
    pairing_of,
    references,
    write,
)


def test_a_person_decides_a_tie_for_good(tmp_path: Path) -> None:
    again = replace(T1, description="AX T1 repeated")
    for protocol in (T1, again, T2):
        write(tmp_path, protocol)
    reference = references(tmp_path)[again.description]
    pairing = pair_series(
        scan_folder(tmp_path, protocol=MSTT),
        choices={"CANARY-1": {"t1": reference}, "nobody": {}},
        protocol=MSTT,
    )
    (pair,) = pairing.pairs
    assert pairing.findings == ()
    assert pair.chosen["t1"].series.evidence.series_description == again.description
    assert (pair.chosen["t1"].is_by_person, pair.chosen["t2"].is_by_person) == (True, False)
    assert pair.chosen["t1"].reasons[0] == "chosen by a person"
    assert pair.chosen["t1"].as_dict()["chosen_by"] == "person"
    assert pair.chosen["t1"].runner_up == references(tmp_path)[T1.description]


def test_a_person_may_choose_what_the_rules_refuse_but_no_unsound_stack(tmp_path: Path) -> None:
    enhanced = replace(T1, description="AX T1 GD", scan_options="FS")
    write(tmp_path, T2)
    home = write(tmp_path, enhanced)
    edit(home, lambda dataset: setattr(dataset, "ContrastBolusAgent", "Gadovist"))
    choices = {"CANARY-1": {"t1": references(tmp_path)[enhanced.description]}}
    (pair,) = pair_series(scan_folder(tmp_path, protocol=MSTT), choices=choices, protocol=MSTT).pairs
    assert [finding.code for finding in pair.findings] == ["t1-contrast-enhanced"]
    (home / "IM0004.dcm").unlink()
    pairing = pair_series(scan_folder(tmp_path, protocol=MSTT), choices=choices, protocol=MSTT)
    assert (pairing.pairs, codes(pairing)) == ((), ["series-missing-slices"])


def test_a_choice_that_is_not_there_is_told(tmp_path: Path) -> None:
    write(tmp_path, T1)
    write(tmp_path, T2)
    pairing = pair_series(
        scan_folder(tmp_path, protocol=MSTT), choices={"CANARY-1": {"t2": "0123456789"}}, protocol=MSTT
    )
    assert (pairing.pairs, codes(pairing)) == ((), ["choice-absent"])


def test_one_series_chosen_for_both_roles_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path, T1)
    write(tmp_path, T2)
    reference = references(tmp_path)[T1.description]
    pairing = pair_series(
        scan_folder(tmp_path, protocol=MSTT),
        choices={"CANARY-1": dict.fromkeys(("t1", "t2"), reference)},
        protocol=MSTT,
    )
    assert (pairing.pairs, codes(pairing)) == ((), ["ambiguous-series"])


def test_what_was_considered_is_told_of_every_patient_in_safe_words(tmp_path: Path) -> None:
    write(tmp_path, T1)
    write(tmp_path, T2)
    scout = replace(T1, description="LOCALIZER Nightingale", sequence="GR", repetition_time_ms=8.0, echo_time_ms=4.0)
    write(tmp_path, scout)
    write(tmp_path, T1, patient="CANARY-2")
    pairing = pairing_of(tmp_path)
    assert [(patient.has_pair, len(patient.considered)) for patient in pairing.patients] == [(True, 3), (False, 1)]
    assert [finding.code for finding in pairing.patients[1].findings] == ["no-t2"]
    by_reference = {one.reference: one for one in pairing.summary_of("CANARY-1").considered}
    chosen = {by_reference[choice.series.reference].chosen_as for choice in pairing.pairs[0].choices}
    assert chosen == {"t1", "t2"}
    refused = by_reference[references(tmp_path)[scout.description]]
    assert (refused.chosen_as, bool(refused.left_out)) == (None, True)
    shown = json.dumps([patient.as_dict() for patient in pairing.patients])
    assert not any(secret in shown for secret in ("Nightingale", "CANARY", str(tmp_path), "AX T1"))


def test_a_t2_without_fat_suppression_is_asked_about_and_taken_when_a_person_says_so(tmp_path: Path) -> None:
    write(tmp_path, T1)
    plain = replace(T2, description="AX T2", scan_options="")
    write(tmp_path, plain)
    pairing = pairing_of(tmp_path)
    assert (pairing.pairs, codes(pairing)) == ((), ["t2-not-fat-suppressed"])
    reference = references(tmp_path)[plain.description]
    assert reference in pairing.findings[0].message
    (pair,) = pair_series(
        scan_folder(tmp_path, protocol=MSTT), choices={"CANARY-1": {"t2": reference}}, protocol=MSTT
    ).pairs
    assert [(finding.level, finding.code) for finding in pair.findings] == [(Level.WARNING, "t2-not-fat-suppressed")]
