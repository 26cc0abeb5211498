"""A withdrawn patient: out of everything that comes, named in everything that was, and proven to be absent."""

import errno
import json
import shutil

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.log import Asked, entries
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, CaseImage, Patient, Withdrawal
from annotation_backend.cases.registration.keep import bind_images
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.runs.withdrawn import withdrawn_by_model
from annotation_backend.publishing.correcting import beside_releases
from annotation_backend.publishing.correcting.beside_releases import tell_beside
from annotation_backend.publishing.correcting.errata import accept, report
from annotation_backend.publishing.correcting.withdrawing import planned_withdrawal, withdraw_patient
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.named_release import find_release
from annotation_backend.publishing.services import publish_release
from annotation_backend.registry.models import Model
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput, TryAgain
from datasets.files import sha256_of_file
from datasets.formats.nifti import read_volume, write_volume
from datasets.release.correcting.errata_file import ErratumState
from datasets.release.manifest_reading import read_manifest
from datasets.release.verify import verify_release
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
REASON = "Wrote that consent is over."


def _patient(code: str = "P0002") -> Patient:
    return Patient.objects.get(code=code)


def test_a_patient_is_gone_from_what_comes_and_named_in_what_was(
    study: Study, first: Release, people: dict[Role, User]
) -> None:
    snapshot = take_snapshot(study)
    model = Model.objects.create(
        name="m", version="1", method="t1", folder="f", prompt_kinds=[], digest="0" * 64, study=study,
        snapshot_digest=snapshot.digest,
    )  # fmt: skip
    before = files_of(first.path)
    assert planned_withdrawal(_patient(), reason="x").releases == (first,)
    manager = people[Role.DATA_MANAGER]
    found = withdraw_patient(_patient(), reason=REASON, person=manager)
    assert found.as_dict() == {
        "patient": "P0002", "cases": ["C0002"], "releases": ["tumours-1.0.0"], "snapshots": [snapshot.digest],
        "models": ["m-1"],
    }  # fmt: skip
    assert withdrawn_by_model([model]) == {model.pk: ["C0002"]}
    stone = json.loads(first.path.with_name("tumours-1.0.0.tombstone.json").read_bytes())
    [entry] = stone["withdrawn"]
    assert entry["case"] == CODE
    assert {file["path"] for file in entry["files"]} == {path for path in before if path.startswith("sub-0002/")}
    built = publish_release(study, version("1.0.1"))
    assert (built.taken_over, built.findings) == (2, ())
    assert built.absence is not None
    assert built.absence.is_proven
    manifest = read_manifest((built.release.path / "manifest.json").read_bytes())
    assert manifest.withdrawn == (CODE,)
    assert CODE not in {case.case for case in manifest.cases}
    assert f"must not be used any more:\n\n- {CODE}\n" in (built.release.path / "README.md").read_text("utf-8")
    proof = json.loads(built.release.path.with_name("tumours-1.0.1.proof.json").read_bytes())
    assert (proof["proven"], proof["withdrawn"], proof["release_digest"]) == (True, [CODE], built.release.digest)
    assert {one["volume"] for one in proof["looked_for"]} == {"t1", "t2", "mask"}
    assert (files_of(first.path), verify_release(first.path, expected_digest=first.digest).is_sound) == (before, True)
    told = [(entry.words, entry.person) for entry in entries(Asked(study, kind="withdrawal"))]
    assert told == [("Patient P0002 withdrawn", manager.pk)]
    beside = [path.read_bytes() for path in first.path.parent.iterdir() if path.is_file()]
    assert not [
        content for content in beside if REASON.encode() in content or b"P0002" in content or b"C0002" in content
    ]


def test_a_version_that_holds_the_patient_is_published_no_more(study: Study, first: Release) -> None:
    """Also before the tombstone is written, and to whoever names the release."""
    assert find_release("tumours-1.0.0", study.name, is_given_away=True) == (first.path, first.digest)
    withdraw_patient(_patient(), reason=REASON)
    first.path.with_name("tumours-1.0.0.tombstone.json").unlink()
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        find_release("tumours-1.0.0", study.name, is_given_away=True)
    assert find_release("tumours-1.0.0", study.name) == (first.path, first.digest)


def test_nobody_takes_it_back(study: Study, first: Release) -> None:
    withdraw_patient(_patient(), reason=REASON)
    with pytest.raises(RejectedInput, match="patient-withdrawn"):
        take_back(Case.objects.get(code="C0002"))
    with pytest.raises(RejectedInput, match="patient-withdrawn"):
        withdraw_patient(_patient(), reason=REASON)
    with pytest.raises(RejectedInput, match="patient-withdrawn"):
        planned_withdrawal(_patient(), reason=REASON)
    for reason in ("", "  ", "two\nlines", "x" * 201):
        with pytest.raises(RejectedInput, match="reason-missing"):
            withdraw_patient(_patient("P0001"), reason=reason)


def test_a_case_that_was_excluded_before_is_withdrawn_with_the_others(study: Study, first: Release) -> None:
    Case.objects.filter(code="C0003").update(patient=_patient())
    exclude(Case.objects.get(code="C0003"), reason="Metal artefact.")
    assert withdraw_patient(_patient(), reason=REASON).cases == ("C0002", "C0003")
    with pytest.raises(RejectedInput, match="patient-withdrawn"):
        take_back(Case.objects.get(code="C0003"))
    stone = json.loads(first.path.with_name("tumours-1.0.0.tombstone.json").read_bytes())
    assert [one["case"] for one in stone["withdrawn"]] == [CODE, "sub-0003_ses-1"]


def test_errata_of_a_withdrawn_patient_are_over(study: Study, first: Release, redrawn: Redrawn) -> None:
    one, other = accept(report(study, said_of(first, CODE))), report(study, said_of(first, CODE, text="Another."))
    withdraw_patient(_patient(), reason=REASON)
    assert [each.state for each in (one, other)] == [ErratumState.WITHDRAWN] * 2
    with pytest.raises(RejectedInput, match="erratum-withdrawn"):
        report(study, said_of(first, CODE, text="A third."))
    assert publish_release(study, version("1.0.1")).findings == ()


def test_pictures_of_changes_go_with_the_patient(study: Study, first: Release, redrawn: Redrawn) -> None:
    accept(report(study, said_of(first, CODE)))
    redrawn("C0002")
    release = publish_release(study, version("1.0.1")).release
    folder = release.path.with_name("tumours-1.0.1.changes")
    assert [path.name for path in folder.glob("pictures/*")] == [f"{CODE}-label-1.png"]
    withdraw_patient(_patient("P0001"), reason=REASON)
    assert folder.is_dir()
    withdraw_patient(_patient(), reason=REASON)
    assert not folder.exists()


def test_an_image_that_another_patients_case_holds_keeps_the_version_back(
    study: Study, three: list[Review], people: dict[Role, User]
) -> None:
    """The same images came in under two identifiers; the drawn one was never interpolated."""
    _copy_image("C0002", "t1", to=Case.objects.get(code="C0003"))
    review = approve(Case.objects.get(code="C0003").masks.get(), people[Role.RADIOLOGIST])
    assert review is not None
    first = publish_release(study, version("1.0.0")).release
    withdraw_patient(_patient(), reason=REASON)
    with pytest.raises(RejectedInput, match="withdrawn-voxels") as refused:
        publish_release(study, version("1.0.1"))
    assert f"sub-0003_ses-1 (t1) is {CODE} (t1)" in refused.value.message
    assert [path.name for path in first.path.parent.glob("*1.0.1*")] == []
    assert Release.objects.count() == 1
    exclude(Case.objects.get(code="C0003"), reason="The same person.")
    assert publish_release(study, version("1.0.1")).absence.is_proven  # type: ignore[union-attr]


def test_a_patient_who_was_never_released_is_looked_for_all_the_same(
    study: Study, first: Release, people: dict[Role, User]
) -> None:
    approved_case("C0004", people[Role.RADIOLOGIST])
    withdraw_patient(_patient("P0004"), reason=REASON)
    built = publish_release(study, version("1.0.1"))
    assert built.absence is not None
    assert (built.absence.withdrawn, len(built.absence.sought)) == ((), 3)
    proof = built.release.path.with_name("tumours-1.0.1.proof.json").read_bytes()
    assert b"C0004" not in proof
    assert not list(first.path.parent.glob("*.tombstone.json"))


def test_a_former_version_that_is_gone_leaves_the_proof_open_and_says_so(study: Study, first: Release) -> None:
    withdraw_patient(_patient(), reason=REASON)
    (first.path / "manifest.json").unlink()
    first.path.with_name("tumours-1.0.0.tombstone.json").unlink()
    built = publish_release(study, version("1.0.1"))
    assert built.absence is not None
    assert not built.absence.is_proven
    assert "1 earlier version(s) could not be read: tumours-1.0.0" in built.absence.sentence
    assert [finding.code for finding in built.findings] == ["withdrawal-unproven"]


def test_after_the_former_files_were_deleted_their_tombstone_proves_it(study: Study, first: Release) -> None:
    withdraw_patient(_patient(), reason=REASON)
    shutil.rmtree(first.path)
    shutil.rmtree(Case.objects.get(code="C0002").folder)
    built = publish_release(study, version("1.0.1"))
    assert built.absence is not None
    assert (built.absence.is_proven, built.findings) == (True, ())
    assert [(one.place, one.case, one.name) for one in built.absence.sought] == [
        ("tumours-1.0.0", CODE, name) for name in ("mask", "t1", "t2")
    ]


def test_what_a_crash_left_out_is_made_the_next_time(study: Study, first: Release) -> None:
    report(study, said_of(first, "sub-0001_ses-1"))
    withdraw_patient(_patient(), reason=REASON)
    beside = {path: path.read_bytes() for path in first.path.parent.glob("*.json")}
    assert len(beside) == 2
    for path in beside:
        path.unlink()
    tell_beside(study)
    assert {path: path.read_bytes() for path in first.path.parent.glob("*.json")} == beside


def _copy_image(code: str, role: str, *, to: Case) -> None:
    """Puts an image of one case into another's, as if the same series had come in twice."""
    source = CaseImage.objects.get(case__code=code, role=role)
    image = CaseImage.objects.get(case=to, role=role)
    volume = read_volume(source.path)
    write_volume(image.path, volume)
    assert np.array_equal(read_volume(image.path).data, volume.data)
    image.sha256 = sha256_of_file(image.path)
    image.save()
    bind_images(to)


def test_on_a_disk_that_takes_nothing_it_is_said_that_the_withdrawal_holds(
    first: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is to think that the patient is still in: the lists beside come when the disk takes them."""
    patient = Patient.objects.get(code="P0003")
    with monkeypatch.context() as closed:
        closed.setattr(beside_releases, "put_beside", _closed)
        with pytest.raises(TryAgain, match="is done and recorded") as told:
            withdraw_patient(patient, reason="Consent was taken back.")
    assert told.value.code == "beside-unwritten"
    assert Withdrawal.objects.filter(patient=patient).exists()
    tombstone = first.path.with_name(f"{first.path.name}.tombstone.json")
    assert not tombstone.exists()
    tell_beside(first.study)
    assert tombstone.is_file()


def _closed(*_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")
