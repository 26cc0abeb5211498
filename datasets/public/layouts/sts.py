"""STS: the Soft-Tissue-Sarcoma collection of The Cancer Imaging Archive, T1, fat-suppressed T2, CT and PET.

As DICOM with an RTSTRUCT for each image, in a folder a patient, however the archive's programs nest it:

    Soft-tissue-Sarcoma/STS_001/<visit>/<series>/1-01.dcm
    STS_001/MR_T1/image/000001.dcm    STS_001/MR_T1/mask/RTstruct.dcm

or as NIfTI, as the IBSI distributes a part of it; and the table of patients, saved as CSV:

    STS_001/MR_T1_image.nii.gz    STS_001/MR_T1_mask.nii.gz
    INFOclinical_STS.csv

Source: Vallières et al. 2015, doi 10.7937/K9/TCIA.2015.7GO2GSKS.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from datasets.dicom.file import looks_like_dicom
from datasets.dicom.header import SliceHeader, read_header
from datasets.dicom_masks.rtstruct import region_names
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.public.dataset import (
    FoundBy,
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

_PATIENT = re.compile(r"STS_\d{3}")
_VOLUME = re.compile(r"(?P<image>MR_T1|MR_T2|CT|PET)_(?P<kind>image|mask)\.nii(?:\.gz)?")
_IMAGES = {"MR_T1": ("T1", "t1"), "MR_T2": ("T2-FS", "t2-fs"), "CT": ("CT", "ct"), "PET": ("PET", "pet")}
_OF_MODALITY = {"CT": _IMAGES["CT"], "PT": _IMAGES["PET"]}
_T1, _T2 = re.compile(r"(?<![A-Z0-9])T1"), re.compile(r"(?<![A-Z0-9])(?:T2|STIR)")
_MASS = "GTV_Mass"
_TABLE = "infoclinical_sts.csv"
_SHEET = "infoclinical_sts.xls"
_PUBLICATION = Publication(
    "Soft-Tissue-Sarcoma (TCIA)",
    "CC BY 3.0",
    "Vallières et al. 2015, doi 10.7937/K9/TCIA.2015.7GO2GSKS; Phys Med Biol 60:5471, "
    "doi 10.1088/0031-9155/60/14/5471; Clark et al. 2013, doi 10.1007/s10278-013-9622-7",
)


def _read(tree: FileTree) -> SourceDataset:
    patients: dict[str, list[str]] = defaultdict(list)
    for path in tree.paths:
        name = next((part for part in PurePosixPath(path).parts[:-1] if _PATIENT.fullmatch(part)), "")
        if name:
            patients[name].append(path)
    if not patients:
        raise OtherTree("a folder for each patient, such as STS_001")
    volumes = {name: [path for path in paths if _volume(path)] for name, paths in patients.items()}
    dicom = {name: dict(_series(tree, paths)) for name, paths in patients.items()}
    if any(volumes.values()) and any(dicom.values()):
        raise OtherTree("one format: this folder holds patients as DICOM and as NIfTI; give the folder of one of them")
    if not any(volumes.values()) and not any(dicom.values()):
        raise OtherTree("images of the patients: DICOM files, or MR_T1_image.nii.gz")
    is_nifti = any(volumes.values())
    findings: list[Finding] = []
    cases = []
    for name in patients:
        case, noted = _of_volumes(tree, name, volumes[name]) if is_nifti else _of_dicom(tree, name, dicom[name])
        findings += noted
        cases += [case] if case.images else []
    tables = _tables(tree)
    return SourceDataset(
        _PUBLICATION,
        tuple(_described(case, tables) for case in cases),
        (*findings, *(finding for table in tables for finding in table.findings), *_unread_sheet(tree, tables)),
        FoundBy.LIST if is_nifti else FoundBy.HEADER,
    )


def _volume(path: str) -> re.Match[str] | None:
    return _VOLUME.fullmatch(PurePosixPath(path).name)


def _of_volumes(tree: FileTree, name: str, paths: Sequence[str]) -> tuple[SourceCase, list[Finding]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if match := _volume(path):
            found[match["image"], match["kind"]].append(path)
    findings = [file_twice(tree.subject(*each)) for each in found.values() if len(each) > 1]
    single = {key: each[0] for key, each in found.items() if len(each) == 1}
    images = tuple(
        SourceImage(title, single[key, "image"], kind=kind)
        for key, (title, kind) in _IMAGES.items()
        if (key, "image") in single
    )
    masks = tuple(
        SourceMask(single[key, "mask"], title, {1: _MASS, 255: _MASS})
        for key, (title, _) in _IMAGES.items()
        if (key, "mask") in single and (key, "image") in single
    )
    lone = [path for (key, kind), path in single.items() if kind == "mask" and (key, "image") not in found]
    findings += [mask_without_image(tree.subject(path)) for path in lone]
    return SourceCase(name, name, images, masks), findings


def _series(tree: FileTree, paths: Sequence[str]) -> Iterator[tuple[str, SliceHeader]]:
    """The first DICOM file of each folder, and its header; the archive has a folder a series."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[str(PurePosixPath(path).parent)].append(path)
    for inside in folders.values():
        try:
            file = tree.file(inside[0])
            if not _volume(inside[0]) and file.is_file() and not file.is_symlink() and looks_like_dicom(file):
                yield inside[0], read_header(file)
        except (RejectedInput, OSError):
            continue  # the scan names it


def _of_dicom(tree: FileTree, name: str, series: Mapping[str, SliceHeader]) -> tuple[SourceCase, list[Finding]]:
    images = tuple(
        SourceImage(*_called(path, header)[:1], str(PurePosixPath(path).parent), kind=_called(path, header)[1])
        for path, header in series.items()
        if header.is_image
    )
    masks = []
    for path, header in series.items():
        if header.is_structure_set:
            try:
                masks.append(SourceMask(path, regions=region_names(tree.file(path))))
            except (RejectedInput, OSError):
                continue  # the scan names it
    return SourceCase(name, name, images, tuple(masks)), []


def _called(path: str, header: SliceHeader) -> tuple[str, str]:
    """What an image is, by its modality, and of an MR image by its description or its folder."""
    evidence = header.evidence
    if evidence.modality in _OF_MODALITY:
        return _OF_MODALITY[evidence.modality]
    for text in (evidence.series_description.upper(), path.upper()):
        if bool(_T1.search(text)) != bool(_T2.search(text)):
            return _IMAGES["MR_T1" if _T1.search(text) else "MR_T2"]
    return "MR", "mr"


def _tables(tree: FileTree) -> list[PatientRows]:
    paths = [path for path in tree.paths if PurePosixPath(path).name.lower() == _TABLE]
    return [read_patient_rows(tree, path, patient="patient_id") for path in paths]


def _described(case: SourceCase, tables: Sequence[PatientRows]) -> SourceCase:
    row: Mapping[str, str] = next((table.rows[case.patient] for table in tables if case.patient in table.rows), {})
    return replace(
        case,
        tissue_type=tissue_of(row.get("histological_type", "")),
        anatomical_site=row.get("site_of_primary_sts", ""),
    )


def _unread_sheet(tree: FileTree, tables: Sequence[PatientRows]) -> Iterator[Finding]:
    sheets = [path for path in tree.paths if PurePosixPath(path).name.lower().startswith(_SHEET)]
    if sheets and not tables:
        message = "The collection's table of patients is a spreadsheet, which is not read: tissue types are not known."
        remedy = "Save it as INFOclinical_STS.csv beside it, and import again."
        yield Finding(Level.INFO, "source-spreadsheet", message, remedy, tree.subject(*sheets))


STS = Layout(
    name="sts",
    title="Soft-Tissue-Sarcoma of TCIA",
    needs="a folder for each patient (STS_001) with DICOM series and RTSTRUCT, or with MR_T1_image.nii.gz and its mask",
    read=_read,
)
