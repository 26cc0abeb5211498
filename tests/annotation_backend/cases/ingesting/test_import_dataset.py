"""`import_dataset` with a real database: every layout becomes cases with the same voxels on the same grids."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.public_dataset import import_dataset
from annotation_backend.cases.models import Case, ImportedMask, Ingest
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.report import write_report
from annotation_backend.review.models import Review
from datasets.errors import TryAgain
from datasets.files import locked
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.volume import Grid
from tests.annotation_backend.support.records import second_study
from tests.data import STS_DICOM, STS_NIFTI, require
from tests.datasets.archives.bad_archives import BAD_ARCHIVES
from tests.datasets.public import trees

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


def imported(path: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Exit status and document of the command."""
    capsys.readouterr()
    status = 0
    try:
        call_command("import_dataset", str(path), "--json", *arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, json.loads(capsys.readouterr().out)


def codes(document: Mapping[str, Any], *levels: str) -> set[str]:
    return {one["code"] for one in document["details"] if one["level"] in (levels or ("warning", "error"))}


@dataclass(frozen=True)
class Layout:
    """A layout, and what has to come of its tree.

    Args:
        write: Writes the tree.
        protocol: Of the study.
        roles: Of each case's images; an optional one may be missing.
        cases: How many.
        values: Name of an imported mask to the values of the source that it is made of.
        masks: How many masks.
        arguments: Of the command.
        warnings: Codes of what is warned of.
        tissues: Tissue types.
    """

    write: Callable[[Path], Path]
    protocol: str
    roles: tuple[str, ...]
    cases: int
    values: Mapping[str, Sequence[int]]
    masks: int
    arguments: tuple[str, ...] = ()
    warnings: frozenset[str] = frozenset()
    tissues: tuple[str, ...] = field(default=("unknown",))


TUMOUR, BOTH = {"tumour": (1,)}, {"tumour": (1,), "oedema": (2,)}
FAT_UNSAID = frozenset({"t2-not-fat-suppressed"})
"""The dataset does not say that fat is suppressed, and the protocol wants it."""

LAYOUTS: dict[str, Layout] = {
    "sts": Layout(
        trees.write_sts, "t1", ("t1",), 3, TUMOUR, 3,
        tissues=("fat", "myxoid", "unknown"), warnings=frozenset({"dataset-channel-without-role"}),
    ),
    "worc": Layout(
        trees.write_worc, "t1", ("t1",), 4, {**TUMOUR, "tumour_2": (1,)}, 5,
        tissues=("fat", "fat", "fibrous", "unknown"),
    ),
    "hecktor": Layout(trees.write_hecktor, "pet-ct", ("ct", "pet"), 4, TUMOUR, 3),
    "decathlon": Layout(trees.write_decathlon, "mstt-199", ("t1", "t2"), 4, BOTH, 6, warnings=FAT_UNSAID),
    "decathlon of one channel": Layout(
        partial(trees.write_decathlon, channels=("CT",)), "ct", ("ct",), 4, TUMOUR, 3, arguments=("--label", "edema="),
    ),
    "nnunet": Layout(trees.write_nnunet, "mstt-199", ("t1", "t2"), 3, BOTH, 6, warnings=FAT_UNSAID),
    "nnunet of version 1": Layout(
        partial(trees.write_nnunet, version=1), "mstt-199", ("t1", "t2"), 3, BOTH, 6, warnings=FAT_UNSAID,
    ),
    "bcv": Layout(
        trees.write_bcv, "ct", ("ct",), 4, {"tumour": (6, 11)}, 3,
        arguments=("--label", "liver=Tumour", "--label", "11=Tumour", "--label", "*="),
    ),
    "bids": Layout(
        trees.write_bids, "mstt-199", ("t1", "t2"), 3, BOTH, 4,
        warnings=FAT_UNSAID, tissues=("fat", "nerve", "unknown"),
    ),
}  # fmt: skip


def sources(folder: Path) -> list[tuple[np.ndarray, Grid]]:
    """Every volume in a tree, channel by channel."""
    found = []
    for path in sorted(folder.rglob("*.nii.gz")):
        image = nib.load(path)
        data = np.asarray(image.dataobj)
        channels = [data] if data.ndim == 3 else [data[..., channel] for channel in range(data.shape[-1])]
        found += [(one, Grid(one.shape, image.affine)) for one in channels]
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_becomes_cases_with_its_own_voxels(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = LAYOUTS[name]
    folder, study = layout.write(tmp_path / "in"), second_study(protocol=layout.protocol)
    arguments = ("--study", study.name, *layout.arguments)
    _, looked = imported(folder, *arguments, "--dry-run", capsys=capsys)
    assert (looked["would_be_new"], Case.objects.count()) == (layout.cases, 0)
    status, done = imported(folder, *arguments, capsys=capsys)
    assert done["layout"] == name.split()[0]
    assert codes(done) == layout.warnings
    assert status == (1 if done["details"] else 0)
    cases = list(Case.objects.filter(study=study).order_by("pk"))
    assert [case.code for case in cases] == done["new"]
    assert tuple(sorted(case.tissue_type for case in cases)) == (
        layout.tissues if len(layout.tissues) == layout.cases else layout.tissues * layout.cases
    )
    known = sources(folder)
    taken = []
    for case in cases:
        assert tuple(sorted(case.series.values_list("role", flat=True))) == layout.roles
        for series in case.series.all():
            stored = read_volume(series.path)
            same = [at for at, (data, grid) in enumerate(known)
                    if stored.grid.matches(grid) and np.array_equal(stored.data, data.astype(np.float32))]  # fmt: skip
            assert len(same) == 1
            taken += same
            for mask in series.imported_masks.all():
                drawn = read_mask(mask.path)
                values = layout.values[mask.roi_name]
                assert any(
                    drawn.grid.matches(grid) and np.array_equal(drawn.foreground, np.isin(data, values))
                    for data, grid in known
                )
    assert len(taken) == len(set(taken))
    assert ImportedMask.objects.count() == layout.masks
    assert Review.objects.count() == 0
    again = imported(folder, *arguments, capsys=capsys)[1]
    assert (again["new"], sorted(again["known"])) == ([], sorted(done["new"]))
    assert ImportedMask.objects.count() == layout.masks
    run = Ingest.objects.first()
    assert run is not None
    assert run.source["layout"] == done["layout"]
    assert len(run.source["sha256"]) == 64
    assert run.source == Ingest.objects.last().source


def test_slices_become_the_volumes_that_they_were_cut_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = second_study(protocol="mstt-199")
    _, done = imported(trees.write_mstt_199(tmp_path / "in"), "--study", study.name, capsys=capsys)
    assert (len(done["new"]), codes(done), codes(done, "info")) == (2, set(), {"slices-place-assumed"})
    assert done["images"] == {"T1": "t1", "T2": "t2"}
    cases = {case.tissue_type: case for case in Case.objects.all()}
    assert {tissue: case.drawn_role for tissue, case in cases.items()} == {"fat": "t1", "nerve": "t2"}
    for number, case in enumerate((cases["fat"], cases["nerve"])):
        for seed, role in enumerate(("t1", "t2")):
            wanted = np.clip(trees.grey(10 * number + seed, (12, 10, 8)), 0, 255).astype(np.uint8)
            assert np.array_equal(read_volume(case.series.get(role=role).path).data, wanted)
        (mask,) = ImportedMask.objects.filter(series__case=case)
        assert mask.series.role == case.drawn_role
        assert np.array_equal(read_mask(mask.path).data, trees.labelled(1, shape=(12, 10, 8)))
    again = imported(tmp_path / "in", "--study", study.name, capsys=capsys)[1]
    assert (again["new"], sorted(again["known"])) == ([], sorted(done["new"]))


def test_a_patient_with_two_cases_waits_for_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (0, 1):
        trees.put(tmp_path / "in" / "GIST-018" / f"image_lesion_{number}.nii.gz", trees.grey(number), trees.FLIPPED)
        mask = tmp_path / "in" / "GIST-018" / f"segmentation_lesion_{number}.nii.gz"
        trees.put(mask, trees.labelled(1), trees.FLIPPED)
    _, done = imported(tmp_path / "in", "--study", second_study(protocol="ct").name, capsys=capsys)
    assert (done["cases"], done["new"], len(done["undecided"])) == (2, [], 1)


def refusal(path: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status, document = imported(path, *arguments, capsys=capsys)
    assert Case.objects.count() == 0
    return status, document["code"], document["error"]


def test_what_is_not_clear_is_refused_before_anything_comes_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = second_study(protocol="ct").name
    bcv = trees.write_bcv(tmp_path / "bcv")
    status, code, text = refusal(bcv, "--study", study, capsys=capsys)
    assert (status, code) == (2, "source-label-unknown")
    assert "liver" in text
    assert "--label SOURCE=Tumour" in text
    assert refusal(bcv, "--study", study, "--layout", "hecktor", capsys=capsys)[1] == "layout-other-tree"
    assert refusal(bcv, "--study", study, "--layout", "ours", capsys=capsys)[1] == "layout-unknown"
    with pytest.raises(CommandError, match="SOURCE=OURS"):
        call_command("import_dataset", str(tmp_path), "--label", "liver")
    trees.put(tmp_path / "plain" / "P1" / "ct.nii.gz", trees.grey(1), trees.OBLIQUE)
    assert refusal(tmp_path / "plain", "--study", study, capsys=capsys)[1] == "layout-none"
    assert refusal(tmp_path / "absent", "--study", study, capsys=capsys)[1] == "no-such-folder"
    assert refusal(trees.write_sts(tmp_path / "sts"), "--study", study, "--image", "T1=mr", capsys=capsys)[1] == (
        "role-unknown"
    )


def test_faults_of_single_cases_are_named_and_the_others_come_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mask on another grid, an empty one, one with a value that nobody named, and a case without an image."""
    folder = trees.write_nnunet(tmp_path / "in")
    moved = trees.AFFINES[0].copy()
    moved[0, 3] += 1.0
    trees.put(folder / "labelsTr" / "case_001.nii.gz", trees.labelled(1, 2), moved)
    trees.put(folder / "labelsTr" / "case_002.nii.gz", trees.labelled(), trees.AFFINES[1])
    trees.put(folder / "labelsTr" / "case_003.nii.gz", trees.labelled(1, 7), trees.AFFINES[2])
    trees.put(folder / "labelsTr" / "case_004.nii.gz", trees.labelled(1), trees.AFFINES[2])
    study = second_study(protocol="mstt-199").name
    _, done = imported(folder, "--study", study, capsys=capsys)
    assert codes(done) == {
        "mask-grid", "mask-empty", "source-mask-values", "dataset-label-without-image", *FAT_UNSAID,
    }  # fmt: skip
    assert (len(done["new"]), ImportedMask.objects.count()) == (3, 0)
    (finding,) = [one for one in done["details"] if one["code"] == "source-mask-values"]
    assert "value 7" in finding["message"]
    _, again = imported(folder, "--study", study, "--label", "7=Oedema", capsys=capsys)
    assert (again["new"], len(again["known"])) == ([], 3)
    assert sorted(ImportedMask.objects.values_list("roi_name", flat=True)) == ["oedema", "tumour"]
    (folder / "imagesTr" / "case_002_0001.nii.gz").unlink()
    _, less = imported(folder, "--study", study, "--label", "7=Oedema", capsys=capsys)
    assert {"dataset-channel-missing", "no-t2"} <= codes(less)
    assert Case.objects.count() == 3


@pytest.mark.parametrize("kind", ["zip", "gztar", "tar"])
def test_an_archive_is_the_folder_that_it_was_made_of(
    tmp_path: Path, kind: str, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trees.write_worc(tmp_path / "in" / "download")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path / "in"))
    study = second_study(protocol="t1").name
    _, done = imported(archive, "--study", study, capsys=capsys)
    assert len(done["new"]) == 4
    assert [path for path in (own_data / "scratch").rglob("*") if path.is_file()] == []
    _, again = imported(folder, "--study", study, capsys=capsys)
    assert (again["new"], len(again["known"])) == ([], 4)
    assert ImportedMask.objects.count() == 5


@pytest.mark.parametrize("name", ["44-zip-slip", "44-zip-symlink", "45-encrypted", "48-direction-override"])
def test_a_bad_archive_is_refused_by_name(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = BAD_ARCHIVES[name]
    (tmp_path / "packed.zip").write_bytes(content())
    study = second_study(protocol="t1").name
    assert refusal(tmp_path / "packed.zip", "--study", study, capsys=capsys)[:2] == (2, code)


def test_a_dataset_in_our_own_folders_is_refused(
    tmp_path: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trees.write_worc(own_data / "in")
    archive = Path(shutil.make_archive(str(own_data / "packed"), "zip", folder))
    study = second_study(protocol="t1").name
    for path in (folder, archive, tmp_path):
        assert refusal(path, "--study", study, capsys=capsys)[1] == "own-folder"


def test_the_cohorts_report_says_whose_datasets_came_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = second_study(protocol="t1")
    for folder in (trees.write_worc(tmp_path / "worc"), trees.write_sts(tmp_path / "sts"), tmp_path / "worc"):
        imported(folder, "--study", study.name, capsys=capsys)
    page, report = write_report(study, tmp_path / "reports")
    assert [source["title"] for source in report.sources] == ["WORC database", "Soft-Tissue-Sarcoma (TCIA)"]
    assert "Licence: CC BY 3.0. Cite: Vallières et al. 2015" in page.read_text(encoding="utf-8")


def test_two_at_once_are_told_of_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, study = trees.write_worc(tmp_path / "in"), second_study(protocol="t1")
    (study.folder).mkdir(parents=True)
    with ThreadPoolExecutor(1) as other, locked_elsewhere(other, study.folder / ".ingest.lock"):
        assert refusal(folder, "--study", study.name, capsys=capsys)[:2] == (3, "ingest-running")
        assert imported(folder, "--study", study.name, "--dry-run", capsys=capsys)[1]["would_be_new"] == 4
        with pytest.raises(TryAgain):
            ingest(folder, study=study)
    assert len(imported(folder, "--study", study.name, capsys=capsys)[1]["new"]) == 4


@contextmanager
def locked_elsewhere(other: ThreadPoolExecutor, place: Path) -> Iterator[None]:
    """A lock that somebody else holds."""
    place.touch()
    held = locked(place)
    other.submit(held.__enter__).result()
    yield
    other.submit(held.__exit__, None, None, None).result()


def test_an_import_that_was_stopped_goes_on(
    tmp_path: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", trees.write_worc(tmp_path / "in")))
    study = second_study(protocol="t1")

    def stop_after_one(done: int, total: int) -> None:
        if Case.objects.count() == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(archive, study=study, progress=lambda what: stop_after_one if what == "storing case" else print)
    assert Case.objects.count() in (1, 2)
    before = set(Case.objects.values_list("code", flat=True))
    assert [path for path in (own_data / "scratch").rglob("*") if path.is_file()] == []
    _, done = imported(archive, "--study", study.name, capsys=capsys)
    assert len(done["new"]) == 4 - len(before)
    assert set(done["known"]) == before
    assert ImportedMask.objects.count() == 5


def test_names_of_the_source_are_in_no_record_and_no_file(
    tmp_path: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "Canary-Nightingale"
    folder = trees.write_nnunet(tmp_path / canary)
    for path in sorted(folder.rglob("case_001*")):
        path.rename(path.with_name(path.name.replace("case_001", canary)))
    document = json.loads((folder / "dataset.json").read_text())
    document["labels"] = {"background": 0, "tumour": 1, canary: 2}
    document["description"] = canary
    (folder / "dataset.json").write_text(json.dumps(document))
    study = second_study(protocol="mstt-199").name
    status, code, text = refusal(folder, "--study", study, capsys=capsys)
    assert (status, code) == (2, "source-label-unknown")
    _, done = imported(folder, "--study", study, "--label", f"{canary}=Oedema", capsys=capsys)
    assert len(done["new"]) == 3
    shown = f"{text} {json.dumps(done)} {capsys.readouterr()}"
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            shown += str(cursor.fetchall())
    shown += " ".join(path.relative_to(own_data).as_posix() for path in own_data.rglob("*"))
    assert canary.lower() not in shown.lower()
    held = [path.read_bytes() for path in own_data.rglob("*") if path.is_file() and path.suffix in (".gz", ".png")]
    assert held
    assert not any(canary.encode() in content for content in held)


def test_real_sarcomas_as_dicom_with_their_structure_sets(capsys: pytest.CaptureFixture[str]) -> None:
    folder = require(STS_DICOM)
    _, done = imported(folder, "--study", second_study(protocol="mstt-199").name, capsys=capsys)
    (case,) = Case.objects.all()
    assert (done["cases"], len(done["new"]), codes(done)) == (3, 1, {"no-t2"})
    found = ImportedMask.objects.values_list("series__role", "roi_name").order_by("pk")
    assert sorted(found) == [("t1", "gtv_edema"), ("t1", "gtv_mass"), ("t2", "gtv_edema"), ("t2", "gtv_mass")]
    assert imported_label(case) is not None or not case.is_registered
    others = second_study("others", protocol="pet-ct").name
    assert "GTV_Edema" in imported(folder, "--study", others, capsys=capsys)[1]["error"]
    _, both = imported(folder, "--study", others, "--label", "GTV_Edema=", capsys=capsys)
    assert (len(both["new"]), codes(both, "error")) == (2, {"no-ct", "no-pet"})
    roles = Case.objects.filter(study__name="others").values_list("series__role", "series__imported_masks__roi_name")
    assert sorted(roles) == [("ct", "gtv_mass_ct")] * 2 + [("pet", "gtv_mass_pet")] * 2


def test_real_sarcomas_as_nifti(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("STS_001", "STS_003", "STS_007"):
        shutil.copytree(require(STS_NIFTI) / name, tmp_path / "in" / name)
    _, done = imported(tmp_path / "in", "--study", second_study(protocol="t1").name, capsys=capsys)
    assert (len(done["new"]), ImportedMask.objects.count()) == (3, 3)
    assert codes(done) == {"source-mask-without-image", "dataset-channel-without-role"}
    for mask in ImportedMask.objects.select_related("series__case"):
        assert read_mask(mask.path).grid.matches(read_volume(mask.series.path).grid)
    _, both = imported(tmp_path / "in", "--study", second_study("others", protocol="pet-ct").name, capsys=capsys)
    assert len(both["new"]) == 2  # without STS_007, whose CT is missing
    assert "no-ct" in codes(both)
