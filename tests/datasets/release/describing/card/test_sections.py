"""The dataset card of a release."""

from collections.abc import Sequence
from dataclasses import replace

from datasets.finding import Finding, Level
from datasets.release.describing.card.markdown import as_markdown
from datasets.release.describing.card.sections import dataset_card
from datasets.release.describing.case_facts import CaseFacts
from datasets.release.describing.changes import CaseChange, ReleaseChanges
from datasets.release.describing.splits import Splits
from datasets.release.paths import CONVERTER_NAME
from datasets.release.settings import ReleaseRole, ReleaseSettings, by_protocol
from datasets.study.grey_values import GreyValues
from datasets.study.shipped_protocols import shipped_names, shipped_protocol
from tests.datasets.release.describing.samples import PUBLICATION, facts
from tests.datasets.release.samples import SETTINGS

CASES = [facts(2), facts(3, tissue_type="nerve", drawn_role="t2"), facts(4, quality_score=None)]
SPLITS = Splits((("sub-1_ses-2",), ("sub-1_ses-3", "sub-2_ses-4")), (), 7)
FIRST = ReleaseChanges("1.2.0")


def card(
    settings: ReleaseSettings = SETTINGS,
    cases: Sequence[CaseFacts] = CASES,
    *,
    splits: Splits = SPLITS,
    changes: ReleaseChanges = FIRST,
    files: Sequence[str] = (CONVERTER_NAME,),
) -> str:
    return as_markdown(dataset_card(settings, cases, splits=splits, changes=changes, files=files)).decode()


def test_counts() -> None:
    text = card()
    assert "MRI with masks of Tumour: 3 cases of 2 patients" in text
    assert "by protocol mstt-199, version 1." in text
    assert "optional image" not in text
    for row in (
        "| thigh | 2 | 1 | 3 |",
        "| all sites | 2 | 1 | 3 |",
        "| excellent | 2 |",
        "| not scored | 1 |",
        "| t1 | T1-weighted | MRI | t1 | 3 | 2 |",
        "| t2 | T2-weighted | MRI | t2 | 3 | 1 |",
        "| Tumour | 3 | 300 | 250 to 350 | 200 | 400 |",
        "| fat | 2 | 300 | 250 to 350 | 200 | 400 |",
    ):
        assert row in text.splitlines(), row


def test_what_the_publisher_says() -> None:
    settings = replace(
        SETTINGS,
        masks_made_by="Two students drew.",
        follows="1.1.0",
        withdrawn=("C9",),
        reasons={"C9": "consent was withdrawn"},
        publication=PUBLICATION,
    )
    text = card(settings)
    for line in (
        "# Soft-tissue tumours of the thigh",
        "Phantoms of tumours.",
        "Two students drew.",
        "- Nobody has these tumours.",
        "CC-BY-4.0; see `LICENSE`.",
        "- Nobody et al., 2024.",
        "| follows | 1.1.0 |",
        "- C9: consent was withdrawn",
        "- 1: Tumour",
        "| made by | University Hospital; Doe, Jane |",
        "| DOI | 10.1234/abcd |",
        "- Funding: Cancer Foundation, grant 17",
        "- Ethics: Committee 2020-1",
    ):
        assert line in text.splitlines(), line


def test_what_the_publisher_leaves_out_is_said() -> None:
    text = card(replace(SETTINGS, known_limits=(), citations=()))
    assert "The publisher names none." in text
    assert "The publisher asks for no citation." in text
    for absent in ("Withdrawn", "made by |", "DOI", "contact", "Funding"):
        assert absent not in text


def test_loading_takes_five_commands_at_most() -> None:
    loading = card().partition("## How to load")[2].partition("```\n")[2].partition("\n```")[0].splitlines()
    assert 3 <= len(loading) <= 5
    assert sum("convert.py" in line for line in loading) == 2
    assert any("load_decathlon_datalist" in line for line in loading)


def test_empty_and_partly_annotated_masks_are_said_and_do_not_count_as_volumes() -> None:
    empty = facts(5, mask_empty=True, volume_ml=0.0, label_volumes_ml={"Tumour": 0.0}, unannotated_slices=(1, 2))
    text = card(cases=[*CASES, empty])
    assert "The mask of 1 case is empty" in text
    assert "In 1 case some slices" in text
    assert "| Tumour | 3 | 300 | 250 to 350 | 200 | 400 |" in text
    assert "## Volumes" not in card(cases=[empty])


def test_further_labels_and_missing_images_are_said() -> None:
    settings = replace(
        SETTINGS,
        labels={1: "Tumour", 2: "Oedema", 3: "Cyst"},
        roles=(
            ReleaseRole("ct", "CT", "ct"),
            ReleaseRole("pet", "FDG-PET", "pet"),
            ReleaseRole("t1", "T1", "t1", False),
        ),
    )
    volumes = {"Tumour": 8.0, "Oedema": 40.0, "Cyst": 0.0}
    images = {"ct": "ct.nii.gz", "pet": "pet.nii.gz"}
    case = facts(1, drawn_role="ct", images=images, missing_images=("t1",), label_volumes_ml=volumes)
    text = card(settings, [case])
    assert "CT, PET and MRI with masks of Tumour, Oedema and Cyst: 1 case of 1 patient" in text
    for row in (
        "| Oedema | 1 | 40 | 40 to 40 | 40 | 40 |",
        "| pet | FDG-PET | PET | pet | 1 | 0 |",
        "| t1 | T1 | MRI | t1 | 0 | 0 |",
        "- 3: Cyst",
    ):
        assert row in text.splitlines(), row
    assert "| Cyst |" not in text
    assert "1 case without an optional image" in text


def test_scanners_readers_models_and_registrations_are_told_where_records_have_them() -> None:
    scanned = {"vendor": "siemens", "field_strength_t": 1.5, "spacing_mm": [0.5, 0.5, 4.0], "has_contrast_agent": False}
    cases = [
        facts(2, acquisition={"t1": scanned}, agreement={"dice": 0.8}, models=("six-points 3",), stages=("Drawing",)),
        facts(3, acquisition={"t1": {**scanned, "field_strength_t": 3.0}}, registrations={"t2": "accept"}),
        facts(4, acquisition={"t1": {"vendor": "ge", "field_strength_t": 3.0}}, agreement={"dice": 0.9}),
    ]
    lines = card(cases=cases).splitlines()
    for row in (
        "| series with known headers | 3 |",
        "| vendor | siemens 2, ge 1 |",
        "| field strength (T) | 3 (1.5 to 3) |",
        "| slice spacing (mm) | 4 |",
        "| contrast agent | 0 of 2 |",
        "| Dice | 2 | 0.85 | 0.85 | 0.8 | 0.9 |",
        "| six-points 3 | 1 |",
        "| Drawing | 1 |",
        "| T2-weighted | accept | 1 |",
    ):
        assert row in lines, row
    for absent in ("Acquisition", "Agreement", "Models", "Verdicts on"):
        assert absent not in card()


def test_grey_values_are_those_that_annotators_see_for_mr_and_units_for_others() -> None:
    settings = replace(SETTINGS, roles=(ReleaseRole("t1", "T1", "t1"), ReleaseRole("ct", "Plain CT", "ct")))
    grey = {
        "t1": GreyValues((0, 0, 0, 0, 0, 0, 510), (200,) * 7, (100,) * 7),
        "ct": GreyValues((-1000,) * 7, (40,) * 7, (-900,) * 7),
    }
    found = dataset_card(settings, [facts(2, grey=grey)], splits=SPLITS, changes=FIRST, files=())
    figures = {figure.path: figure.alternative for figure in found.figures}
    assert "T1, in the mask: median 100, middle half 100 to 100" in figures["figures/grey-values-mr.svg"]
    assert "T1, outside: median 50" in figures["figures/grey-values-mr.svg"]
    assert "Plain CT, in the mask: median 40" in figures["figures/grey-values-ct.svg"]
    assert "Plain CT, outside: median -900" in figures["figures/grey-values-ct.svg"]


def test_rare_sites_are_counted_together() -> None:
    cases = [facts(number, anatomical_site=f"site {number:02d}") for number in range(2, 40)]
    lines = card(cases=cases).splitlines()
    assert "| site 02 | 1 | 1 |" in lines
    assert "| 8 further sites | 8 | 8 |" in lines
    assert "| all sites | 38 | 38 |" in lines


def test_every_shipped_protocol_is_told_in_words() -> None:
    for name in shipped_names():
        settings = by_protocol(SETTINGS, shipped_protocol(name))
        entries = [facts(2, images={}, label_volumes_ml=dict.fromkeys(settings.labels.values(), 1.0))]
        text = card(settings, entries)
        assert "A case goes through these stages:" in text
        assert settings.design is not None
        assert all(f". {stage.title}: " in text for stage in settings.design.steps)


def test_the_ladder_of_a_protocol_is_told() -> None:
    text = card(
        by_protocol(SETTINGS, shipped_protocol("mstt-199")),
        [facts(2, label_volumes_ml={"Tumour": 1.0, "Oedema": 0.0})],
    )
    assert "Masks are drawn on T2 and on T1 in cases of fat." in text
    assert "1. Drawing: all slices are drawn by an annotator, with masks that models suggest." in text
    assert "A case may be returned to Drawing." in text
    assert "- T2: MRI, T2-weighted, axial slices, with fat suppression" in text


def test_findings_about_the_folds_are_said() -> None:
    finding = Finding(Level.WARNING, "folds-lowered", "Expected 5 folds, got 2.", "Add patients.")
    assert "Expected 5 folds, got 2. Add patients." in card(splits=replace(SPLITS, findings=(finding,)))
    assert "2 folds: those of a model of the study." in card(splits=replace(SPLITS, seed=None))


def test_changes_since_the_version_before_are_said() -> None:
    changed = CaseChange("sub-1_ses-2", ("mask",), "the oedema was drawn as tumour")
    text = card(changes=ReleaseChanges("1.2.0", since="1.1.0", corrected=(changed,)))
    assert "- 1.2.0: Corrected: sub-1_ses-2 (mask): the oedema was drawn as tumour." in text.splitlines()
