"""Errata from report to correction: what each step says and to whom, and every way that leads nowhere."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.log import Asked, entries
from annotation_backend.audit.story import story_of
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.publishing.correcting.errata import accept, decline, erratum_called, report
from annotation_backend.publishing.models import Erratum, Release, ReleasedCase
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.models import EndReason, VerdictEnd, approved_review
from annotation_backend.review.services import next_waiting
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.correcting.errata_file import ErratumState
from datasets.release.correcting.erratum_report import FaultyPart
from datasets.release.manifest_reading import read_manifest
from tests.annotation_backend.publishing.correcting.conftest import (
    Redrawn,
    approved_case,
    said_of,
    version,
)
from tests.annotation_backend.support.records import approve
from tests.datasets.release.samples import files_of

pytestmark = pytest.mark.django_db

CODE = "sub-0002_ses-1"


def _listed(release: Release) -> list[dict]:
    path = release.path.with_name(f"{release}.errata.json")
    return json.loads(path.read_bytes())["errata"] if path.exists() else []


def test_a_report_is_listed_at_once_and_names_nobody(study: Study, first: Release, people: dict[Role, User]) -> None:
    before = files_of(first.path)
    person = people[Role.ANNOTATOR]
    person.first_name = person.last_name = "Canarina"
    person.save()
    erratum = report(study, said_of(first, CODE), person=person)
    assert (erratum.number, erratum.state, erratum.case.code) == (1, ErratumState.REPORTED, "C0002")
    [listed] = _listed(first)
    assert (listed["case"], listed["part"], listed["slices"], listed["state"]) == (CODE, "mask", [2], "reported")
    assert (listed["text"], listed["reported_on"]) == ("", "tumours-1.0.0"), "nobody of the study has read the words"
    content = first.path.with_name("tumours-1.0.0.errata.json").read_bytes()
    assert b"Canarina" not in content
    assert person.username.encode() not in content
    assert files_of(first.path) == before
    assert report(study, said_of(first, "sub-0001_ses-1")).number == 2


def test_an_accepted_one_ends_the_approval_and_a_radiologist_has_the_case_again(
    study: Study, first: Release, people: dict[Role, User]
) -> None:
    erratum = report(study, said_of(first, CODE))
    manager = people[Role.DATA_MANAGER]
    accept(erratum, person=manager, words="The mask leaves out the lower part.")
    case = Case.objects.get(code="C0002")
    assert approved_review(case) is None
    assert VerdictEnd.objects.get().reason == EndReason.ERRATUM
    assert {row.stage for row in CaseStage.objects.filter(case=case, state="open")} == {"annotate", "review"}
    assert not LabelingTask.objects.filter(case=case, state=TaskState.APPROVED).exists()
    assert next_waiting(study, people[Role.RADIOLOGIST], after=Case.objects.get(code="C0001")) == case
    assert _listed(first)[0]["text"] == "The mask leaves out the lower part."
    words = [step.words for step in story_of(case, is_reader=True, is_manager=True)]
    assert {"Erratum 1 reported", "Erratum 1 accepted"} <= set(words)
    told = [(entry.words, entry.person, entry.case) for entry in entries(Asked(study, kind="erratum"))]
    assert told == [("Erratum 1 accepted", manager.pk, "C0002"), ("Erratum 1 reported", None, "C0002")]


def test_the_next_version_corrects_it_and_says_so_and_is_the_same_when_built_again(
    study: Study, first: Release, redrawn: Redrawn
) -> None:
    erratum = accept(report(study, said_of(first, CODE)))
    redrawn("C0002")
    built = publish_release(study, version("1.0.1"))
    assert [one.number for one in built.corrected] == [1]
    assert (built.taken_over, built.findings, built.absence) == (2, (), None)
    assert erratum.state is ErratumState.CORRECTED
    log = (built.release.path / "CHANGES").read_text(encoding="utf-8")
    assert f"Corrected: {CODE} (mask): erratum 1: The lower part is missing." in log
    changed = json.loads((built.release.path / "changes.json").read_bytes())["versions"][0]
    assert [one["case"] for one in changed["corrected"]] == [CODE]
    before, now = files_of(first.path), files_of(built.release.path)
    cases = [path for path in now if path.startswith("sub-")]
    mask = {f"sub-0002/ses-1/anat/{CODE}_dseg.{ending}" for ending in ("nii.gz", "json")}
    assert {path for path in cases if now[path] != before[path]} == mask
    shared = {path for path in cases if (first.path / path).samefile(built.release.path / path)}
    assert shared == set(cases) - mask, "the images of the corrected case, too, take no room"
    assert _listed(first)[0]["corrected_in"] == "tumours-1.0.1"
    assert _listed(built.release) == [], "the mask of this version is another"
    again = publish_release(study, version("1.0.1"))
    assert (again.release.digest, again.corrected) == (built.release.digest, ())
    assert publish_release(study, version("1.0.2")).corrected == ()


def test_a_case_that_is_not_approved_again_is_left_out_and_named(study: Study, first: Release) -> None:
    accept(report(study, said_of(first, CODE)))
    built = publish_release(study, version("1.0.1"))
    assert [(finding.code, finding.subject) for finding in built.findings] == [("erratum-waits", "C0002")]
    assert list(built.release.held.values_list("code", flat=True)) == ["sub-0001_ses-1", "sub-0003_ses-1"]


def test_a_case_that_is_approved_as_it_was_is_no_correction_and_can_be_declined_after_all(
    study: Study, first: Release, people: dict[Role, User]
) -> None:
    erratum = accept(report(study, said_of(first, CODE)))
    approve(Case.objects.get(code="C0002").masks.get(), people[Role.RADIOLOGIST])
    built = publish_release(study, version("1.0.1"))
    assert [(finding.code, finding.subject) for finding in built.findings] == [("erratum-not-corrected", "C0002")]
    assert "erratum" not in (built.release.path / "CHANGES").read_text(encoding="utf-8")
    assert [one["state"] for one in _listed(built.release)] == ["accepted"], "this version has the same mask"
    decline(erratum, words="A radiologist looked again, and the mask is right.")
    assert [one["answer"] for one in _listed(first)] == ["A radiologist looked again, and the mask is right."]
    assert publish_release(study, version("1.0.2")).findings == ()


def test_whoever_holds_another_version_with_the_same_mask_is_told(study: Study, first: Release) -> None:
    later = publish_release(study, version("1.0.1")).release
    other = publish_release(study, version("2.0.0", name="others")).release
    report(study, said_of(later, CODE))
    for release in (first, later, other):
        assert [one["reported_on"] for one in _listed(release)] == ["tumours-1.0.1"]


def test_a_wrong_word_is_corrected_by_another_word(study: Study, first: Release, people: dict[Role, User]) -> None:
    words = accept(report(study, said_of(first, CODE, part=FaultyPart.WORDS, text="It lies in the arm.", slices=())))
    image = accept(report(study, said_of(first, "sub-0001_ses-1", part=FaultyPart.IMAGE, text="It is turned.")))
    Case.objects.filter(code="C0002").update(anatomical_site="arm, left")
    for code in ("C0001", "C0002"):
        approve(Case.objects.get(code=code).masks.get(), people[Role.RADIOLOGIST])
    built = publish_release(study, version("1.0.1"))
    assert [one.number for one in built.corrected] == [words.number]
    assert [(finding.code, finding.subject) for finding in built.findings] == [("erratum-not-corrected", "C0001")]
    assert image.state is ErratumState.ACCEPTED


def test_what_a_later_version_has_put_right_already_needs_no_review(
    study: Study, first: Release, redrawn: Redrawn
) -> None:
    """Somebody who holds 1.0.0 still reports what nobody had reported before 1.0.1 corrected it."""
    redrawn("C0002")
    later = publish_release(study, version("1.0.1")).release
    erratum = accept(report(study, said_of(first, CODE)))
    assert (erratum.state, erratum.last_step.release) == (ErratumState.CORRECTED, later)
    assert approved_review(Case.objects.get(code="C0002")) is not None
    assert _listed(first)[0]["corrected_in"] == "tumours-1.0.1"
    assert publish_release(study, version("1.0.1")).release.digest == later.digest, "its change log is what it was"
    assert "erratum" not in (publish_release(study, version("1.0.2")).release.path / "CHANGES").read_text("utf-8")


def test_what_is_decided_is_decided(study: Study, first: Release) -> None:
    erratum = decline(report(study, said_of(first, CODE)), words="It is right.")
    for act in (lambda: accept(erratum), lambda: decline(erratum, words="No.")):
        with pytest.raises(RejectedInput, match="erratum-decided"):
            act()
    other = accept(report(study, said_of(first, CODE)))
    with pytest.raises(RejectedInput, match="erratum-decided"):
        accept(other)
    for words in ("", "Ask jane@hospital.org", "x\ny", "DOE^JANE"):
        with pytest.raises(RejectedInput, match=r"erratum-(text|person)"):
            decline(other, words=words)
    assert other.state is ErratumState.ACCEPTED


def test_the_same_twice_very_many_and_what_is_not_there_are_refused(study: Study, first: Release) -> None:
    report(study, said_of(first, CODE))
    with pytest.raises(RejectedInput, match="erratum-known"):
        report(study, said_of(first, CODE))
    for number in range(19):
        report(study, said_of(first, CODE, text=f"Fault {number}."))
    with pytest.raises(RejectedInput, match="erratum-many"):
        report(study, said_of(first, CODE, text="One more."))
    report(study, said_of(first, "sub-0001_ses-1", text="Another case."))
    unknown = Release(name="tumours", version="9.0.0", digest=first.digest)
    with pytest.raises(RejectedInput, match="erratum-release"):
        report(study, said_of(unknown, CODE))
    with pytest.raises(RejectedInput, match="erratum-digest"):
        report(study, said_of(Release(name="tumours", version="1.0.0", digest="0" * 64), CODE))
    with pytest.raises(RejectedInput, match="erratum-unknown"):
        erratum_called(study, 10**12)
    assert Erratum.objects.count() == 21


def test_an_excluded_case_is_reported_and_accepted_all_the_same(study: Study, first: Release) -> None:
    exclude(Case.objects.get(code="C0002"), reason="Metal artefact.")
    accept(report(study, said_of(first, CODE)))
    built = publish_release(study, version("1.0.1"))
    assert [finding.code for finding in built.findings] == ["erratum-waits"]


def test_a_damaged_release_takes_no_report_and_keeps_its_list(study: Study, first: Release) -> None:
    report(study, said_of(first, CODE))
    before = _listed(first)
    (first.path / "manifest.json").write_bytes(b"{}")
    with pytest.raises(RejectedInput, match="release-unsound"):
        report(study, said_of(first, CODE, text="Another."))
    decline(Erratum.objects.get(), words="It is right.")
    assert _listed(first) == before


def test_an_erratum_of_a_former_schema_is_listed_by_its_code(
    study: Study, people: dict[Role, User], tmp_path: Path, settings
) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    review = approved_case("C0001", people[Role.RADIOLOGIST])
    former = Path(__file__).parents[3] / "datasets/release/schema_2/thigh-tumours-1.2.0"
    folder = settings.DATA_FOLDER / "releases" / "tumours-1.0.0"
    copytree(former, folder)
    manifest = read_manifest((folder / "manifest.json").read_bytes())
    release = Release.objects.create(
        study=study, name=manifest.name, version=manifest.version, digest=manifest.release_digest,
        folder="releases/tumours-1.0.0",
    )  # fmt: skip
    ReleasedCase.objects.create(release=release, case=review.mask.case, code="C0001")
    accept(report(study, said_of(release, "C0001")))
    [listed] = json.loads(folder.with_name("tumours-1.0.0.errata.json").read_bytes())["errata"]
    assert (listed["case"], listed["state"]) == ("C0001", "accepted")
