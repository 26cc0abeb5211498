"""HECKTOR 2021: PET-CT of head and neck with the primary tumour, one folder for all patients.

    hecktor2021_train/hecktor_nii/CHGJ007_ct.nii.gz    CHGJ007_pt.nii.gz    CHGJ007_gtvt.nii.gz
    hecktor2021_train/hecktor2021_patient_info_training.csv

The PET is in SUV. The mask lies on the CT's voxels; patients of the test set have none.

Source: Andrearczyk et al. 2022, Overview of the HECKTOR Challenge at MICCAI 2021, LNCS 13209, whose table of centres
gives the scanners.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.public.dataset import (
    Publication,
    SourceCase,
    SourceDataset,
    SourceImage,
    SourceMask,
    file_twice,
    image_missing,
    mask_without_image,
)
from datasets.public.documents import read_patient_rows
from datasets.public.layout import Layout, OtherTree

_IMAGES = {"ct": ("CT", "ct"), "pt": ("PET", "pet")}
_MASK, _LABEL = "gtvt", "GTVt"
_FILE = re.compile(r"(?P<patient>CH[A-Z]{2}\d{3})_(?P<kind>ct|pt|gtvt|ct_gtvt)\.nii(?:\.gz)?")
_DISTRIBUTED = re.compile(r"hecktor_nii(?:_test(?:ing)?)?")
_TABLE = re.compile(r"hecktor2021_patient_info_(?:training|testing)\.csv")
_VENDORS = {
    "CHGJ": "GE", "CHMR": "GE", "CHUM": "GE", "CHUV": "GE", "CHUS": "Philips", "CHUP": "Siemens",
}  # fmt: skip
_PUBLICATION = Publication(
    "HECKTOR 2021",
    "as agreed to with the organisers of the challenge",
    "Andrearczyk et al. 2022, Overview of the HECKTOR Challenge at MICCAI 2021, LNCS 13209, "
    "doi 10.1007/978-3-030-98253-9_1",
)


def _read(tree: FileTree) -> SourceDataset:
    patients: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in tree.paths:
        match = _FILE.fullmatch(PurePosixPath(path).name)
        if match is not None:
            patients[match["patient"]][match["kind"].removeprefix("ct_")].append(path)
    if not any(kind in found for found in patients.values() for kind in _IMAGES):
        raise OtherTree("images such as hecktor_nii/CHGJ007_ct.nii.gz and CHGJ007_pt.nii.gz")
    single = {name: _single(found) for name, found in patients.items()}
    cases = [_case(name, found) for name, found in single.items()]
    findings = [one for name, found in patients.items() for one in _findings(tree, found, single[name])]
    return SourceDataset(
        _PUBLICATION,
        tuple(case for case in cases if case.images),
        (*findings, *_of_tables(tree, set(patients))),
    )


def _single(found: Mapping[str, list[str]]) -> dict[str, str]:
    """Kind to the one file of it: of copies that somebody resampled, the distributed one."""
    chosen = {kind: _distributed(paths) for kind, paths in found.items()}
    return {kind: paths[0] for kind, paths in chosen.items() if len(paths) == 1}


def _distributed(paths: list[str]) -> list[str]:
    return [path for path in paths if _DISTRIBUTED.fullmatch(PurePosixPath(path).parent.name)] or paths


def _case(name: str, found: Mapping[str, str]) -> SourceCase:
    images = tuple(
        SourceImage(title, found[kind], kind=word) for kind, (title, word) in _IMAGES.items() if kind in found
    )
    mask = SourceMask(found[_MASK], "CT", {1: _LABEL}) if _MASK in found else None
    masks = (mask,) if mask is not None and "ct" in found else ()
    return SourceCase(f"HECKTOR/{name}", name, images, masks, vendor=_VENDORS.get(name[:4], ""))


def _findings(tree: FileTree, found: Mapping[str, list[str]], single: Mapping[str, str]) -> Iterator[Finding]:
    for kind, paths in found.items():
        if kind not in single:
            yield file_twice(tree.subject(*paths))
    missing = [title for kind, (title, _) in _IMAGES.items() if kind not in found]
    there = [path for paths in found.values() for path in paths]
    if missing and any(kind in found for kind in _IMAGES):
        yield image_missing(" and ".join(missing), tree.subject(*there))
    if _MASK in single and "ct" not in found:
        yield mask_without_image(tree.subject(single[_MASK]))


def _of_tables(tree: FileTree, known: set[str]) -> Iterator[Finding]:
    """Patients of the tables of whom there is no image."""
    for path in (path for path in tree.paths if _TABLE.fullmatch(PurePosixPath(path).name)):
        table = read_patient_rows(tree, path, patient="patientid")
        yield from table.findings
        if absent := len(set(table.rows) - known):
            message = f"{absent} patient(s) of the dataset's table have no images here."
            remedy = "Nothing, if you left them out; else download the images again."
            yield Finding(Level.INFO, "source-patient-without-images", message, remedy, tree.subject(path))


HECKTOR = Layout(
    name="hecktor",
    title="HECKTOR 2021, PET-CT of head and neck",
    needs="hecktor_nii with CHGJ007_ct.nii.gz, CHGJ007_pt.nii.gz and CHGJ007_gtvt.nii.gz of each patient",
    read=_read,
)
