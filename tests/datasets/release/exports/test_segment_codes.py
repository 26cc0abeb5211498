"""Codes of labels and sites: each is SNOMED CT's own, and what is not known gets no code of theirs."""

import pytest
from pydicom.sr._concepts_dict import concepts

from datasets.release.exports.dicom.segment_codes import KNOWN, OURS, code_of_tissue, codes_of_label, codes_of_site


def test_every_code_means_in_pydicom_s_dictionary_what_it_means_here() -> None:
    known = {(code, meaning) for means in concepts["SCT"].values() for code, (meaning, _) in means.items()}
    assert len(KNOWN) > 30
    assert {(code.value, code.meaning) for code in KNOWN} - known == set()


@pytest.mark.parametrize(
    ("name", "code"),
    [("Tumour", "108369006"), ("tumor", "108369006"), ("GTV_Mass", "108369006"), ("Oedema", "79654002"),
     ("NECROSIS", "6574001"), ("Bone", "272673000")],
)  # fmt: skip
def test_labels_by_their_names(name: str, code: str) -> None:
    found = codes_of_label(name)
    assert (found.kind.value, found.kind.scheme, found.is_known) == (code, "SCT", True)


@pytest.mark.parametrize("name", ["Satellite", "未知", "Tumour bed", "x" * 100])
def test_an_unknown_label_keeps_its_own_name(name: str) -> None:
    found = codes_of_label(name)
    assert (found.kind.scheme, found.is_known) == (OURS, False)
    assert found.kind.meaning == name[:64]
    assert 1 <= len(found.kind.value) <= 64
    assert found.kind.value.isascii()


@pytest.mark.parametrize(
    ("site", "region", "side"),
    [("thigh, left", "Thigh", "Left"), ("Chest wall", "Chest wall", None), ("thigh,right", "Thigh", "Right"),
     ("somewhere", None, None), ("", None, None), ("glute", "Buttock", None)],
)  # fmt: skip
def test_sites(site: str, region: str | None, side: str | None) -> None:
    found = codes_of_site(site)
    assert tuple(code.meaning if code else None for code in found) == (region, side)


def test_tissues_that_are_structures() -> None:
    assert code_of_tissue("fat").meaning == "Fat"
    assert code_of_tissue("myxoid") is None
