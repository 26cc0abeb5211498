"""A phantom cohort for any protocol: every image that it names, as scanners write it, and a region for each label."""

from pathlib import Path

import numpy as np
import pytest

from datasets.dicom.header import Plane, read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.files import sha256_of_file
from datasets.phantom.cohort import write_phantom_cohort
from datasets.phantom.protocol_cohort import write_cohort_of
from datasets.study.protocol import Protocol
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import FIRST, shipped_protocol

pytestmark = pytest.mark.slow

BRAIN = """
name = "brain"
version = 1
title = "Brain tumours on T1 after contrast"
drawn = "t1_contrast"

[[images]]
name = "t1_contrast"
modality = "MR"
weighting = "T1"
contrast = "require"
fat_suppression = "refuse"

[[images]]
name = "t2"
modality = "MR"
weighting = "T2"
fat_suppression = "refuse"
plane = "sagittal"

[[images]]
name = "flair"
modality = "MR"
weighting = "FLAIR"
fat_suppression = "refuse"
plane = "coronal"
required = false

[[labels]]
value = 1
name = "Core"
colour = "#e8590c"
key = "1"
prompted = true

[[labels]]
value = 3
name = "Oedema"
colour = "#1098ad"
imported_names = ["swelling"]
"""


def _series(folder: Path) -> dict[str, DicomSeries]:
    """The first patient's series by the name of their folder."""
    found: dict[str, DicomSeries] = {}
    for home in sorted((folder / "patient_0001" / "study").iterdir()):
        if paths := sorted(home.glob("IM*")):
            (found[home.name.partition("_")[2]],) = group_series(map(read_header, paths))
    return found


def _written(protocol: Protocol, folder: Path) -> dict[str, DicomSeries]:
    write_cohort_of(protocol, folder, patients=1, seed=3, size=64)
    found = _series(folder)
    assert list(found) == list(protocol.roles)
    return found


def test_the_first_protocols_cohort_is_the_one_that_it_was(tmp_path: Path) -> None:
    write_cohort_of(shipped_protocol(FIRST), tmp_path / "by-protocol", patients=1, seed=3, size=64)
    write_phantom_cohort(tmp_path / "as-before", patients=1, seed=3, size=80)
    by_protocol, as_before = (
        {path.relative_to(folder): sha256_of_file(path) for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "by-protocol", tmp_path / "as-before")
    )
    assert by_protocol == as_before


def test_a_brain_study_has_its_images_as_it_wants_them(tmp_path: Path) -> None:
    found = _written(read_protocol(BRAIN), tmp_path)
    evidence = {role: series.evidence for role, series in found.items()}
    assert {role: one.contrast_agent for role, one in evidence.items()} == {
        "t1_contrast": "GADOLINIUM",
        "t2": "",
        "flair": "",
    }
    times = {role: (one.repetition_time_ms, one.echo_time_ms) for role, one in evidence.items()}
    assert times == {"t1_contrast": (550.0, 12.0), "t2": (4200.0, 74.0), "flair": (9000.0, 120.0)}
    assert evidence["flair"].inversion_time_ms == 2500.0
    assert not any("FS" in (one.scan_options or ()) for one in evidence.values())
    planes = {role: one.plane for role, one in evidence.items()}
    assert planes == {"t1_contrast": Plane.AXIAL, "t2": Plane.SAGITTAL, "flair": Plane.CORONAL}
    table = (tmp_path / "cases.csv").read_text().splitlines()
    assert table[1] == "PHANTOM-0001,unknown,thigh"


def test_each_label_is_a_region_on_the_drawn_image(tmp_path: Path) -> None:
    drawn = _written(read_protocol(BRAIN), tmp_path)["t1_contrast"]
    regions = read_structure_set(next(tmp_path.rglob("regions.dcm")), drawn).sound()
    assert set(regions) == {"Core", "swelling"}
    core, swelling = (regions[name].foreground for name in ("Core", "swelling"))
    assert core.any()
    assert swelling.any()
    assert not (core & swelling).any()
    assert not core[:, :, [0, -1]].any(), "the whole tumour is in the field of view"


def test_a_pet_ct_lies_in_one_place_in_hu_and_suv(tmp_path: Path) -> None:
    found = _written(shipped_protocol("pet-ct"), tmp_path)
    ct, pet = found["ct"], found["pet"]
    assert ct.frame_of_reference_uid == pet.frame_of_reference_uid
    assert (ct.evidence.modality, pet.evidence.modality) == ("CT", "PT")
    hounsfield, suv = read_series(ct), read_series(pet)
    assert np.median(hounsfield.data[:3, :3]) == pytest.approx(-1000.0, abs=15.0), "air outside of the limb"
    regions = read_structure_set(next(tmp_path.rglob("regions.dcm")), ct).sound()
    inside = np.argwhere(regions["gtv_mass"].foreground)
    centre = tuple(int(at) for at in np.median(inside, axis=0))
    assert hounsfield.data[centre] == pytest.approx(60.0, abs=60.0), "a fibrous tumour"
    place = series_grid(pet).to_voxel(series_grid(ct).to_world(centre))
    at = tuple(round(float(one)) for one in place)
    assert suv.data[at] == pytest.approx(5.0, abs=2.0), "the same tumour, where it takes up most"
    assert np.median(suv.data) < 1.0


@pytest.mark.parametrize("name", ["t1", "ct", "lipoma"])
def test_every_protocol_that_comes_along_has_a_cohort(name: str, tmp_path: Path) -> None:
    protocol = shipped_protocol(name)
    found = _written(protocol, tmp_path)
    for role, series in found.items():
        image = protocol.image(role)
        assert series.evidence.modality == image.modality
        assert read_series(series).data.std() > 0
        if image.modality == "MR":
            assert ("FS" in (series.evidence.scan_options or ())) is (role == "t2_fs")
            assert bool(series.evidence.contrast_agent) is (role == "t1_contrast")


def test_patients_have_the_protocols_tissue_types_in_turn(tmp_path: Path) -> None:
    write_cohort_of(shipped_protocol("t1"), tmp_path, patients=2, seed=3, size=32)
    table = (tmp_path / "cases.csv").read_text().splitlines()
    assert table == [
        "patient_id,tissue_type,anatomical_site",
        "PHANTOM-0001,fibrous,thigh",
        "PHANTOM-0002,fat,lower leg",
    ]
