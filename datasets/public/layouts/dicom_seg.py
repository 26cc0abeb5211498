"""An export of a release as DICOM SEG: a folder a case, with the series of the drawn image and its segmentation.

    export.json                         patients, tissues, sites, labels, kinds of images
    sub-0001_ses-1/image/IM0001.dcm     the drawn image
    sub-0001_ses-1/segmentation.dcm     absent where the mask is empty

`ingest_studies` would take these series for processed images, which they are: here the list says what they show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets.dicom.header import read_header
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.labels.stored_values import MOST_LABEL
from datasets.public.dataset import Publication, SourceCase, SourceDataset, SourceImage, SourceMask
from datasets.public.documents import document_or_none, said
from datasets.public.layout import Layout, OtherTree, Prepared
from datasets.release.exports.dicom_seg import IMAGE_FOLDER, SEGMENTATION_NAME
from datasets.release.exports.texts import EXPORT_SCHEMA, RECORD_NAME

_EXPORT_AGAIN = "Export the release again, or import the release itself."


def _read(tree: FileTree) -> SourceDataset:
    record = document_or_none(tree, RECORD_NAME) if RECORD_NAME in tree.numbers else None
    if record is None or record.get("schema") != EXPORT_SCHEMA or record.get("format") != "dicom-seg":
        raise OtherTree(f"a {RECORD_NAME} of an export as dicom-seg")
    release, drawn = (_table(record.get(key)) for key in ("release", "drawn"))
    name, images, labels = str(release.get("name", "")), _table(record.get("images")), _labels(record)
    cases: list[SourceCase] = []
    findings: list[Finding] = []
    for code, each in _table(record.get("cases")).items():
        folder, role = f"{code}/{IMAGE_FOLDER}", drawn.get(code)
        if not any(path.startswith(f"{folder}/") for path in tree.paths) or not isinstance(role, str):
            findings.append(_without_series(tree, code))
            continue
        words = _table(each)
        cases.append(
            SourceCase(
                f"{name}/{said(words, 'patient')}",
                code,
                (SourceImage(role, folder, kind=said(images, role)),),
                (SourceMask(f"{code}/{SEGMENTATION_NAME}", role, labels, may_be_empty=True),),
                tissue_type=said(words, "tissue_type"),
                anatomical_site=said(words, "anatomical_site"),
                visit=code,
            )
        )
    return SourceDataset(_publication(record, release), tuple(cases), tuple(findings))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _labels(record: Mapping[str, Any]) -> dict[int, str]:
    named = _table(record.get("labels"))
    return {int(value): said(named, value) for value in named if value.isdecimal() and 0 < int(value) <= MOST_LABEL}


def _publication(record: Mapping[str, Any], release: Mapping[str, Any]) -> Publication:
    title = f"{said(release, 'name')} {said(release, 'version')}".strip() or "a release"
    return Publication(title, said(record, "licence"), f"{title}, digest {said(release, 'digest')}")


def _without_series(tree: FileTree, code: str) -> Finding:
    return Finding(
        Level.WARNING,
        "source-image-missing",
        "A case of the export has no series in its folder: its segmentation refers to one that was given then.",
        "Give ingest_studies that series together with the segmentation, or import the release itself.",
        tree.subject(*(path for path in tree.paths if path.startswith(f"{code}/"))) or "the dataset",
    )


def _prepare(tree: FileTree, dataset: SourceDataset, folder: Path) -> Prepared:
    """Writes each case's image and mask as volumes; a case that cannot be read is a finding, and the rest goes on."""
    writing = _Writing(tree, folder)
    cases = [written for case in dataset.cases if (written := writing.written(case)) is not None]
    return FileTree.of(folder), replace(dataset, cases=tuple(cases), findings=(*dataset.findings, *writing.findings))


@dataclass
class _Writing:
    """The volumes of cases, being written."""

    tree: FileTree
    folder: Path
    findings: list[Finding] = field(default_factory=list)

    def written(self, case: SourceCase) -> SourceCase | None:
        """The case with the paths of its volumes; None where its series cannot be read."""
        [image], [mask] = case.images, case.masks
        own = [path for path in self.tree.paths if str(PurePosixPath(path).parent) == image.path]
        try:
            series = self._series(case, own)
            volume = read_series(series)
        except (RejectedInput, OSError) as error:
            self._refuse(error, *own)
            return None
        masks: tuple[SourceMask, ...] = ()
        try:
            drawn = self._mask(mask, series, volume)
            write_mask(self.folder / case.case / "mask.nii.gz", drawn)
            masks = (replace(mask, path=f"{case.case}/mask.nii.gz", may_be_empty=mask.path not in self.tree.numbers),)
        except (RejectedInput, OSError) as error:
            self._refuse(error, mask.path)
        write_volume(self.folder / case.case / "image.nii.gz", volume)
        return replace(case, images=(replace(image, path=f"{case.case}/image.nii.gz"),), masks=masks)

    def _series(self, case: SourceCase, paths: list[str]) -> DicomSeries:
        found = group_series(read_header(self.tree.file(path)) for path in paths if not self._is_link(path))
        if len(found) != 1 or not case.patient.endswith(f"/{found[0].patient_key}"):
            message = "The folder of a case holds other images than one series of its patient; the case is left out."
            raise RejectedInput("source-series-other", message, remedy=_EXPORT_AGAIN)
        return found[0]

    def _is_link(self, path: str) -> bool:
        return self.tree.file(path).is_symlink()

    def _mask(self, mask: SourceMask, series: DicomSeries, volume: Volume) -> Mask:
        """The label map of all segments; empty where the case has no segmentation."""
        data = np.zeros(volume.grid.shape, np.uint8)
        for value, region in self._regions(mask, series):
            data[region.foreground] = value
        return Mask(data, volume.grid, dict(mask.labels))

    def _regions(self, mask: SourceMask, series: DicomSeries) -> Iterator[tuple[int, Mask]]:
        values = {name: value for value, name in mask.labels.items()}
        if mask.path not in self.tree.numbers:
            return
        for name, region in read_segment_set(self.tree.file(mask.path), series).sound().items():
            if name not in values:
                message = "A segment has a name that the export's list of labels lacks; the mask is left out."
                raise RejectedInput("source-label-unknown", message, remedy=_EXPORT_AGAIN)
            yield values[name], region

    def _refuse(self, error: RejectedInput | OSError, *paths: str) -> None:
        subject = self.tree.subject(*paths) or "the dataset"
        if isinstance(error, RejectedInput):
            self.findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, subject))
        else:
            message = f"A file cannot be read ({type(error).__name__})."
            remedy = "Check the file's permissions and the disk."
            self.findings.append(Finding(Level.ERROR, "file-unreadable", message, remedy, subject))


DICOM_SEG = Layout(
    name="dicom-seg",
    title="a release of Maskloop, exported as DICOM SEG",
    needs=f"the {RECORD_NAME} of export_release, and a folder a case with {IMAGE_FOLDER} and {SEGMENTATION_NAME}",
    read=_read,
    has_own_names=False,
    prepare=_prepare,
)
