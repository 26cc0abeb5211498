"""The PET-CT phantom: tissues have their HU and SUV, the structure set gives the true mask, a seed gives one cohort."""

from pathlib import Path

import numpy as np
import pytest

from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.files import sha256_of_file
from datasets.image.resample import resample_mask
from datasets.phantom.ct_pet_cohort import CtPetCase, write_cohort_of, write_ct_pet_cohort
from datasets.study.shipped_protocols import shipped_protocol

pytestmark = pytest.mark.slow

Cohort = tuple[FolderScan, tuple[CtPetCase, ...]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("cohort")
    cases = write_ct_pet_cohort(folder, patients=3, seed=3, size=64)
    return scan_folder(folder), cases


@pytest.mark.parametrize("index", range(3))
def test_tissues_have_their_values(cohort: Cohort, index: int) -> None:
    scan, cases = cohort
    ct, pet, uncorrected = [one for one in scan.series if one.patient_key == cases[index].patient_id]
    hounsfield, suv, tumour = ct.read(), pet.read(), cases[index].tumour
    air, bone = np.percentile(hounsfield.data, [1, 99.9])
    assert (-1024 <= air < -900, 600 < bone < 2000) == (True, True)
    expected = {"fibrous": (100, 6.0), "fat": (-80, 1.8), "myxoid": (20, 3.5)}[cases[index].tissue_type]
    assert np.median(hounsfield.data[tumour.foreground]) == pytest.approx(expected[0], abs=15)
    hot = resample_mask(tumour, suv.grid).foreground
    assert np.median(suv.data[hot]) == pytest.approx(expected[1], rel=0.25)
    assert ct.frame_of_reference == pet.frame_of_reference != ""
    assert uncorrected.evidence.is_attenuation_corrected is False


def test_the_structure_set_gives_the_known_mask_back(cohort: Cohort) -> None:
    scan, cases = cohort
    for found, case in zip(scan.masks, cases, strict=True):
        (series,) = [one.dicom for one in scan.series if one.dicom and one.dicom.series_uid in found.series_uids]
        mask = read_structure_set(found.path, series).masks["GTV_Mass"]
        same = np.count_nonzero(mask.foreground & case.tumour.foreground)
        assert 2 * same / (np.count_nonzero(mask.data) + np.count_nonzero(case.tumour.data)) > 0.98


def test_one_seed_gives_one_cohort_and_each_protocol_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_ct_pet_cohort(tmp_path / name, patients=1, seed=7, size=32)
    one, other = (
        {path.relative_to(tmp_path / name): sha256_of_file(path) for path in (tmp_path / name).rglob("*.dcm")}
        for name in ("a", "b")
    )
    assert one == other
    for protocol, modalities in (("pet-ct", {"CT", "PT"}), ("ct", {"CT", "PT"}), ("t1", {"MR"})):
        write_cohort_of(shipped_protocol(protocol), tmp_path / protocol, patients=1)
        assert {series.evidence.modality for series in scan_folder(tmp_path / protocol).series} == modalities
