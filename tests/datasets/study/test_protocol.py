"""Protocols: those that come along, and every fault of a document by line and remedy."""

from copy import deepcopy
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.study.protocol import Modality, PlacedBy, Wanted, WantedPlane
from datasets.study.protocol_document import check_document, read_protocol
from datasets.study.shipped_protocols import protocol_text, shipped_names, shipped_protocol, shipped_text

MINIMAL = """name = "thigh"
version = 1
title = "Thighs"
drawn = "t1"

[[images]]
name = "t1"
modality = "MR"

[[labels]]
value = 1
name = "Tumour"
colour = "#ff0000"
"""


def _fault(text: str) -> tuple[str, str]:
    protocol, faults = check_document(text)
    assert protocol is None
    assert len(faults) == 1, [str(fault) for fault in faults]
    assert faults[0].remedy
    return faults[0].subject, faults[0].code


def test_the_protocols_that_come_along() -> None:
    assert shipped_names() == ("ct", "lipoma", "lipoma-ladder", "mstt-199", "mstt-199-staged", "pet-ct", "t1")
    assert {name: shipped_protocol(name).roles for name in shipped_names()} == {
        "ct": ("ct",),
        "lipoma": ("t1", "t1_contrast", "t2", "t2_fs"),
        "lipoma-ladder": ("t1", "t1_contrast", "t2", "t2_fs"),
        "mstt-199-staged": ("t1", "t2"),
        "mstt-199": ("t1", "t2"),
        "pet-ct": ("ct", "pet"),
        "t1": ("t1",),
    }
    assert shipped_protocol("lipoma").required == ("t1",)
    assert shipped_protocol("pet-ct").drawn == "ct"
    assert shipped_protocol("pet-ct").image("pet").placed_by is PlacedBy.HEADERS


def test_fat_tumours_of_mstt_199_are_drawn_on_t1() -> None:
    protocol = shipped_protocol("mstt-199")
    drawn = {tissue_type: protocol.drawn_role(tissue_type) for tissue_type in ("fat", "myxoid", "unknown")}
    assert drawn == {"fat": "t1", "myxoid": "t2", "unknown": "t2"}
    assert protocol.drawn_roles == ("t2", "t1")
    assert protocol.label_names == {1: "Tumour", 2: "Oedema"}
    assert [label.name for label in protocol.prompted_labels] == ["Tumour"]
    assert [(label.name, label.is_offered) for label in protocol.labels] == [("Tumour", True), ("Oedema", False)]


def test_absent_keys_have_plain_defaults() -> None:
    image = read_protocol(MINIMAL).image("t1")
    assert (image.title, image.modality, image.weighting) == ("t1", Modality.MR, None)
    assert (image.fat_suppression, image.contrast) == (Wanted.ALLOW, Wanted.ALLOW)
    assert (image.plane, image.is_required, image.placed_by) == (WantedPlane.AXIAL, True, PlacedBy.SEARCH)


def test_comments_do_not_change_the_digest_and_values_do() -> None:
    protocol = read_protocol(MINIMAL)
    assert read_protocol(f"# A study.\n{MINIMAL}").digest == protocol.digest
    assert read_protocol(MINIMAL.replace("#ff0000", "#ff0001")).digest != protocol.digest


def test_a_protocol_can_be_copied() -> None:
    protocol = shipped_protocol("mstt-199")
    assert deepcopy(protocol).digest == protocol.digest


@pytest.mark.parametrize(
    ("good", "bad", "line", "code"),
    [
        ('drawn = "t1"', "", 1, "protocol-drawn-missing"),
        ('drawn = "t1"', 'drawn = "t2"', 4, "protocol-drawn-unknown"),
        ('modality = "MR"', 'modality = "MR"\nrequired = false', 4, "protocol-drawn-optional"),
        ('modality = "MR"', 'modality = "US"', 8, "protocol-modality"),
        ('modality = "MR"', 'modality = "MR"\ncontrast = "perhaps"', 9, "protocol-wish"),
        ('modality = "MR"', 'modality = "CT"\nfat_suppression = "require"', 9, "protocol-wish"),
        ('modality = "MR"', 'modality = "MR"\nfat_supression = "require"', 9, "protocol-key-unknown"),
        ('name = "t1"', 'name = "mask"', 7, "protocol-image-name"),
        ('name = "t1"', 'name = "mask_t2"', 7, "protocol-image-name"),
        ('name = "t1"', 'name = "patient_id"', 7, "protocol-image-name"),
        ('name = "t1"', 'name = "T1 of Smith"', 7, "protocol-name"),
        ("value = 1", "value = 0", 11, "protocol-value"),
        ("value = 1", "value = true", 11, "protocol-value"),
        ("#ff0000", "red", 13, "protocol-colour"),
        ("version = 1", "version = 1.5", 2, "protocol-version"),
        ('title = "Thighs"', 'title = """two\nlines"""', 3, "protocol-title"),
        ('drawn = "t1"', 'drawn = "t1"\n[drawn_by_tissue_type]\nfat = "t1"', 6, "protocol-tissue-type"),
        ("[[labels]]", "[[labels]", 10, "protocol-toml"),
    ],
)
def test_a_fault_is_named_with_its_line(good: str, bad: str, line: int, code: str) -> None:
    assert good in MINIMAL
    text = MINIMAL.replace(good, bad)
    if code in ("protocol-image-name", "protocol-name"):
        text = text.replace('drawn = "t1"', 'drawn = "mask"')
    subjects = [(fault.subject, fault.code) for fault in check_document(text)[1]]
    assert (f"line {line}", code) in subjects


def test_two_labels_of_one_value_are_refused() -> None:
    second = '\n[[labels]]\nvalue = 1\nname = "Oedema"\ncolour = "#00ff00"\n'
    assert _fault(MINIMAL + second) == ("line 16", "protocol-value-twice")


def test_one_imported_name_for_two_labels_is_refused() -> None:
    first = MINIMAL + 'imported_names = ["gtv"]\n'
    second = '\n[[labels]]\nvalue = 2\nname = "Oedema"\ncolour = "#00ff00"\nimported_names = ["gtv"]\n'
    assert _fault(first + second) == ("line 20", "protocol-imported-twice")


@pytest.mark.parametrize(
    ("stages", "code"),
    [
        ((("draw", "review"), ("review", "draw")), "protocol-stage-cycle"),
        ((("draw", "draw"),), "protocol-stage-cycle"),
        ((("draw", "nothing"),), "protocol-stage-unknown"),
    ],
)
def test_stages_that_wait_for_each_other_are_refused(stages: tuple[tuple[str, str], ...], code: str) -> None:
    listed = "".join(
        f'\n[[stages]]\nname = "{name}"\ndone_by = "annotator"\nafter = ["{after}"]\n' for name, after in stages
    )
    assert _fault(MINIMAL + listed)[1] == code


def test_a_stage_returns_only_to_one_before_it() -> None:
    stages = '\n[[stages]]\nname = "draw"\ndone_by = "annotator"\nreturns_to = "review"\n'
    stages += '\n[[stages]]\nname = "review"\ndone_by = "radiologist"\nafter = ["draw"]\nreturns_to = "draw"\n'
    assert _fault(MINIMAL + stages) == ("line 18", "protocol-stage-return")


def test_every_fault_is_named_at_once_in_the_order_of_the_lines() -> None:
    text = MINIMAL.replace("version = 1", "version = 0").replace('"MR"', '"US"').replace("#ff0000", "red")
    assert [fault.subject for fault in check_document(text)[1]] == ["line 2", "line 8", "line 13"]
    with pytest.raises(RejectedInput, match=r"line 2: .* 2 more fault\(s\) follow") as refused:
        read_protocol(text)
    assert "check_protocol" in refused.value.remedy


@pytest.mark.parametrize("text", ["", "x", "a = [", "images = 3\nlabels = [1]\ndrawn = {}", "[[images]]\n" * 2000])
def test_any_text_gives_faults_and_never_breaks(text: str) -> None:
    protocol, faults = check_document(text)
    assert protocol is None
    assert faults


def test_a_document_is_named_or_given_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert protocol_text(str(path)) == MINIMAL
    assert protocol_text("t1") == shipped_text("t1")
    with pytest.raises(
        RejectedInput, match="Give one of ct, lipoma, lipoma-ladder, mstt-199, mstt-199-staged, pet-ct, t1"
    ) as refused:
        protocol_text("t3")
    assert refused.value.code == "protocol-unknown"


def test_a_number_of_thousands_of_digits_is_no_toml() -> None:
    assert _fault(MINIMAL.replace("version = 1", "version = " + "9" * 5000))[1] == "protocol-toml"


def test_a_dotted_key_is_found_on_its_line() -> None:
    text = MINIMAL.replace('drawn = "t1"', 'tissue_types = ["fat"]\ndrawn = "t1"\ndrawn_by_tissue_type."fat" = "t9"')
    assert _fault(text) == ("line 6", "protocol-drawn-unknown")


def test_a_tissue_type_that_names_no_image_has_the_code_of_its_table() -> None:
    text = (
        MINIMAL.replace('drawn = "t1"', 'tissue_types = ["a b"]\ndrawn = "t1"') + '[drawn_by_tissue_type]\n"a b" = 3\n'
    )
    assert _fault(text) == ("line 16", "protocol-drawn-by-tissue-type")


def test_thousands_of_stages_are_refused_at_once() -> None:
    stages = "".join(f'[[stages]]\nname = "s{number}"\ndone_by = "annotator"\n' for number in range(8000))
    assert _fault(MINIMAL + stages)[1] == "protocol-many"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [('"t1"', '"com1"', "protocol-image-name"), ('"Tumour"', '"Tumour "', "protocol-name")],
    ids=["device-of-windows", "label-ends-with-space"],
)
def test_a_name_that_another_program_would_change_is_refused(old: str, new: str, code: str) -> None:
    assert _fault(MINIMAL.replace(old, new))[1] == code


def test_an_imported_name_that_is_another_labels_own_is_named() -> None:
    other = '[[labels]]\nvalue = 2\nname = "Oedema"\ncolour = "#00ff00"\nimported_names = ["tumour"]\n'
    assert _fault(f"{MINIMAL}\n{other}") == ("line 19", "protocol-imported-twice")
