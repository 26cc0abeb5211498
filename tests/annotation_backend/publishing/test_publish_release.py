"""Releases of a study, version after version: what is in them, what left them, and that nobody is named."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from django.conf import settings

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case, Patient
from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.publishing import services
from annotation_backend.publishing.contents.selection import CaseSelection
from annotation_backend.publishing.models import Release, ReleaseCode, ReleasedCase, ReleasePatient
from annotation_backend.publishing.services import planned_release, publish_release
from annotation_backend.registry.models import Model
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.manifest_reading import read_manifest
from datasets.release.settings import ReleaseSettings
from datasets.release.verify import VerificationReport, verify_release
from datasets.study.case import Consent, QualityScore
from tests.annotation_backend.publishing.conftest import Approved, case_of
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import signed_in
from tests.datasets.release.samples import CANARY, files_of

pytestmark = pytest.mark.django_db

FIRST = ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0", folds=2)
NEXT = replace(FIRST, version="1.0.1")
FORMER = Path(__file__).parents[2] / "datasets/release/schema_2/thigh-tumours-1.2.0"


def _manifest(release: Release):
    return read_manifest((release.path / "manifest.json").read_bytes())


def test_a_release_calls_its_cases_by_codes_of_its_own(study: Study, two: list[Review]) -> None:
    """Two cases of one patient are in one fold, and neither has the database's code."""
    Case.objects.filter(code="C0002").update(patient=case_of(two[0]).patient)
    assert planned_release(study, FIRST).codes == ("C0001", "C0002")
    assert not ReleasePatient.objects.exists()
    built = publish_release(study, FIRST)
    assert (built.findings, built.report.findings, built.taken_over) == ((), (), 0)
    entries = _manifest(built.release).cases
    assert [entry.case for entry in entries] == ["sub-0001_ses-1", "sub-0001_ses-2"]
    assert [entry.former_codes for entry in entries] == [(), ()]
    held = built.release.held.order_by("code").values_list("code", "case__code")
    assert list(held) == [("sub-0001_ses-1", "C0001"), ("sub-0001_ses-2", "C0002")]
    assert [row.code for row in ReleaseCode.objects.all()] == ["sub-0001_ses-1", "sub-0001_ses-2"]
    assert json.loads((built.release.path / "splits.json").read_bytes())["folds"] == [
        ["sub-0001_ses-1", "sub-0001_ses-2"]
    ]


def test_the_next_version_takes_over_what_did_not_change(
    study: Study, two: list[Review], approved: Approved, people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_release(study, FIRST).release
    approved("C0003")
    seen: list[str] = []

    def verify(folder: Path, **named: object) -> VerificationReport:
        seen.append(named["seen"].release_digest)
        return verify_release(folder, **named)

    monkeypatch.setattr(services, "verify_release", verify)
    later = publish_release(study, NEXT)
    assert later.taken_over == 2
    assert later.report.is_sound
    assert seen == [first.digest], "what that version was seen to hold is not inflated again"
    before, after = _manifest(first), _manifest(later.release)
    assert after.follows == "1.0.0"
    assert after.cases[:2] == before.cases
    for entry in before.cases:
        for path in entry.paths:
            assert (first.path / path).samefile(later.release.path / path)
    monkeypatch.undo()
    again = publish_release(study, NEXT)
    assert (again.release, again.release.digest) == (later.release, later.release.digest)
    assert verify_release(first.path, expected_digest=first.digest).is_sound
    browser = signed_in(people[Role.RADIOLOGIST])
    assert browser.get(page_at("release-page", later.release.pk)).status_code == 200


def test_a_patient_who_does_not_agree_any_more_is_gone_and_named_and_the_former_version_still_verifies(
    study: Study, two: list[Review]
) -> None:
    first = publish_release(study, FIRST).release
    Case.objects.filter(code="C0001").update(consent=Consent.REFUSED)
    later = publish_release(study, NEXT)
    assert [finding.subject for finding in later.findings] == ["C0001"]
    manifest = _manifest(later.release)
    assert ([entry.case for entry in manifest.cases], manifest.withdrawn) == (["sub-0002_ses-1"], ("sub-0001_ses-1",))
    card = (later.release.path / "README.md").read_text()
    assert "must not be used any more:\n\n- sub-0001_ses-1" in card
    images = {path: content for path, content in files_of(first.path).items() if re.search("sub-0001.*w.nii.gz", path)}
    assert len(images) == 2
    assert not set(images.values()) & set(files_of(later.release.path).values())
    assert verify_release(first.path, expected_digest=first.digest).is_sound


def test_consent_that_is_refused_while_a_release_is_built_takes_the_case_out(study: Study, two: list[Review]) -> None:
    def meanwhile(done: int, _total: int) -> None:
        Case.objects.filter(code="C0002").update(consent=Consent.REFUSED)

    built = publish_release(study, FIRST, progress_of=lambda: meanwhile)
    assert [finding.subject for finding in built.findings] == ["C0002"]
    assert "did not agree" in built.findings[0].message
    assert list(built.release.held.values_list("code", flat=True)) == ["sub-0001_ses-1"]


def test_a_version_is_newer_than_those_before_and_never_changes(study: Study, two: list[Review]) -> None:
    first = publish_release(study, NEXT).release
    before = files_of(first.path)
    with pytest.raises(RejectedInput, match="release-version-order"):
        publish_release(study, FIRST)
    with pytest.raises(RejectedInput, match="release-version-order"):
        planned_release(study, FIRST)
    exclude(case_of(two[1]), reason="Metal artefact.")
    with pytest.raises(RejectedInput, match="release-exists"):
        publish_release(study, NEXT)
    with pytest.raises(RejectedInput, match="release-licence"):
        publish_release(study, replace(FIRST, version="2.0.0", licence=""))
    assert files_of(first.path) == before
    assert list(Release.objects.values_list("version", flat=True)) == ["1.0.1"]


def test_cases_by_query(study: Study, two: list[Review]) -> None:
    built = publish_release(study, FIRST, selection=CaseSelection(tissue_types=("fat",)))
    assert list(built.release.held.values_list("code", "case__code")) == [("sub-0001_ses-1", "C0002")]
    later = publish_release(study, NEXT, selection=CaseSelection(scores=(QualityScore.EXCELLENT,)))
    assert dict(later.release.held.values_list("case__code", "code")) == {
        "C0002": "sub-0001_ses-1",
        "C0001": "sub-0002_ses-1",
    }
    assert _manifest(later.release).withdrawn == ()


def test_a_former_release_goes_on_and_the_next_version_tells_the_codes_that_it_used(
    study: Study, two: list[Review], people: dict[Role, User]
) -> None:
    """An installation with a release of schema 2, which holds the cases under the database's codes."""
    folder = Path(settings.DATA_FOLDER) / "releases" / "tumours-1.0.0"
    copytree(FORMER, folder)
    digest = _manifest(Release(folder="releases/tumours-1.0.0")).release_digest
    former = Release.objects.create(
        study=study, name="tumours", version="1.0.0", digest=digest, folder="releases/tumours-1.0.0"
    )
    gone = Case.objects.create(
        study=study, code="C0005", patient=Patient.objects.get(code="P0001"), source_sha256="gone"
    )
    for case in (case_of(two[0]), gone):
        ReleasedCase.objects.create(release=former, case=case, code=case.code)
    exclude(gone, reason="Consent withdrawn.")
    later = publish_release(study, NEXT)
    manifest = _manifest(later.release)
    assert later.taken_over == 0
    assert (manifest.follows, manifest.withdrawn) == ("1.0.0", ("C0005",))
    assert [(entry.case, entry.former_codes) for entry in manifest.cases] == [
        ("sub-0001_ses-1", ("C0001",)),
        ("sub-0002_ses-1", ()),
    ]
    browser = signed_in(people[Role.DATA_MANAGER])
    assert "Dataset card" in browser.get(page_at("release-page", former.pk)).content.decode()
    download = browser.get(page_at("release-download", former.pk))
    assert download.status_code == 200
    assert b"cases/C0001/mask.nii.gz" in download.getvalue()
    assert verify_release(former.path, expected_digest=digest).is_sound
    with pytest.raises(RejectedInput, match="release-exists"):
        publish_release(study, FIRST)


def test_the_folds_are_those_that_a_model_was_tried_on(study: Study, two: list[Review]) -> None:
    snapshot = Snapshot.objects.create(study=study, digest="0" * 64, content={"cases": []})
    model = Model.objects.create(
        name="m", version="1", method="t1", folder="f", prompt_kinds=[], digest="0" * 64, study=study
    )
    Run.objects.create(
        study=study, snapshot=snapshot, model=model, method="t1", settings={}, status=RunStatus.DONE,
        folds=[["C0002"], ["C0001"]],
    )  # fmt: skip
    split = json.loads((publish_release(study, FIRST).release.path / "splits.json").read_bytes())
    assert split["folds"] == [["sub-0002_ses-1"], ["sub-0001_ses-1"]]
    assert split["method"] == "those of a model of the study"


def test_no_byte_of_a_release_names_anybody(study: Study, approved: Approved, people: dict[Role, User]) -> None:
    for person in people.values():
        person.first_name = person.last_name = CANARY
        person.save()
    review = approved("C0001", comment=f"{CANARY} was here.")
    case = case_of(review)
    case.series.update(evidence={"description": CANARY, "reasons": [CANARY]})
    case.findings = [{"message": CANARY}]
    case.save()
    built = publish_release(study, FIRST)
    for path, content in files_of(built.release.path).items():
        inside = gzip.decompress(content) if path.endswith(".gz") else b""
        traces = ("CANARY", "1931", "C0001", "P0001", "maskloop.local", str(settings.DATA_FOLDER), "2026-11")
        for trace in traces:
            assert trace.encode() not in content + inside + path.encode(), (path, trace)
