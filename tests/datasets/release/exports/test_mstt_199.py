"""MSTT-199's slice folders: its scripts find every image, mask and patient by the rules that they have for paths."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from datasets.image.volume import Volume
from datasets.release.build import ReleaseRole, build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.mstt_199 import two_characters
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import ReleaseSource, open_release
from datasets.study.case import CaseVolumes
from datasets.study.training_slices import TrainingSliceSettings, isotropic_case
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import EMPTY, GRIDS, SETTINGS, write_cases

VIEWS = ("axial", "coronal", "sagittal")


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text())))


@pytest.fixture
def folder(export: Export) -> Path:
    return export("mstt-199", images=("t1", "t2"))


def test_the_published_scripts_find_their_way(folder: Path) -> None:
    """As the training script looks: from a T2 to its T1 and its mask by other words in the path, and by tables."""
    consensus = {row["PID"]: row for row in _table(folder / "consensus_information.csv")}
    images = sorted(folder.glob("image_2_5d_isotropic_*_stride-1/*/*"))
    t2 = [path for path in images if "T2" in path.name]
    assert {path.name[:3] for path in images} == {*consensus}
    counts = {
        view: {
            (row["flnames"].split("_")[0], row["flnames"].split("_")[-1].split(".")[0]): int(row["tumor_pixels"])
            for row in _table(folder / f"mask_isotropic_{view}_tumor_pixel_count.csv")
        }
        for view in VIEWS
    }
    for path in t2:
        assert Path(str(path).replace("T2", "T1")).exists()
        view = path.parts[-3].split("_")[4]
        pid, instance = path.name[:3], path.name.split("_")[-1].split(".")[0]
        modality = consensus[pid]["Modality"]
        relative = str(path.relative_to(folder)).replace(path.parts[-3], f"mask_isotropic_{view}_png")
        mask = np.asarray(Image.open(folder / relative.replace("T1", modality).replace("T2", modality)))
        assert mask.ndim == 2
        assert set(np.unique(mask)) <= {0, 1}
        assert int(mask.sum()) == counts[view][pid, instance]
        assert np.asarray(Image.open(path)).shape == (*mask.shape, 3)
    assert len(t2) * 2 == len(images)
    assert sum(map(len, counts.values())) == len(t2)


def test_the_publisher_s_way_back_gives_the_case_at_1_mm(folder: Path, source: ReleaseSource) -> None:
    """As `create_output_volume` of the publisher joins the views: (slice, row, column) to (k, i, j)."""
    back = {"axial": (0, 1, 2), "coronal": (2, 0, 1), "sagittal": (2, 1, 0)}
    pids = {code: pid for pid, code in json.loads((folder / "export.json").read_text())["pids"].items()}
    for case in source.cases:
        if case.code == EMPTY:
            continue
        volumes = CaseVolumes({role: source.volume(case, role) for role in ("t1", "t2")})
        cubic = isotropic_case(volumes, source.mask(case), TrainingSliceSettings())
        for role, called in (("t1", "T1"), ("t2", "T2")):
            for view, axes in back.items():
                name = f"image_2_5d_isotropic_{view}_stride-1/{pids[case.code]}_{called}"
                pictures = np.stack([np.asarray(Image.open(path)) for path in sorted((folder / name).iterdir())])
                joined = pictures[..., 1].transpose(axes).transpose(1, 2, 0)
                expected = as_ras(Volume(cubic.images[role], cubic.grid)).data[::-1, ::-1]
                np.testing.assert_array_equal(joined, expected)
                np.testing.assert_array_equal(pictures[1:, ..., 0], pictures[:-1, ..., 1])
                np.testing.assert_array_equal(pictures[:-1, ..., 2], pictures[1:, ..., 1])


def test_patients_are_called_by_tissue_and_number(folder: Path) -> None:
    record = json.loads((folder / "export.json").read_text())
    assert record["pids"] == {"M01": "sub-0001_ses-1", "M02": "sub-0002_ses-1", "L01": "sub-0004_ses-1"}
    assert {*GRIDS} - {*record["pids"].values()} == {EMPTY}
    assert {each["code"] for each in record["findings"]} == {"export-case-left-out", "mstt-labels"}


def test_three_characters_are_enough_for_359_cases_of_a_tissue() -> None:
    numbers = [two_characters(number) for number in range(1, 360)]
    assert (numbers[0], numbers[98], numbers[99], numbers[-1]) == ("01", "99", "A0", "Z9")
    assert len(set(numbers)) == 359
    assert {len(each) for each in numbers} == {2}


def test_two_images_of_one_modality_are_refused(tmp_path: Path) -> None:
    roles = (ReleaseRole("t1", "T1", "t2"), *SETTINGS.roles[1:])
    settings = replace(SETTINGS, roles=roles)
    release = build_release(write_cases(tmp_path, complete=True), settings, tmp_path / "r").folder
    with pytest.raises(RejectedInput, match="t1 is T2, t2 is T2") as refusal:
        plan_export(open_release(release), FORMATS["mstt-199"], ExportOptions())
    assert refusal.value.code == "mstt-modalities"


def test_a_patient_with_several_cases_is_named(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, complete=True, empty=None)
    cases = [replace(cases[1], code="sub-0001_ses-2") if case is cases[1] else case for case in cases]
    release = build_release(cases, SETTINGS, tmp_path / "r").folder
    plan = plan_export(open_release(release), FORMATS["mstt-199"], ExportOptions(images=("t2",)))
    assert "mstt-patients" in {each.code for each in plan.findings}
    write_export(plan, tmp_path / "out")
