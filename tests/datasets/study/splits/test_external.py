"""External cohorts: frozen, known by their digest, and recognised by codes in any spelling."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.study.splits.external import ExternalCohort, external_cohort, read_external, shipped_cohorts
from datasets.study.splits.split_case import SplitCase

COHORT = ExternalCohort(
    "of-2027", cases=("C7",), patients=("P3",), left_out=("P9",), pixels=("a" * 64,), note="A test."
)


def test_a_document_is_canonical_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "external.json"
    path.write_bytes(COHORT.encoded)
    assert external_cohort(str(path)) == COHORT
    assert canonical_json(json.loads(COHORT.encoded)) == COHORT.encoded
    assert replace(COHORT, patients=("P3", "P3")).digest == COHORT.digest
    assert replace(COHORT, patients=("P4",)).digest != COHORT.digest


def test_a_changed_document_is_refused() -> None:
    values = json.loads(COHORT.encoded)
    with pytest.raises(RejectedInput, match="external-changed"):
        read_external(canonical_json(values | {"patients": []}))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 100_000,
        canonical_json({"schema": "other"}),
        canonical_json(json.loads(COHORT.encoded) | {"cases": "C7"}),
        canonical_json(json.loads(COHORT.encoded) | {"cases": [7]}),
        canonical_json(json.loads(COHORT.encoded) | {"pixels": ["short"]}),
        canonical_json(json.loads(COHORT.encoded) | {"cases": [], "patients": []}),
        canonical_json(json.loads(COHORT.encoded) | {"name": "../x"}),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput, match="external-cohort"):
        read_external(content)


def test_a_name_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere", str(tmp_path), "\0"):
        with pytest.raises(RejectedInput, match="external-unknown"):
            external_cohort(name)


def test_cases_are_recognised() -> None:
    def holds(case: str, patient: str) -> bool:
        return COHORT.holds(SplitCase(case, patient, "fat"))

    assert holds("C7", "P1")
    assert holds("C1", "P3")
    assert holds("C1", "P9")  # left out: neither tried nor learned from
    assert holds("c7", "X")
    assert holds("C7_MR_T1", "X")
    assert not holds("C1", "P1")
    assert not holds("C70", "P30")
    assert not holds("X_C7", "X")


def test_the_collection_that_mstt_199_was_tried_on() -> None:
    """49 of its 51 patients: STS_025 and STS_029 are out (Reasat/mstt@7512247)."""
    assert shipped_cohorts() == ("sts-external",)
    found = external_cohort("sts-external")
    everybody = {f"STS_{number:03d}" for number in range(1, 52)}
    assert set(found.patients) == everybody - {"STS_025", "STS_029"}
    assert found.left_out == ("STS_025", "STS_029")
    assert found.digest == "ef9d95fef4cff67904d41c3a282a244e993229275ad5520eafaca5bc5de257f7"
    assert all(found.holds(SplitCase(code, code, "unknown")) for code in everybody)
    assert found.holds(SplitCase("STS-001", "STS-001", "unknown"))
    assert not found.holds(SplitCase("STS_052", "STS_052", "unknown"))
