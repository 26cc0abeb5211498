"""The tables of a release."""

import csv
import io

from datasets.release.describing.case_table import case_table, image_table, patient_table
from datasets.release.manifest_parts import FileEntry
from tests.datasets.release.describing.samples import entry

CASES = [entry(2, missing_images=("pet", "ct")), entry(3, quality_score=None)]
FOLDS = {"sub-1_ses-2": 2, "sub-1_ses-3": 1}


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_line_a_case() -> None:
    rows = _rows(case_table(CASES, ["Tumour"], FOLDS))
    assert [row["case"] for row in rows] == ["sub-1_ses-2", "sub-1_ses-3"]
    assert [row["fold"] for row in rows] == ["2", "1"]
    assert (rows[0]["missing_images"], rows[1]["quality_score"]) == ("pet ct", "")
    assert (rows[0]["volume_ml"], rows[0]["volume_Tumour_ml"], rows[0]["spacing_k_mm"]) == ("200.0", "200.0", "1.0")


def test_a_line_an_image_or_mask() -> None:
    paths = [path for case in CASES for path in (*case.images.values(), case.mask)]
    files = [FileEntry(path, f"{at:064d}", at, "application/gzip") for at, path in enumerate(paths)]
    rows = _rows(image_table(CASES, files, FOLDS))
    assert [row["path"] for row in rows] == paths
    assert [row["role"] for row in rows] == ["t1", "t2", "mask"] * 2
    assert rows[4] | {} == {
        "case": "sub-1_ses-3",
        "patient": "sub-1",
        "fold": "1",
        "role": "t2",
        "path": "3/t2.nii.gz",
        "bytes": "4",
        "sha256": f"{4:064d}",
    }


def test_a_line_a_patient() -> None:
    assert patient_table([*CASES, entry(4)]) == b"participant_id\tcases\nsub-1\t2\nsub-2\t1\n"
