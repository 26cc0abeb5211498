"""build_release as it is typed: cases by query, texts by options or a document, and what it says."""

from functools import partial
from pathlib import Path

import pytest

from annotation_backend.cases.models import Case
from annotation_backend.publishing.models import Release, ReleasePatient
from annotation_backend.review.models import Review
from datasets.study.case import Consent
from tests.annotation_backend.support.arguments import run_command

pytestmark = pytest.mark.django_db


_run = partial(run_command, "build_release")

LICENCE = ("--licence", "CC-BY-4.0")


def test_texts_by_a_document_and_by_options(two: list[Review], tmp_path: Path) -> None:
    document, licence = tmp_path / "texts.toml", tmp_path / "LICENCE.txt"
    document.write_text(
        'description = "Of the document."\nknown_limits = ["Thighs only."]\ncitations = ["Doe 2026."]\n'
    )
    licence.write_text("Attribution.\n")
    texts = ("--texts", document, "--citation", "Roe 2025.", "--citation", "Poe 2024.", "--licence-text", licence)
    made = ("--masks-made-by", "Two students drew.", "--description", "Of the option.")
    status, answer, said = _run("tumours", "1.0.0", *LICENCE, *texts, *made)
    assert (status, answer["taken_over"], answer["findings"]) == (0, 0, [])
    assert f"tumours-1.0.0: 2 case(s), digest {answer['digest']}" in said
    folder = Path(answer["folder"])
    card = (folder / "README.md").read_text(encoding="utf-8")
    for text in ("Of the option.", "Two students drew.", "- Thighs only.", "- Roe 2025.\n- Poe 2024."):
        assert text in card
    assert "Of the document." not in card
    assert "Doe 2026." not in card
    assert (folder / "LICENSE").read_text() == "SPDX-License-Identifier: CC-BY-4.0\n\nAttribution.\n"
    status, answer, said = _run("tumours", "1.0.1", *LICENCE)
    assert (status, answer["taken_over"]) == (0, 2)
    assert "2 of them are as in an earlier version" in said


def test_cases_by_query_and_a_dry_run_that_writes_nothing(two: list[Review]) -> None:
    query = ("--stage", "annotate", "--stage", "review", "--tissue-type", "fat", "--tissue-type", "nerve")
    status, answer, said = run_command(
        "build_release", "tumours", "1.0.0", *LICENCE, *query, "--score", "excellent", "--dry-run"
    )
    assert (status, answer["cases"]) == (0, ["C0001", "C0002"])
    assert "2 approved case(s) would go in: C0001, C0002" in said
    assert _run("tumours", "1.0.0", *LICENCE, "--case", "C0002", "--dry-run")[1]["cases"] == ["C0002"]
    assert not ReleasePatient.objects.exists()
    assert not Release.objects.exists()


def test_cases_without_consent_are_named(two: list[Review]) -> None:
    Case.objects.filter(code="C0002").update(consent=Consent.GIVEN)
    status, answer, _ = _run("tumours", "1.0.0", *LICENCE, "--consent")
    assert status == 1
    assert ["C0001" in line and "case-without-consent" in line for line in answer["findings"]] == [True]
    assert list(Release.objects.get().cases.values_list("code", flat=True)) == ["C0002"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--case", "C0009"), "case-unknown"),
        (("--stage", "third"), "stage-unknown"),
        (("--tissue-type", "bone"), "tissue-type-unknown"),
        (("--score", "sufficient"), "nothing-selected"),
        (("--consent",), "nothing-selected"),
        (("--texts", "none.toml"), "texts-unreadable"),
        (("--licence-text", "none.txt"), "file-access"),
        (("--known-limit", "a\nb"), "release-text"),
        (("--seed", "-1"), "release-seed"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    two: list[Review], arguments: tuple[str, ...], code: str
) -> None:
    status, answer, _ = _run("tumours", "1.0.0", *LICENCE, *arguments)
    assert (status, answer["code"]) == (2, code)
    assert not Release.objects.exists()


def test_a_licence_is_needed_and_a_broken_file_of_it_is_refused(two: list[Review], tmp_path: Path) -> None:
    (tmp_path / "licence").write_bytes(b"\xff\xfe")
    assert _run("tumours", "1.0.0", *LICENCE, "--licence-text", tmp_path / "licence")[1]["code"] == "licence-unreadable"
    assert _run("tumours", "1.0.0", "--licence", " ")[1]["code"] == "release-licence"
