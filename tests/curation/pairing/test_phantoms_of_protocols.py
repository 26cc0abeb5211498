"""The phantom cohort of every protocol is chosen whole: each image of each patient, with its masks, without a doubt."""

from pathlib import Path

import pytest

from curation.pairing.pairing import pair_series
from curation.scanning.scan import scan_folder
from datasets.phantom.protocol_cohort import write_cohort_of
from datasets.study.protocol import Protocol
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import shipped_names, shipped_protocol
from tests.datasets.phantom.test_protocol_cohort import BRAIN

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "protocol", [*map(shipped_protocol, shipped_names()), read_protocol(BRAIN)], ids=lambda one: one.name
)
def test_each_patient_has_every_image_of_the_protocol(protocol: Protocol, tmp_path: Path) -> None:
    write_cohort_of(protocol, tmp_path, patients=2, size=48)
    scan = scan_folder(tmp_path, protocol=protocol)
    pairing = pair_series(scan, protocol=protocol)
    assert [*scan.findings, *pairing.findings] == []
    assert len(pairing.pairs) == 2
    for patient in pairing.pairs:
        assert set(patient.chosen) == set(protocol.roles)
        assert not patient.findings
        assert patient.masks
