"""MONAI's list of cases, read by MONAI."""

import json
from pathlib import Path

from datasets.release.build import ReleaseRole
from datasets.release.describing.metadata.monai import channels_of, monai_list
from tests.datasets.release.describing.samples import entry
from tests.datasets.release.samples import CODES, SETTINGS, sample_path


def test_monai_finds_every_image_and_mask(sound_release: Path) -> None:
    from monai.data import load_decathlon_datalist, load_decathlon_properties

    found = load_decathlon_datalist(str(sound_release / "monai.json"), True, "training", str(sound_release))
    assert [each["case"] for each in found] == list(CODES)
    for each in found:
        assert each["image"] == [str(sound_release / sample_path(each["case"], role)) for role in ("t1", "t2")]
        assert each["label"] == str(sound_release / sample_path(each["case"], "mask"))
        assert all(Path(path).exists() for path in (*each["image"], each["label"]))
    splits = json.loads((sound_release / "splits.json").read_bytes())["folds"]
    assert all(each["case"] in splits[each["fold"]] for each in found)
    named = load_decathlon_properties(str(sound_release / "monai.json"), ["modality", "labels", "numTraining"])
    assert named == {
        "modality": {"0": "T1-weighted", "1": "T2-weighted"},
        "labels": {"0": "background", "1": "Tumour"},
        "numTraining": 5,
    }


def test_only_images_that_all_cases_have_are_channels() -> None:
    entries = [entry(2), entry(3, images={"t2": "3/t2.nii.gz"})]
    assert [role.name for role in channels_of(SETTINGS, entries)] == ["t2"]
    found = json.loads(monai_list(SETTINGS, entries, {"sub-1_ses-2": 1, "sub-1_ses-3": 2}))
    assert [each["image"] for each in found["training"]] == [["2/t2.nii.gz"], ["3/t2.nii.gz"]]
    assert [each["fold"] for each in found["training"]] == [0, 1]
    assert channels_of(SETTINGS, [entry(2)]) == [role for role in SETTINGS.roles if isinstance(role, ReleaseRole)]
