"""Reports of faults, as strangers write them by hand: what is taken, and every way in which one is refused by name."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.release.correcting.erratum_report import (
    MOST_BYTES,
    FaultyPart,
    checked_text,
    read_report,
    read_report_file,
    reported_case,
)
from datasets.release.manifest_reading import read_manifest

GOOD: dict[str, Any] = {
    "schema": "maskloop-erratum/1",
    "release": "thigh-tumours",
    "version": "1.2.0",
    "release_digest": "0" * 64,
    "case": "sub-0001_ses-1",
    "part": "mask",
    "label": "Tumour",
    "slices": [2, 1, 2],
    "text": " The mask leaves out the part below the knee. ",
}


def _document(**changes: Any) -> bytes:
    value = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps(value).encode()


def test_a_report_is_read() -> None:
    report = read_report(_document())
    assert (report.case, report.part, report.slices) == ("sub-0001_ses-1", FaultyPart.MASK, (1, 2))
    assert report.text == "The mask leaves out the part below the knee."
    assert read_report(_document(label=None, slices=None)).slices == ()


def test_the_document_that_a_release_shows_is_one(sound_release: Path) -> None:
    card = (sound_release / "README.md").read_text(encoding="utf-8")
    shown = json.loads(card.partition("## Errata")[2].partition("```\n")[2].partition("```")[0])
    assert "thigh-tumours-1.2.0.errata.json" in card
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    filled = {**shown, "case": "sub-0001_ses-1", "release_digest": manifest.release_digest, "slices": [1]}
    report = read_report(json.dumps(filled).encode())
    assert reported_case(report, manifest).case == "sub-0001_ses-1"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "json-unsound"),
        (b"\xff\xfe", "json-unsound"),
        (b"[" * 100_000, "json-unsound"),
        (b'{"schema": NaN}', "json-unsound"),
        (b'{"text": "a", "text": "b"}', "json-unsound"),
        (_document(text="\ud800"), "json-unsound"),
        (b"[]", "erratum-fields"),
        (b"{}", "erratum-fields"),
        (_document(case=None), "erratum-fields"),
        (_document(urgent=True), "erratum-fields"),
        (_document(schema="maskloop-erratum/2"), "erratum-value"),
        (_document(part="everything"), "erratum-value"),
        (_document(part=["mask"]), "erratum-value"),
        (_document(version=1), "erratum-value"),
        (_document(case="sub-0001\n_ses-1"), "erratum-value"),
        (_document(label="x" * 101), "erratum-value"),
        (_document(label=7), "erratum-value"),
        (_document(slices="2"), "erratum-slices"),
        (_document(slices=[True]), "erratum-slices"),
        (_document(slices=[-1]), "erratum-slices"),
        (_document(slices=[1.0]), "erratum-slices"),
        (_document(slices=[10**30]), "erratum-slices"),
        (_document(slices=list(range(2000))), "erratum-slices"),
        (_document(text="  "), "erratum-text"),
        (_document(text="x" * 501), "erratum-text"),
        (_document(text="two\nlines"), "erratum-text"),
        (_document(text="a\0b"), "erratum-text"),
        (_document(text="turned \u202e round"), "erratum-text"),
        (_document(text="DOE^JANE is wrong"), "erratum-person"),
        (_document(text="Ask jane.doe@hospital.org"), "erratum-person"),
        (_document(text="Born on 3.2.1931, the mask is wrong"), "erratum-person"),
        (_document(text="Of 1931-02-03"), "erratum-person"),
        (_document(text="Of 19310203"), "erratum-person"),
        (_document(reporter="Jane Doe"), "erratum-person"),
        (_document(PatientName="DOE^JANE"), "erratum-person"),
        (_document(email="jane@hospital.org"), "erratum-person"),
        (_document(birth_date="1931"), "erratum-person"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:40].decode(errors="replace"),
)
def test_what_is_none_is_refused_by_name(content: bytes, code: str) -> None:
    with pytest.raises(RejectedInput) as refused:
        read_report(content)
    assert refused.value.code == code
    assert not any(word in str(refused.value) for word in ("Jane", "DOE", "1931-02", "jane"))


@pytest.mark.parametrize(
    "text", ["The lower part, 12–15, is missing.", "In 1.0.1 it was right.", "Dice 0.42; 3/5 left."]
)
def test_numbers_and_versions_are_no_days(text: str) -> None:
    assert checked_text(text) == text


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=8), st.none() | st.text()).map(lambda x: json.dumps(x).encode())
)
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput):
        read_report(content)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * (MOST_BYTES + 1))
    for name in ("pipe", "large", "nowhere", "."):
        with pytest.raises(RejectedInput, match="erratum-file"):
            read_report_file(tmp_path / name)
    (tmp_path / "good").write_bytes(_document())
    assert read_report_file(tmp_path / "good").case == "sub-0001_ses-1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"release_digest": "1" * 64}, "erratum-digest"),
        ({"case": "sub-0099_ses-1"}, "erratum-case"),
        ({"case": "../../etc"}, "erratum-case"),
        ({"label": "Oedema"}, "erratum-label"),
        ({"slices": [8]}, "erratum-slices"),
    ],
)
def test_what_the_version_does_not_have_is_refused(sound_release: Path, changes: dict[str, Any], code: str) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    report = read_report(_document(**{"release_digest": manifest.release_digest, **changes}))
    with pytest.raises(RejectedInput, match=code):
        reported_case(report, manifest)


@pytest.mark.parametrize("schema", [1, 2])
def test_cases_of_former_schemas_are_reported_by_their_own_codes(schema: int) -> None:
    [folder] = (Path(__file__).parents[1] / f"schema_{schema}").iterdir()
    manifest = read_manifest((folder / "manifest.json").read_bytes())
    report = read_report(_document(case=manifest.cases[0].case, release_digest=manifest.release_digest, slices=None))
    assert reported_case(report, manifest) is manifest.cases[0]
