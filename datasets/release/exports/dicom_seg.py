"""DICOM SEG: each case's mask on the slices of a series that it refers to.

    sub-0001_ses-1/segmentation.dcm     a segment for each label that the mask holds
    sub-0001_ses-1/image/IM0001.dcm     the drawn image, where no series of its own is at hand

A case whose mask is empty has no segmentation: a segment without a pixel lets viewers wait for ever.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from datasets.files import flush_to_disk
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_grid
from datasets.image.volume import Volume
from datasets.progress import Progress
from datasets.release.exports.dicom.derived_series import SeriesSubject, write_series
from datasets.release.exports.dicom.found_series import FoundBy, FoundSeries, read_series_folder, source_of
from datasets.release.exports.dicom.segment_codes import codes_of_label
from datasets.release.exports.dicom.segmentation import SegmentSubject, write_segmentation
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.exports.source import SourceCase

IMAGE_FOLDER, SEGMENTATION_NAME = "image", "segmentation.dcm"

_LOADING = """Every case has a folder. In 3D Slicer, OHIF or another viewer of DICOM, load it together with the series
that the segmentation refers to: {series}.

In Python: highdicom.seg.segread("<case>/segmentation.dcm")."""
_WITH_IMAGE = "`image` in the folder of the case, or for some cases the series that you gave with --dicom"
_IMAGE_ALONE = "`image` in the folder of the case"


def prepare(selection: Selection, options: ExportOptions) -> PreparedExport:
    """Segmentations; arguments, result and errors as `datasets.release.exports.formats.ExportFormat` says.

    Raises:
        RejectedInput: As `read_series_folder`.
    """
    sources = {} if options.dicom is None else _sources(selection, options.dicom)

    def write(part: Path, progress: Progress) -> list[Finding]:
        found: list[Finding] = []
        for done, case in enumerate(selection.cases, start=1):
            found += _write_case(part / case.code, selection, case, sources.get(case.code), options=options)
            progress(done, len(selection.cases))
        for folder in sorted(path for path in part.rglob("*") if path.is_dir()):
            flush_to_disk(folder)
        return found

    loading = _LOADING.format(series=_WITH_IMAGE if sources else _IMAGE_ALONE)
    findings = (*_label_findings(selection), *_case_findings(selection, sources, options))
    return PreparedExport(write, loading, _facts(selection, sources, options), findings)


def _sources(selection: Selection, dicom: Path) -> dict[str, FoundSeries]:
    """The series of each case that has one, by its code."""
    folder = read_series_folder(dicom)
    source = selection.source
    grids = [read_grid(source.folder / case.mask) for case in selection.cases]
    found = {case.code: source_of(_drawn(selection, case), folder, grids=grids) for case in selection.cases}
    return {code: series for code, series in found.items() if series is not None}


def _drawn(selection: Selection, case: SourceCase) -> Volume:
    return selection.source.volume(case, case.drawn_role)


def _write_case(
    folder: Path, selection: Selection, case: SourceCase, series: FoundSeries | None, *, options: ExportOptions
) -> Iterator[Finding]:
    source = selection.source
    mask = source.mask(case)
    image = Volume(mask.data, mask.grid)
    headers: list[Dataset]
    if series is None:
        headers = write_series(folder / IMAGE_FOLDER, _drawn(selection, case), _series_subject(selection, case))
    elif case.is_empty:
        return
    else:
        headers, image = series.headers(), series.on_its_grid(image)
    if not case.is_empty:
        is_read_one_way = write_segmentation(
            folder / SEGMENTATION_NAME,
            np.asarray(image.data, np.uint8),
            headers,
            subject=_segment_subject(selection, case, str(headers[0].SeriesInstanceUID)),
            form=options.segments,
        )
        if not is_read_one_way:
            message = "Some web viewers cannot unpack the few frames of this segmentation, or unpack them shifted."
            remedy = "Export it with --segments labelmap for them."
            yield Finding(Level.WARNING, "export-frames", message, remedy, subject=case.code)


def _series_subject(selection: Selection, case: SourceCase) -> SeriesSubject:
    [role] = [role for role in selection.source.roles if role.name == case.drawn_role]
    return SeriesSubject(
        patient=case.patient,
        case=case.code,
        role=role.name,
        title=role.title,
        modality=role.modality,
        release=selection.source.name,
        digest=selection.source.digests[case.images[role.name]],
    )


def _segment_subject(selection: Selection, case: SourceCase, series_uid: str) -> SegmentSubject:
    source = selection.source
    labels = [f"{value} {name}" for value, name in source.labels.items()]
    return SegmentSubject(
        labels=source.labels,
        tissue_type=case.tissue_type,
        anatomical_site=case.anatomical_site,
        models=source.models_of(case),
        description=f"{case.code} of {source.title}",
        seeds=("maskloop-segmentation", series_uid, source.digests[case.mask], *labels),
    )


def _facts(selection: Selection, sources: Mapping[str, FoundSeries], options: ExportOptions) -> dict[str, Any]:
    codes = {name: codes_of_label(name).kind for name in selection.source.labels.values()}
    return {
        "segments": str(options.segments),
        "codes": {name: [code.scheme, code.value, code.meaning] for name, code in codes.items()},
        "segmentations": {
            case.code: f"{case.code}/{SEGMENTATION_NAME}" for case in selection.cases if not case.is_empty
        },
        "drawn": {case.code: case.drawn_role for case in selection.cases},
        "series": {case.code: "given" if case.code in sources else "derived" for case in selection.cases},
    }


def _label_findings(selection: Selection) -> Iterator[Finding]:
    unknown = [name for name in selection.source.labels.values() if not codes_of_label(name).is_known]
    if unknown:
        message = f"No code of SNOMED CT is known here for {', '.join(unknown)}: its own name is the code."
        yield Finding(Level.INFO, "export-label-code", message, "Nothing; readers find the segment by its label.")


def _case_findings(
    selection: Selection, sources: Mapping[str, FoundSeries], options: ExportOptions
) -> Iterator[Finding]:
    for case in selection.cases:
        found = sources.get(case.code)
        if case.is_empty:
            message = "The case has no segmentation, since its mask is empty."
            yield Finding(Level.WARNING, "export-mask-empty", message, "Nothing, if meant.", subject=case.code)
        if options.dicom is not None and found is None:
            message = "No series of the folder is surely the drawn image: a derived series is written for it."
            remedy = "Nothing, or look whether the folder holds the case's de-identified series."
            yield Finding(Level.WARNING, "export-series-derived", message, remedy, subject=case.code)
        elif found is not None and found.found_by is FoundBy.GRID:
            message = "The series was found by its grid alone: its numbers are not the drawn image's."
            remedy = "Make sure that the image was corrected on the way, and that it is this patient's."
            yield Finding(Level.WARNING, "export-series-by-grid", message, remedy, subject=case.code)
