"""The WORC database: MRI and CT of six tumours, as its downloader or XNAT itself lays them out.

    worc/Lipo-001/image.nii.gz    worc/Lipo-001/segmentation.nii.gz
    Lipo-001/<session>/scans/<scan>/resources/NIFTI/files/image.nii.gz
    pinfo_Desmoid.csv             Patient,Diagnosis

Lipo-073 has a segmentation for each of two tumours; GIST-018 has two images, each with its own; patients of Melanoma
and CRLM have a segmentation for each lesion and reader.

Source: Starmans et al. 2021, The WORC database, doi 10.1101/2021.08.19.21262238; github.com/MStarmans91/WORCDatabase.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from datasets.file_tree import FileTree
from datasets.finding import Finding
from datasets.public.dataset import (
    Publication,
    SourceCase,
    SourceDataset,
    SourceImage,
    SourceMask,
    file_twice,
    mask_without_image,
)
from datasets.public.documents import PatientRows, read_patient_rows
from datasets.public.layout import Layout, OtherTree
from datasets.public.tissue_words import tissue_of

_SETS = {
    "Lipo": ("T1", "t1"), "Desmoid": ("T1", "t1"), "Liver": ("T2", "t2"), "GIST": ("CT", "ct"), "CRLM": ("CT", "ct"),
    "Melanoma": ("CT", "ct"),
}  # fmt: skip
"""Set to the image that its patients have, and the word of its kind."""

_LABEL = "tumour"
_SUBJECT = re.compile(rf"(?P<set>{'|'.join(_SETS)})-\d{{3}}")
_IMAGE = re.compile(r"image(?:_(?P<lesion>lesion_?\d+))?\.nii(?:\.gz)?")
_MASK = re.compile(r"(?:segmentation|mask)(?:_(?P<lesion>lesion_?\d+))?(?:_[A-Za-z0-9]+)*\.nii(?:\.gz)?")
_TABLE = re.compile(r"pinfo_\w+\.csv")
_IS_DESMOID = "1"
"""In the table of the set Desmoid, whose other patients have other tumours of the extremities."""

_PUBLICATION = Publication(
    "WORC database",
    "as stated on the project's page, xnat.health-ri.nl/data/projects/worc",
    "Starmans et al. 2021, The WORC database, doi 10.1101/2021.08.19.21262238",
)


def _read(tree: FileTree) -> SourceDataset:
    subjects: dict[str, list[str]] = defaultdict(list)
    for path in tree.paths:
        name = next((part for part in PurePosixPath(path).parts[:-1] if _SUBJECT.fullmatch(part)), "")
        if name:
            subjects[name].append(path)
    if not any(_IMAGE.fullmatch(PurePosixPath(path).name) for paths in subjects.values() for path in paths):
        raise OtherTree("images such as Lipo-001/image.nii.gz")
    tables = [path for path in tree.paths if _TABLE.fullmatch(PurePosixPath(path).name)]
    read = [read_patient_rows(tree, path, patient="patient") for path in tables]
    findings = [finding for table in read for finding in table.findings]
    cases: list[SourceCase] = []
    for name, paths in subjects.items():
        found = list(_cases(name, paths, tissue=_tissue(name, read)))
        cases += found
        findings += _findings(tree, paths, found)
    return SourceDataset(_PUBLICATION, tuple(cases), tuple(findings))


def _cases(name: str, paths: Sequence[str], *, tissue: str) -> Iterator[SourceCase]:
    """The subject's case, or one for each of its images."""
    title, kind = _SETS[name.partition("-")[0]]
    images = _by_lesion(paths, _IMAGE)
    masks = _by_lesion(paths, _MASK)
    for lesion, own in images.items():
        if len(own) > 1:
            continue
        drawn = masks.get(lesion, []) if len(images) > 1 else [path for each in masks.values() for path in each]
        yield SourceCase(
            f"WORC/{name}",
            f"{name}/{lesion}" if lesion else name,
            (SourceImage(title, own[0], kind=kind),),
            tuple(SourceMask(path, title, {1: _LABEL, 255: _LABEL}) for path in drawn),
            tissue_type=tissue,
        )


def _by_lesion(paths: Sequence[str], pattern: re.Pattern[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if match := pattern.fullmatch(PurePosixPath(path).name):
            found[(match["lesion"] or "").replace("_", "")].append(path)
    return dict(found)


def _findings(tree: FileTree, paths: Sequence[str], cases: Sequence[SourceCase]) -> Iterator[Finding]:
    for own in _by_lesion(paths, _IMAGE).values():
        if len(own) > 1:
            yield file_twice(tree.subject(*own))
    used = {mask.path for case in cases for mask in case.masks}
    lone = [path for path in paths if _MASK.fullmatch(PurePosixPath(path).name) and path not in used]
    if lone:
        yield mask_without_image(tree.subject(*lone))


def _tissue(name: str, tables: Sequence[PatientRows]) -> str:
    """Lipo holds lipomas and liposarcomas; which of Desmoid are desmoids, its table says."""
    dataset = name.partition("-")[0]
    said: Mapping[str, str] = next((table.rows[name] for table in tables if name in table.rows), {})
    diagnosis = said.get("diagnosis", "")
    if dataset == "Lipo":
        return "fat"
    if dataset == "Desmoid":
        return "fibrous" if diagnosis.removesuffix(".0") == _IS_DESMOID else tissue_of(diagnosis)
    return ""


WORC = Layout(
    name="worc",
    title="WORC database (XNAT)",
    needs="a folder a patient, such as Lipo-001, with image.nii.gz and segmentation.nii.gz",
    read=_read,
)
