"""A series that is the image and cannot be used: the finding says so, and its remedy is not to choose it."""

from pathlib import Path

import pydicom

from curation.pairing.pairing import pair_series
from curation.scanning.scan import scan_folder
from datasets.phantom.protocol_cohort import write_cohort_of
from datasets.study.shipped_protocols import shipped_protocol


def test_a_pet_without_weight_is_named_as_unusable_and_the_others_go_on(tmp_path: Path) -> None:
    protocol = shipped_protocol("pet-ct")
    write_cohort_of(protocol, tmp_path, patients=2, size=32)
    for path in (tmp_path / "patient_0001" / "study").glob("*_pet/*"):
        dataset = pydicom.dcmread(path)
        del dataset.PatientWeight
        dataset.save_as(path)
    result = pair_series(scan_folder(tmp_path, protocol=protocol), protocol=protocol)
    assert len(result.pairs) == 1
    (finding,) = [one for one in result.findings if one.code == "no-pet"]
    assert "It cannot be used" in finding.message
    assert "Weight" in finding.message
    assert "Choose" not in finding.remedy
