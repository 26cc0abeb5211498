"""Which label of a protocol a region that came with the studies means, and which of several masks is taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation_backend.cases.models import Case, ImportedMask
from annotation_backend.cases.registration.imported import best_of_label, label_meant
from annotation_backend.cases.workers.pairs import known_words, region_words
from annotation_backend.studies.models import Study
from datasets.files import sha256_of_file
from datasets.formats.nifti import write_mask
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.study.protocol import Label
from datasets.study.shipped_protocols import FIRST, shipped_protocol, shipped_text
from tests.annotation_backend.support.records import AFFINE, SHAPE, registered_case

MSTT = shipped_protocol(FIRST)
CYST = Label(5, "Cyst wall", "#112233", imported_names=("cyst", "gtv_cyst"))
WITH_CYST = replace(MSTT, labels=(*MSTT.labels, CYST))


@pytest.mark.parametrize(
    ("roi_name", "expected"),
    [
        ("gtv_mass", "Tumour"),
        ("gtv_edema", "Oedema"),
        ("tumour_edema", "Oedema"),
        ("mass_2", "Tumour"),
        ("oedema", "Oedema"),
        ("gtv_cyst", "Cyst wall"),
        ("cyst_wall_2", "Cyst wall"),
        ("region_1", None),
        ("", None),
    ],
)
def test_the_label_that_a_name_means(roi_name: str, expected: str | None) -> None:
    meant = label_meant(roi_name, WITH_CYST.labels)
    assert (meant and meant.name) == expected


def test_without_such_a_label_the_name_means_what_it_did_before() -> None:
    assert label_meant("gtv_cyst", MSTT.labels) == MSTT.label("Tumour")
    assert label_meant("cyst", MSTT.labels) is None


def test_words_of_the_protocol_are_kept_and_people_s_names_are_not() -> None:
    assert known_words("Cyst Wall^DOE JANE T2", region_words(WITH_CYST)) == "cyst_wall_t2"
    assert known_words("Cyst Wall^DOE JANE T2", region_words(MSTT)) == "t2"


def _came(case: Case, role: str, roi_name: str, voxel: int) -> None:
    data = np.zeros(SHAPE, np.uint8)
    data[voxel, 0, 0] = 1
    file = f"series/{role}-{roi_name}.nii.gz"
    write_mask(case.folder / file, Mask(data, Grid(SHAPE, AFFINE)))
    digest = sha256_of_file(case.folder / file)
    series = case.series.get(role=role)
    ImportedMask.objects.create(series=series, roi_name=roi_name, file=file, source_sha256=digest, sha256=digest)


@pytest.mark.django_db
def test_a_mask_of_the_drawn_image_comes_first_then_the_surest_name(study: Study, tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path
    extra = '[[labels]]\nvalue = 5\nname = "Cyst wall"\ncolour = "#112233"\nimported_names = ["cyst"]\n'
    Study.objects.update(document=shipped_text(FIRST) + extra)
    case = Case.objects.get(pk=registered_case().pk)
    for voxel, (role, name) in enumerate([("t1", "gtv_mass"), ("t2", "gtv"), ("t2", "lesion"), ("t1", "cyst")]):
        _came(case, role, name, voxel)
    found = {label.name: best_of_label(case, label) for label in Case.objects.get().protocol.labels}
    rows = {name: row and (row.series.role, row.roi_name) for name, row in found.items()}
    assert rows == {"Tumour": ("t2", "lesion"), "Oedema": None, "Cyst wall": ("t1", "cyst")}
