"""A patient's name is planted in every tag, header and file name of a cohort, and is found nowhere afterwards: not in
the data folder, the database, the logs, the terminal, the pictures, the tasks, nor in the studies that may leave."""

import contextlib
import gzip
import io
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.datadict import DicomDictionary, dictionary_VR

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project import publish
from curation.deidentification.policy.attributes import kept_attributes
from datasets.dicom.file import looks_like_dicom, without_warnings
from datasets.dicom.header import read_header
from datasets.dicom_series.series import group_series, read_series
from datasets.phantom.cohort import write_phantom_cohort
from tests.annotation_backend.support.records import the_study
from tests.planted_dicom import TEXT_VRS, planted

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

FAMILY, GIVEN = "Zaunkoenig", "Wendeline"
NAME = f"{FAMILY}^{GIVEN}"
PATIENT_ID, BIRTH_DATE, ACCESSION = "MRN-4711-0815", "19631107", "ACC-778899"
ROOT = "1.2.840.99999.4711"
NEEDLES = (FAMILY, GIVEN, PATIENT_ID, BIRTH_DATE, ACCESSION, ROOT)

_MEANINGFUL = {0x00080005, 0x00180010, 0x00080064, 0x00181016}
"""Character set, contrast agent, and what marks a screen capture: with a name in them nothing comes in or out."""
_IDENTITY = {
    "PatientName": NAME,
    "PatientID": PATIENT_ID,
    "PatientBirthDate": BIRTH_DATE,
    "AccessionNumber": ACCESSION,
    "StudyDescription": NAME,
    "InstitutionName": NAME,
    "ReferringPhysicianName": NAME,
    "OperatorsName": NAME,
    "PatientComments": NAME,
}


def traces(content: bytes) -> list[str]:
    """Which needles stand in the bytes: in any case of letters, in one byte a letter or in two."""
    lower = content.lower()
    return [
        needle
        for needle in NEEDLES
        if any(needle.lower().encode(writing) in lower for writing in ("latin-1", "utf-16-le", "utf-16-be"))
    ]


def traces_in(folder: Path) -> dict[str, list[str]]:
    """Which needles stand in names and contents below a folder, compressed contents opened."""
    found: dict[str, list[str]] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hits = traces(name.encode("utf-8", "surrogateescape"))
        if path.is_file():
            for content in contents(path):
                hits += traces(content)
        if hits:
            found[name] = sorted(set(hits))
    return found


def contents(path: Path) -> Iterable[bytes]:
    """The file's bytes, what is packed in them, and the texts of a picture."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if content.startswith(b"\x89PNG"):
        yield repr(Image.open(io.BytesIO(content)).info).encode()


def plant_in_dicom(path: Path) -> None:
    """A name in every text tag that is free, private and nested, in file meta and preamble; identifiers too."""
    dataset = dcmread(path)
    for keyword, value in _IDENTITY.items():
        setattr(dataset, keyword, value)
    for keyword in ("SeriesDescription", "ProtocolName", "StructureSetLabel", "StructureSetName"):
        if keyword in dataset:
            setattr(
                dataset, keyword, f"{dataset[keyword].value} {NAME}"[: 64 if keyword != "StructureSetLabel" else 16]
            )
    for region in dataset.get("StructureSetROISequence", []):
        region.ROIName = f"GTV_Mass {NAME}"
    move_uids(dataset)
    item = Dataset()
    for place in (dataset, item):
        fill(place)
    dataset.RequestAttributesSequence = dataset.ContentSequence = [item]
    dataset.preamble = (b"MZ" + NAME.encode()).ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = FAMILY
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.PrivateInformationCreatorUID = f"{ROOT}.1"
    dataset.file_meta.PrivateInformation = NAME.encode().ljust(20)
    with without_warnings():
        dataset.save_as(path.with_name(f"{NAME} {path.name}"), enforce_file_format=True)
    path.unlink()


def fill(place: Dataset) -> None:
    """Every text tag that the place has not got, and private, overlay, curve and unknown ones."""
    needed = _MEANINGFUL | set(kept_attributes())
    for tag in DicomDictionary:
        if tag in place or tag in needed or not 8 <= tag >> 16 < 0xFFFE or not tag & 0xFFFF:
            continue
        vr = dictionary_VR(tag)
        if vr == "UI":
            place[tag] = planted(tag, "UI", text=f"{ROOT}.{tag}")
        elif vr in TEXT_VRS - {"DS", "IS"} or vr in ("OB", "UN"):
            place[tag] = planted(tag, vr, text=NAME)
    for group in (0x0009, 0x0019, 0x0029, 0x2001):
        place.add_new((group, 0x0010), "LO", NAME)
        place[group << 16 | 0x1001] = planted(group << 16 | 0x1001, "LO", text=NAME)
        place[group << 16 | 0x1002] = planted(group << 16 | 0x1002, "UN", text=NAME, encoding="utf-16-le")
    for tag in (0x60004000, 0x60003000, 0x60000022, 0x50003000, 0x50000022):
        place[tag] = planted(tag, "LO", text=NAME)


def move_uids(dataset: Dataset) -> None:
    """All references keep pointing to each other, below a root of the hospital's own."""
    for element in dataset.iterall():
        if element.VR == "UI" and not str(element.value).startswith("1.2.840.10008"):
            element.value = (
                f"{ROOT}.{sum(map(ord, str(element.value))) * 10**6 + int(str(element.value)[-6:].replace('.', '0'))}"
            )


def plant_in_nifti(folder: Path, volumes: dict[str, object]) -> None:
    """A patient whose name is the prefix of the files, and stands in every text of the header."""
    for name, volume in volumes.items():
        picture = nibabel.Nifti1Image(np.asarray(volume.data), volume.grid.affine)
        picture.header["descrip"], picture.header["aux_file"] = NAME.encode(), NAME.encode()
        picture.header["intent_name"], picture.header["db_name"] = FAMILY.encode(), FAMILY.encode()
        picture.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
        picture.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode("utf-16-le")))
        picture.to_filename(folder / f"{FAMILY}_{GIVEN}_{name}.nii.gz")


def write_source(folder: Path) -> None:
    """One patient in DICOM and one in NIfTI, with a table."""
    write_phantom_cohort(folder / f"{NAME} {PATIENT_ID}", patients=1, size=48)
    (folder / f"{NAME} {PATIENT_ID}" / "cases.csv").unlink()
    objects = sorted(path for path in folder.rglob("*") if path.is_file() and looks_like_dicom(path))
    series = group_series(read_header(path) for path in objects if is_image(path))
    volumes = {}
    for one in series:
        if "t1" in one.evidence.series_description.lower():
            volumes["t1"] = read_series(one)
        elif "t2" in one.evidence.series_description.lower():
            volumes["t2_fs"] = read_series(one)
    home = folder / f"{FAMILY} nifti"
    home.mkdir()
    plant_in_nifti(home, volumes)
    for path in objects:
        plant_in_dicom(path)
    table = f"patient_id,tissue_type,anatomical_site,name\n{PATIENT_ID},fat,thigh,{NAME}\n{FAMILY},,,{NAME}\n"
    (folder / "cases.csv").write_text(table)
    (folder / f"{NAME}.txt").write_text(NAME)
    (folder / f"{NAME}.dcm").write_bytes(bytes(128) + b"DICM" + NAME.encode())


def is_image(path: Path) -> bool:
    return dcmread(path, stop_before_pixels=True).Modality == "MR"


def database() -> bytes:
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += [repr(row) for row in cursor.fetchall()]
    return "\n".join(rows).encode()


def run(*words: str) -> None:
    """A command that has done its work, with findings or without."""
    with contextlib.suppress(SystemExit):
        call_command(*words)


def test_a_planted_name_is_found_nowhere_afterwards(
    tmp_path: Path,
    settings,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tell_figure: Callable[[str], None],
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    source, outside = tmp_path / "source", tmp_path / "outside"
    source.mkdir()
    with without_warnings():
        write_source(source)
    planted_traces = traces_in(source)
    assert set().union(*planted_traces.values()) == set(NEEDLES)
    assert len(planted_traces) > 40
    capfd.readouterr()
    caplog.clear()

    run("ingest_studies", str(source), "--dry-run", "--json")
    run("ingest_studies", str(source), "--json")
    run("register_cases", "--json")
    run("export_slices", "--json")
    cases = list(Case.objects.all())
    assert [case.is_registered for case in cases] == [True, True]
    tasks = task_documents(cases, monkeypatch)
    for number, options in enumerate(
        [[], ["--shift-dates", "--keep-characteristics", "--keep-safe-private", "--clean-descriptors"]]
    ):
        run("deidentify_studies", str(source), str(outside / str(number)), "--json", *options)
        assert len(list((outside / str(number)).rglob("*.dcm"))) > 20

    shown = capfd.readouterr()
    assert traces_in(settings.DATA_FOLDER) == {}
    assert traces_in(outside) == {}
    assert traces(database()) == []
    assert traces(json.dumps(tasks).encode()) == []
    assert traces(caplog.text.encode()) == []
    assert traces(shown.out.encode()) == []
    assert traces(shown.err.encode()) == []
    pictures = list(settings.DATA_FOLDER.rglob("*.png"))
    assert len(pictures) > 30
    assert len(tasks) > 10
    tell_figure(
        f"canary: found in {len(planted_traces)} names and files of the source, and in 0 of "
        f"{sum(1 for _ in settings.DATA_FOLDER.rglob('*'))} here and {sum(1 for _ in outside.rglob('*'))} outside"
    )


def task_documents(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What Label Studio is sent for the cases."""
    project = LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    sent: list[dict] = []

    def call(method: str, path: str, **more: object) -> dict:
        sent.extend(more["json"])
        return {"task_ids": list(range(len(sent) - len(more["json"]), len(sent)))}

    monkeypatch.setattr(publish, "ensure_project", lambda _study: project)
    monkeypatch.setattr(publish, "call", call)
    for case in cases:
        publish.publish(case)
    return sent
