"""BIDS: raw images, and masks among its derivatives; or a dataset of derivatives that holds both.

    dataset_description.json
    sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz
    derivatives/lesions/sub-01/ses-1/anat/sub-01_ses-1_space-T1w_label-lesion_mask.nii.gz
    derivatives/lesions/sub-02/anat/sub-02_space-T2w_dseg.nii.gz    sub-02_space-T2w_dseg.tsv

A `_mask` is of what its ``label-`` says, or ``desc-``, or the ``Type`` in the JSON beside it. The values of a `_dseg`
are named by the table beside it, or by the one table ending in ``dseg.tsv`` in the nearest folder above.

Source: BIDS 1.10, "Derivatives: Imaging data types".
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.labels.label_values import LABEL_TABLE_ENDING
from datasets.labels.stored_values import MOST_LABEL
from datasets.public.dataset import (
    FoundBy,
    Publication,
    SourceCase,
    SourceDataset,
    SourceImage,
    SourceMask,
    mask_without_image,
)
from datasets.public.documents import PatientRows, document_or_none, read_document, read_patient_rows, said
from datasets.public.layout import Layout, OtherTree
from datasets.public.tissue_words import tissue_of
from datasets.table_text import UnreadableTable, cells_of

_DESCRIPTION = "dataset_description.json"
_RAW_FOLDERS = ("", "rawdata/")
_PARTICIPANTS = "participants.tsv"
_ENDING = re.compile(r"(?P<stem>.+)\.nii(?:\.gz)?", re.DOTALL)
_KINDS = {
    "T1w": "t1", "T2w": "t2", "PDw": "pd", "FLAIR": "flair", "T2starw": "t2star", "ct": "ct", "CT": "ct", "pet": "pet",
    "PET": "pet",
}  # fmt: skip
"""Suffix to the word of the image's kind; images with other suffixes are none of those that are drawn on."""

_MASKS, _LABEL_MAPS = frozenset({"mask", "roi", "lesion", "seg"}), frozenset({"dseg"})
_MOST_TABLE_BYTES = 1 << 20


@dataclass(frozen=True)
class _Name:
    """A file's name, cut into entities. Never to be shown."""

    path: str = field(repr=False)
    entities: Mapping[str, str] = field(repr=False)
    suffix: str

    @property
    def case(self) -> str:
        """Subject and visit."""
        return "/".join(f"{key}-{self.entities[key]}" for key in ("sub", "ses") if key in self.entities)

    @property
    def patient(self) -> str:
        return f"sub-{self.entities['sub']}"

    @property
    def is_mask(self) -> bool:
        return self.suffix in _MASKS | _LABEL_MAPS


def _read(tree: FileTree) -> SourceDataset:
    descriptions = [top + _DESCRIPTION for top in _RAW_FOLDERS if top + _DESCRIPTION in tree.numbers]
    if not descriptions:
        raise OtherTree(f"a {_DESCRIPTION} at the top")
    try:
        description = read_document(tree, descriptions[0])
    except RejectedInput as error:
        raise OtherTree(f"a {_DESCRIPTION} that can be read") from error
    names = [name for path in tree.paths if (name := _name_of(path)) is not None]
    images = [name for name in names if name.suffix in _KINDS and not _is_derived_copy(name.path)]
    if not images:
        raise OtherTree("images such as sub-01/anat/sub-01_T1w.nii.gz")
    title = said(description, "Name")
    if not title:
        raise OtherTree(f"a Name in {_DESCRIPTION}, by which its sub-01 is not another's")
    by_case, masks = (_by_case(found) for found in (images, [name for name in names if name.is_mask]))
    reading = _Reading(tree, str(description["Name"]).strip(), _participants(tree), _tables(tree))
    cases = [reading.case(case, own, masks.get(case, [])) for case, own in by_case.items()]
    lone = [mask.path for case, own in masks.items() if case not in by_case for mask in own]
    return SourceDataset(
        _publication(description, title),
        tuple(cases),
        (*reading.rows.findings, *([mask_without_image(tree.subject(*lone))] if lone else [])),
        FoundBy.NAME,
    )


def _name_of(path: str) -> _Name | None:
    match = _ENDING.fullmatch(PurePosixPath(path).name)
    if match is None or not match["stem"].startswith("sub-"):
        return None
    *parts, suffix = match["stem"].split("_")
    entities = dict(part.split("-", 1) for part in parts if "-" in part[1:])
    return _Name(path, entities, suffix) if "sub" in entities else None


def _is_derived_copy(path: str) -> bool:
    """Whether an image lies among the derivatives of raw images: it was computed from them."""
    return "derivatives" in PurePosixPath(path.lower()).parts


def _by_case(names: Sequence[_Name]) -> dict[str, list[_Name]]:
    found: dict[str, list[_Name]] = defaultdict(list)
    for name in names:
        found[name.case].append(name)
    return dict(found)


@dataclass(frozen=True)
class _Reading:
    """What the documents of a dataset say of its files.

    The title stands before its subjects as `curation.names.volume_patients` has it: as it is written.
    """

    tree: FileTree
    title: str
    rows: PatientRows
    tables: Mapping[str, Sequence[str]]

    def case(self, case: str, images: Sequence[_Name], masks: Sequence[_Name]) -> SourceCase:
        patient = images[0].patient
        row = self.rows.rows.get(patient, {})
        return SourceCase(
            f"{self.title}/{patient}",
            case,
            tuple(SourceImage(image.suffix, image.path, kind=_KINDS[image.suffix]) for image in images),
            tuple(SourceMask(mask.path, labels=self._labels(mask)) for mask in masks),
            tissue_type=tissue_of(row.get("tissue_type", "") or row.get("histology", "") or row.get("diagnosis", "")),
            anatomical_site=row.get("anatomical_site", ""),
            visit=images[0].entities.get("ses", ""),
        )

    def _labels(self, mask: _Name) -> dict[int, str]:
        if mask.suffix in _LABEL_MAPS:
            table = next(self._tables_for(mask.path), "")
            return _named_values(self.tree, table) if table else {}
        sidecar = document_or_none(self.tree, f"{_stem(mask.path)}.json") or {}
        of_name = (mask.entities.get(key) for key in ("label", "desc", "lesion"))
        name = next(filter(None, of_name), "") or said(sidecar, "Type")
        return dict.fromkeys((1, MOST_LABEL), name or ("lesion" if mask.suffix == "lesion" else ""))

    def _tables_for(self, path: str) -> Iterator[str]:
        """The table beside a label map, else the only one in the nearest folder above that has one."""
        if (beside := f"{_stem(path)}.tsv") in self.tree.numbers:
            yield beside
        for folder in PurePosixPath(path).parents:
            if len(found := self.tables.get(str(folder), ())) == 1:
                yield found[0]


def _tables(tree: FileTree) -> dict[str, list[str]]:
    """Folder to the tables of labels in it that are of a whole dataset."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in map(PurePosixPath, tree.paths):
        if path.name.lower().endswith(LABEL_TABLE_ENDING) and not path.name.startswith("sub-"):
            found[str(path.parent)].append(str(path))
    return dict(found)


def _named_values(tree: FileTree, path: str) -> dict[int, str]:
    """The values that a table names; {} where it cannot be read."""
    file = tree.file(path)
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_TABLE_BYTES:
            return {}
        cells = cells_of(file.read_bytes(), key=str.lower, wanted="index")
    except (OSError, UnreadableTable):
        return {}
    header = [name.strip().lower() for name in cells.header]
    if header.count("index") != 1 or header.count("name") != 1:
        return {}
    index, name = header.index("index"), header.index("name")
    rows = [line for line in cells.lines if len(line) > max(index, name) and line[index].strip().isdecimal()]
    found = [(int(line[index].strip()[:9]), line[name].strip()) for line in rows]
    return {value: text for value, text in found if 0 < value <= MOST_LABEL}


def _stem(path: str) -> str:
    return path.removesuffix(".gz").removesuffix(".nii")


def _participants(tree: FileTree) -> PatientRows:
    path = next((top + _PARTICIPANTS for top in _RAW_FOLDERS if top + _PARTICIPANTS in tree.numbers), "")
    return read_patient_rows(tree, path, patient="participant_id") if path else PatientRows()


def _publication(description: Mapping[str, object], title: str) -> Publication:
    cited = said(description, "HowToAcknowledge", "ReferencesAndLinks")
    doi = said(description, "DatasetDOI")
    return Publication(title, said(description, "License"), "; ".join(filter(None, [cited, doi])))


BIDS = Layout(
    name="bids",
    title="BIDS, masks among its derivatives",
    needs=(
        f"a {_DESCRIPTION}, images such as sub-01/anat/sub-01_T1w.nii.gz, and masks such as "
        "derivatives/lesions/sub-01/anat/sub-01_label-lesion_mask.nii.gz"
    ),
    read=_read,
    has_own_names=False,
)
