"""The dataset card of a release."""

from dataclasses import replace

from datasets.finding import Finding, Level
from datasets.release.card import dataset_card
from datasets.release.manifest import CaseEntry
from datasets.release.request import ReleaseRole
from tests.datasets.release.samples import SETTINGS


def _entry(number: int, **changes: object) -> CaseEntry:
    entry = CaseEntry(
        case=f"C{number}",
        patient=f"P{number // 2}",
        tissue_type="fat",
        anatomical_site="thigh",
        drawn_role="t1",
        images=("t1", "t2"),
        missing_images=(),
        quality_score="excellent",
        shape=(4, 4, 4),
        spacing_mm=(1.0, 1.0, 1.0),
        volume_ml=float(number * 100),
        label_volumes_ml={"Tumour": float(number * 100)},
        mask_empty=False,
        unannotated_slices=(),
        sources={},
        parameters={},
    )
    return replace(entry, **changes)


CASES = [_entry(2), _entry(3, tissue_type="nerve", drawn_role="t2"), _entry(4, quality_score=None)]


def test_counts() -> None:
    card = dataset_card(SETTINGS, CASES)
    assert "3 cases of 2 patients" in card
    for row in ("| fat | 2 |", "| nerve | 1 |", "| excellent | 2 |", "| not scored | 1 |"):
        assert row in card.splitlines()
    for row in (
        "| t1 | T1-weighted | MRI | 3 | 2 |",
        "| t2 | T2-weighted | MRI | 3 | 1 |",
        "| Tumour | 3 | 300 | 200 | 400 |",
    ):
        assert row in card.splitlines()
    assert "MRI with masks of Tumour: 3 cases of 2 patients" in card
    assert "by protocol mstt-199, version 1." in card
    assert "optional image" not in card


def test_what_the_publisher_says() -> None:
    card = dataset_card(
        replace(SETTINGS, masks_made_by="Two students drew.", follows="1.1.0", withdrawn=("C9",)), CASES
    )
    for text in ("# thigh-tumours 1.2.0", "Phantoms of tumours.", "Two students drew.", "- Nobody has these tumours."):
        assert text in card
    for text in (
        "CC-BY-4.0; see `LICENSE.txt`",
        "- Nobody et al., 2024.",
        "It follows version 1.1.0.",
        "- C9",
        "- 1: Tumour",
    ):
        assert text in card


def test_what_the_publisher_leaves_out_is_said() -> None:
    card = dataset_card(replace(SETTINGS, known_limits=(), citations=()), CASES)
    assert "The publisher names none." in card
    assert "The publisher asks for none." in card
    assert "Withdrawn" not in card


def test_how_to_verify() -> None:
    lines = dataset_card(SETTINGS, CASES).splitlines()
    assert "    sha256sum -c SHA256SUMS" in lines
    assert "    python manage.py verify_release thigh-tumours-1.2.0" in lines


def test_empty_and_partly_annotated_masks_are_said_and_do_not_count_as_volumes() -> None:
    empty = _entry(5, mask_empty=True, volume_ml=0.0, label_volumes_ml={"Tumour": 0.0}, unannotated_slices=(1, 2))
    card = dataset_card(SETTINGS, [*CASES, empty])
    assert "The mask of 1 case is empty" in card
    assert "In 1 case some slices" in card
    assert "| Tumour | 3 | 300 | 200 | 400 |" in card
    assert "## Volumes" not in dataset_card(SETTINGS, [empty])


def test_further_labels_and_missing_images_are_said() -> None:
    settings = replace(
        SETTINGS,
        labels={1: "Tumour", 2: "Oedema", 3: "Cyst"},
        roles=(
            ReleaseRole("ct", "CT", "CT"),
            ReleaseRole("pet", "FDG-PET", "PT"),
            ReleaseRole("t1", "T1", "MR", False),
        ),
    )
    volumes = {"Tumour": 8.0, "Oedema": 40.0, "Cyst": 0.0}
    case = _entry(1, drawn_role="ct", images=("ct", "pet"), missing_images=("t1",), label_volumes_ml=volumes)
    card = dataset_card(settings, [case])
    assert "CT, PET and MRI with masks of Tumour, Oedema and Cyst: 1 case of 1 patient" in card
    for row in (
        "| Oedema | 1 | 40 | 40 | 40 |",
        "| pet | FDG-PET | PET | 1 | 0 |",
        "| t1 | T1 | MRI | 0 | 0 |",
        "- 3: Cyst",
    ):
        assert row in card.splitlines()
    assert "| Cyst |" not in card
    assert "1 case without an optional image" in card


def test_findings_about_the_folds_are_said() -> None:
    finding = Finding(Level.WARNING, "folds-lowered", "Expected 5 folds, got 2.", "Add patients.")
    assert f"- {finding}" in dataset_card(SETTINGS, CASES, split_findings=[finding])
    assert "Suggested folds" not in dataset_card(SETTINGS, CASES)
