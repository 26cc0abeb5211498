"""Releases of every schema, and their exports, come back into a study as cases: same voxels, labels and words."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from pydicom import dcmread

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.ingesting.chosen_series import choose_series, considered_series
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.public_dataset import DatasetImport, import_dataset
from annotation_backend.cases.models import Case, ImportedMask, IngestPatient, Patient
from annotation_backend.cases.report import cohort
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import create_study
from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from datasets.phantom.scanner import Protocol, write_protocol
from datasets.release.build import ReleaseCase, ReleaseRole, build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing, SegmentForm
from datasets.release.exports.source import ReleaseSource, SourceCase, open_release
from datasets.study.case import QualityScore
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import second_study, the_study
from tests.datasets.release import samples
from tests.datasets.release.exports.conftest import Export, export, phantom_release, source

__all__ = ["export", "phantom_release", "source"]

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

FORMER = Path(__file__).parents[3] / "datasets" / "release"


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()


def _study(*roles: str) -> Study:
    """A study with two labels and images of these roles, which may lie in any plane; its last is drawn on."""
    head, *images = shipped_text("mstt-199").split("[[images]]")
    images[-1], labels = images[-1].split("# Where two", 1)
    kept = [image for image in images if image.split('"')[1] in roles]
    head = head[: head.index("[drawn_by_tissue_type]")].replace('drawn = "t2"', f'drawn = "{roles[-1]}"')
    text = "[[images]]".join([head, *kept]).replace('plane = "axial"', 'plane = "any"')
    return create_study("-".join(roles), f"{text}#{labels}")


def _silent(what: str) -> Callable[[int, int], None]:
    return lambda done, total: None


def _imported(folder: Path, study: Study, *, layout: str = "") -> DatasetImport:
    return import_dataset(folder, study=study, progress=_silent, layout=layout, workers=1)


def _codes(done: DatasetImport) -> set[str]:
    return {finding.code for finding in done.report.findings}


def _same(one: Volume, other: Volume, *, within: float = 0.0) -> bool:
    one, other = as_ras(one), as_ras(other)
    off_by = within * float(np.abs(other.data).max())
    return one.grid.matches(other.grid) and bool(
        np.all(np.abs(np.subtract(one.data, other.data, dtype=float)) <= off_by)
    )


def _require_back(
    release: ReleaseSource, case: SourceCase, study: Study, roles: tuple[str, ...], *, within: float = 0.0
) -> Case:
    """The one case with these very images, and its mask with these very labels; rightly empty ones come without.

    Values of images may be off by a share `within` of the largest.
    """
    wanted = {role: release.volume(case, role) for role in roles if role in case.images}
    [found] = [
        each
        for each in Case.objects.filter(study=study)
        if {one.role for one in each.series.all()} == set(wanted)
        and all(_same(read_volume(one.path), wanted[one.role], within=within) for one in each.series.all())
    ]
    mask = release.mask(case)
    drawn = {name.lower(): mask.label(name) for name in release.labels.values() if mask.label(name).any()}
    masks = {row.roi_name: read_mask(row.path) for row in ImportedMask.objects.filter(series__case=found)}
    assert set(masks) == set(drawn)
    for name, voxels in drawn.items():
        assert _same(
            Volume(masks[name].foreground.astype(np.uint8), masks[name].grid),
            Volume(voxels.astype(np.uint8), mask.grid),
        )
    return found


@pytest.mark.parametrize("layout", ["release", "bids"])
def test_every_case_of_a_patient_comes_back(tmp_path: Path, layout: str) -> None:
    """Binary masks, an empty one among them; patients with two cases, of two tissue types."""
    folder = build_release(samples.write_cases(tmp_path / "sources"), samples.SETTINGS, tmp_path / "releases").folder
    release, study = open_release(folder), second_study(protocol="mstt-199")
    done = _imported(folder, study, layout=layout)
    assert (len(done.report.new), done.report.undecided, Patient.objects.count()) == (5, [], 3)
    of_layout = {"release": {"mask-rightly-empty"}, "bids": {"mask-empty", "table-unreadable"}}
    assert _codes(done) == {"t2-not-fat-suppressed", *of_layout[layout]}
    patients: dict[str, set[Patient]] = {}
    for case in release.cases:
        found = _require_back(release, case, study, ("t1", "t2"))
        patients.setdefault(case.patient, set()).add(found.patient)
        if layout == "release":
            assert (found.tissue_type, found.anatomical_site) == (case.tissue_type, "thigh, left")
    assert [len(each) for each in patients.values()] == [1, 1, 1]
    rows = IngestPatient.objects.order_by("patient__code", "visit").values_list("visit", "case__code")
    assert [visit for visit, _ in rows] == [0, 1, 2, 1, 2]
    assert len({code for _, code in rows}) == 5
    again = _imported(folder, study, layout=layout)
    assert (again.report.new, len(again.report.known), Case.objects.not_excluded().count()) == ([], 5, 5)


def test_the_patients_page_and_the_report_say_what_became_of_each_case(
    tmp_path: Path, client: Client, people: dict[Role, User]
) -> None:
    """Series of both visits are there to choose from; who has chosen of one has said nothing of the other."""
    cases = [samples.write_case(tmp_path / "sources", number) for number in (2, 3)]
    folder = build_release(cases, samples.SETTINGS, tmp_path / "releases").folder
    _imported(folder, the_study())
    patient = Patient.objects.get()
    client.force_login(people[Role.DATA_MANAGER])
    page = client.get(page_at("patient-page", patient.code)).content.decode()
    assert all(f"Last ingest, visit {number}: New case." in page for number in (1, 2))
    considered = considered_series(patient)
    assert len({series["reference"] for series in considered}) == 4
    assert all(series["reference"] in page for series in considered)
    assert cohort(the_study()).outcomes == {"New case": 2}
    choose_series(patient, {"t1": considered[-2]["reference"]})
    assert len(_imported(folder, the_study()).report.known) == 2


def test_a_later_version_adds_a_case_and_a_damaged_one_stays_out(tmp_path: Path) -> None:
    cases = samples.write_cases(tmp_path / "sources")
    first = build_release(cases[:2], samples.SETTINGS, tmp_path / "releases").folder
    study = second_study(protocol="mstt-199")
    assert len(_imported(first, study).report.new) == 2
    following = replace(samples.SETTINGS, version="1.3.0", follows="1.2.0")
    second = build_release(cases, following, tmp_path / "releases", earlier=first).folder
    (second / samples.sample_path("sub-0003_ses-1", "t1")).write_bytes(b"other")
    done = _imported(second, study)
    assert (len(done.report.new), len(done.report.known)) == (2, 2)
    assert "source-file-changed" in _codes(done)
    assert Case.objects.not_excluded().count() == 4
    assert sorted(patient.cases.count() for patient in Patient.objects.all()) == [1, 1, 2]


@pytest.mark.parametrize("schema", [1, 2])
def test_releases_of_former_schemas_come_back(schema: int) -> None:
    folder = FORMER / f"schema_{schema}" / "thigh-tumours-1.2.0"
    release, study = open_release(folder), second_study(protocol="mstt-199")
    done = _imported(folder, study)
    assert (done.layout.name, len(done.report.new)) == ("release", len(release.cases))
    for case in release.cases:
        found = _require_back(release, case, study, ("t1", "t2"))
        assert found.tissue_type == case.tissue_type


def test_several_labels_come_back(source: ReleaseSource) -> None:
    """Values 1 and 3; images that the study does not have stay out."""
    study = _study("t1", "t2")
    assert len(_imported(source.folder, study).report.new) == 4
    for case in source.cases:
        _require_back(source, case, study, ("t1", "t2"))


@pytest.mark.parametrize("name", ["nnunet", "decathlon"])
def test_exports_of_images_come_back(export: Export, source: ReleaseSource, name: str) -> None:
    study = _study("t1", "t2")
    folder = export(name, missing=Missing.LEAVE_IMAGE_OUT)
    done = _imported(folder / "raw" if name == "nnunet" else folder, study)
    assert (done.layout.name, len(done.report.new)) == (name, 4)
    for case in source.cases:
        _require_back(source, case, study, ("t1", "t2"))


def test_what_a_release_makes_of_itself_for_nnunet_comes_back(tmp_path: Path) -> None:
    """`convert.py`, which lies in every release."""
    folder = build_release(samples.write_cases(tmp_path / "sources"), samples.SETTINGS, tmp_path / "releases").folder
    command = [sys.executable, "-I", "-S", folder / "convert.py", "nnunet", tmp_path / "raw"]
    subprocess.run(command, check=True)
    release, study = open_release(folder), _study("t1", "t2")
    done = _imported(tmp_path / "raw", study)
    assert (done.layout.name, len(done.report.new)) == ("nnunet", 5)
    found = {case.code: _require_back(release, case, study, ("t1", "t2")) for case in release.cases}
    assert found["sub-0002_ses-1"].patient == found["sub-0002_ses-2"].patient
    assert Patient.objects.count() == 3


def test_cases_of_a_patient_in_a_folder_of_studies_are_theirs(tmp_path: Path) -> None:
    """The same for `ingest_studies`, which finds nnU-Net's datasets among studies."""
    folder = build_release(samples.write_cases(tmp_path / "sources"), samples.SETTINGS, tmp_path / "releases").folder
    release, study = open_release(folder), _study("t1", "t2")
    write_export(plan_export(release, FORMATS["nnunet"], ExportOptions()), tmp_path / "studies" / "nnunet")
    assert len(ingest(tmp_path / "studies" / "nnunet" / "raw", study=study, workers=1).new) == 5
    assert sorted(patient.cases.count() for patient in Patient.objects.all()) == [1, 2, 2]


@pytest.mark.parametrize("layout", ["release", "bids"])
def test_one_label_of_another_value_comes_back(tmp_path: Path, layout: str) -> None:
    """Its masks are no binary ones but label maps with a table."""
    cases = []
    for number in (1, 2, 3):
        case = samples.write_case(tmp_path / "sources", number)
        mask = read_mask(case.mask)
        write_mask(case.mask, Mask(mask.data * np.uint8(2), mask.grid))
        cases.append(replace(case, sources={}))
    settings = replace(samples.SETTINGS, labels={2: "Tumour"})
    folder = build_release(cases, settings, tmp_path / "releases").folder
    assert len(list(folder.rglob("*_dseg.nii.gz"))) == 3
    release, study = open_release(folder), _study("t1", "t2")
    assert len(_imported(folder, study, layout=layout).report.new) == 3
    for case in release.cases:
        _require_back(release, case, study, ("t1", "t2"))


def test_slices_come_back_as_cases(export: Export, source: ReleaseSource) -> None:
    """Pictures of 8 bits: the patients, their tissues and their tumours' volumes."""
    study = second_study(protocol="mstt-199")
    folder = export("mstt-199", images=("t1", "t2"))
    done = _imported(folder, study)
    assert (done.layout.name, len(done.report.new)) == ("mstt-199", 3)
    pids = json.loads((folder / "export.json").read_text())["pids"]
    tissues = sorted(case.tissue_type for case in source.cases if case.code in pids.values())
    assert sorted(Case.objects.values_list("tissue_type", flat=True)) == tissues


@pytest.mark.parametrize("form", list(SegmentForm))
def test_dicom_comes_back(export: Export, source: ReleaseSource, form: SegmentForm) -> None:
    """The drawn image; its numbers with fractions within a step of 16 bits."""
    folder, back = export("dicom-seg", segments=form), 0
    for role in ("t1", "t2"):
        study = _study(role)
        done = _imported(folder, study)
        assert done.layout.name == "dicom-seg"
        for case in source.cases:
            if case.drawn_role == role:
                found = _require_back(source, case, study, (role,), within=1 / 65000)
                assert found.tissue_type == case.tissue_type
        back += len(done.report.new)
    assert back == len(source.cases)


@pytest.mark.parametrize("form", list(SegmentForm))
def test_segmentations_of_a_scanners_series_come_back_with_these(tmp_path: Path, form: SegmentForm) -> None:
    """By an ingest of the series and the segmentations together; the series are the ones that were drawn on."""
    scanner = Protocol(
        name="t1", description="AX T1", size=16, slices=6, gap_mm=4.0, sequence="SE", scan_options="",
        repetition_time_ms=500.0, echo_time_ms=12.0, number=2,
    )  # fmt: skip
    grid = Grid((16, 16, 6), np.array([[-0.7, 0, 0, 9], [0, -0.7, 0, 12], [0, 0, 4.0, -10], [0, 0, 0, 1]]))
    cases = []
    for number in (1, 2):
        pixels = np.random.default_rng(number).integers(0, 4000, grid.shape).astype(np.uint16)
        code, identity = f"sub-000{number}_ses-1", ["round", f"D{number}"]
        series = write_protocol(tmp_path / f"in/{number}", scanner, pixels, grid, identity=identity, name="X")
        for path in series.files:
            dataset = dcmread(path)
            dataset.PatientIdentityRemoved = "YES"
            dataset.save_as(path)
        image, mask = (tmp_path / "sources" / f"{code}-{name}.nii.gz" for name in ("t1", "mask"))
        drawn = as_ras(Volume(np.zeros(grid.shape, np.uint8), grid))
        drawn.data[4 : 9 + number, 5:11, 2:5] = 1
        write_volume(image, as_ras(Volume(pixels.astype(np.float32), grid)))
        write_mask(mask, Mask(np.ascontiguousarray(drawn.data), drawn.grid))
        cases.append(ReleaseCase(code, "fat", "thigh", {"t1": image}, "t1", mask))
    settings = replace(samples.SETTINGS, roles=(ReleaseRole("t1", "T1-weighted", "t1"),))
    release = open_release(build_release(cases, settings, tmp_path / "releases").folder)
    options = ExportOptions(segments=form, dicom=tmp_path / "in")
    write_export(plan_export(release, FORMATS["dicom-seg"], options), tmp_path / "in/segmentations")
    study = _study("t1")
    assert len(ingest(tmp_path / "in", study=study, workers=1).new) == 2
    for case in release.cases:
        _require_back(release, case, study, ("t1",))


def test_a_segmentation_without_its_series_and_another_patients_series_stay_out(
    export: Export, source: ReleaseSource
) -> None:
    folder = export("dicom-seg")
    [first, second, *_] = source.cases
    shutil.rmtree(folder / first.code / "image")
    shutil.rmtree(folder / second.code / "image")
    shutil.copytree(folder / source.cases[3].code / "image", folder / second.code / "image")
    done = _imported(folder, _study("t2"))
    assert len(done.report.new) == 1
    assert {"source-image-missing", "source-series-other"} <= _codes(done)


def test_sessions_of_bids_without_all_images_are_no_cases(tmp_path: Path) -> None:
    """T1 at one visit and T2 at the other, as long as nobody chose: one patient, one question."""
    cases = [samples.write_case(tmp_path / "sources", number) for number in (2, 3)]
    folder = build_release(cases, samples.SETTINGS, tmp_path / "releases").folder
    for code, image in (("sub-0002_ses-1", "t1"), ("sub-0002_ses-2", "t2")):
        (folder / samples.sample_path(code, image)).unlink()
    done = _imported(folder, second_study(protocol="mstt-199"), layout="bids")
    assert (done.report.new, len(done.report.undecided)) == ([], 1)
    assert "different-studies" in _codes(done)


def test_a_mask_that_comes_back_is_a_reference(tmp_path: Path) -> None:
    """Nothing of its former review counts here."""
    case = replace(samples.write_case(tmp_path, 1), quality_score=QualityScore.EXCELLENT)
    folder = build_release([case], samples.SETTINGS, tmp_path / "releases").folder
    _imported(folder, second_study(protocol="mstt-199"))
    assert not Case.objects.get().is_annotated
    assert Review.objects.count() == 0
