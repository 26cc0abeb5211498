"""From a report by hand to the next version with one changed case, by the commands that a data manager types."""

import json
from pathlib import Path

import pytest

from annotation_backend.cases.models import Case
from annotation_backend.publishing.models import Release
from annotation_backend.review.models import approved_review
from datasets.release.verify import verify_release
from tests.annotation_backend.publishing.correcting.conftest import Redrawn
from tests.annotation_backend.support.arguments import run_command

pytestmark = pytest.mark.django_db


def test_a_report_by_hand_is_listed_accepted_and_corrected_and_a_patient_leaves_with_a_proof(
    first: Release, redrawn: Redrawn, tmp_path: Path
) -> None:
    document = tmp_path / "report.json"
    value = {
        "schema": "maskloop-erratum/1", "release": "tumours", "version": "1.0.0", "release_digest": first.digest,
        "case": "sub-0002_ses-1", "part": "mask", "label": "Tumour", "slices": [2],
        "text": "The lower part is missing.",
    }  # fmt: skip
    document.write_text(json.dumps(value))
    status, answer, said = run_command("report_erratum", document)
    assert (status, answer["erratum"]) == (0, 1), said
    beside = first.path.with_name("tumours-1.0.0.errata.json")
    listed = json.loads(beside.read_bytes())["errata"]
    assert [(one["case"], one["state"], one["text"]) for one in listed] == [("sub-0002_ses-1", "reported", "")]
    refused = run_command("decide_erratum", 1, "--decline", "It is right.", "--words", "would be lost")[1]
    assert refused["code"] == "erratum-words"
    assert run_command("decide_erratum", 1, "--accept")[0] == 0
    assert approved_review(Case.objects.get(code="C0002")) is None
    assert json.loads(beside.read_bytes())["errata"][0]["text"] == "The lower part is missing."
    redrawn("C0002")
    status, answer, said = run_command("withdraw_patient", "P0003", "--reason", "Consent was taken back.")
    assert (status, answer["releases"]) == (0, ["tumours-1.0.0"]), said
    status, answer, said = run_command("build_release", "tumours", "1.0.1", "--licence", "CC0-1.0")
    assert (status, answer["taken_over"], answer["corrected"], answer["withdrawn_absent"]) == (0, 1, [1], True), said
    assert "none found" in said
    folder = Path(answer["folder"])
    assert "Corrected: sub-0002_ses-1 (mask): erratum 1: The lower part is missing." in (folder / "CHANGES").read_text()
    assert "Withdrawn: sub-0003_ses-1." in (folder / "CHANGES").read_text()
    assert json.loads(beside.read_bytes())["errata"][0]["corrected_in"] == "tumours-1.0.1"
    tombstone = json.loads(first.path.with_name("tumours-1.0.0.tombstone.json").read_bytes())
    assert [one["case"] for one in tombstone["withdrawn"]] == ["sub-0003_ses-1"]
    assert all((first.path / file["path"]).is_file() for file in tombstone["withdrawn"][0]["files"])
    assert json.loads(folder.with_name("tumours-1.0.1.proof.json").read_bytes())["proven"] is True
    pictures = sorted(path.name for path in folder.with_name("tumours-1.0.1.changes").glob("pictures/*"))
    assert pictures == ["sub-0002_ses-1-label-1.png"]
    assert verify_release(first.path, expected_digest=first.digest).is_sound
