"""What BIDS asks for beside the data."""

import json
from dataclasses import replace

from datasets.release.describing.metadata.bids import bids_texts, software
from datasets.release.settings import by_protocol
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import SETTINGS


def _description(settings) -> dict:
    return json.loads(bids_texts(settings)["dataset_description.json"])


def test_what_nobody_said_is_left_out() -> None:
    assert _description(SETTINGS) == {
        "Name": "thigh-tumours 1.2.0",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "License": "CC-BY-4.0",
        "ReferencesAndLinks": ["Nobody et al., 2024."],
        "GeneratedBy": [{"Name": "Maskloop", "Version": software()["maskloop"]}],
    }


def test_what_citation_cff_says_is_not_said_twice() -> None:
    found = _description(replace(SETTINGS, publication=PUBLICATION))
    assert not {"Authors", "License", "ReferencesAndLinks"} & set(found)
    assert (found["DatasetDOI"], found["Funding"]) == ("doi:10.1234/abcd", ["Cancer Foundation, grant 17"])
    assert (found["EthicsApprovals"], found["Keywords"]) == (["Committee 2020-1"], ["sarcoma", "MRI"])
    own = replace(SETTINGS, publication=PUBLICATION, licence="in house")
    assert _description(own)["License"] == "in house", "CITATION.cff cannot say it"


def test_several_labels_have_a_table() -> None:
    assert "dseg.tsv" not in bids_texts(SETTINGS)
    plain = bids_texts(replace(SETTINGS, labels={1: "Tumour", 3: "Cyst"}))["dseg.tsv"]
    assert plain == b"index\tname\n1\tTumour\n3\tCyst\n"
    designed = bids_texts(by_protocol(SETTINGS, shipped_protocol("mstt-199")))["dseg.tsv"]
    assert designed.splitlines()[:2] == [b"index\tname\tcolor", b"1\tTumour\t#e8590c"]
