"""Sorts the volume files of a scan into images and masks, and assigns them to patients once all are known.

Voxels count more than names: few whole numbers are a mask, and never an image.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np

from curation.names.bids_names import dataset_name
from curation.names.mask_owners import UNCLEAR, MaskOwners, PlacedImage, unowned_mask
from curation.names.nifti_names import NiftiName, read_name
from curation.names.role_names import RoleNames
from curation.names.volume_patients import NamedVolume, key_of, patients_of, silent_place
from curation.scanning.found_series import FoundMask, FoundSeries
from curation.scanning.laid_out import MaskMeaning
from curation.scanning.mask_values import MaskFile, MeaningSources, meanings_of
from curation.scanning.table_files import NamedFile
from datasets.dicom.header import SeriesEvidence, plane_of
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.formats.volume_file import files_of, read_grid, read_mask, read_values
from datasets.image.volume import Grid
from datasets.labels.label_values import LabelValues, region_called
from datasets.labels.stored_values import are_labels, labels_in
from datasets.study.protocol import Modality, Protocol

_ANISOTROPIC = 1.5
_MOST_LISTED = 5


@dataclass(frozen=True)
class VolumeFile:
    """One volume file.

    Args:
        path: The file.
        relative: Below the scanned folder. Never to be shown.
        number: Of the file.
        name: Its name, read, with the role by `cases.csv`.
        grid: Where its voxels lie.
        values: Distinct values of its voxels; None where they are many.
        named: Its entry in `cases.csv`; None where that does not name the file.
    """

    path: Path = field(repr=False)
    relative: PurePath = field(repr=False)
    number: int
    name: NiftiName
    grid: Grid
    values: tuple[float, ...] | None
    named: NamedFile | None

    @property
    def is_mask(self) -> bool:
        """Whether it is one by its name, or by its voxels where its name does not say image."""
        if self.named is not None:
            return self.named.is_mask
        return self.name.is_mask or (are_labels(self.values) and (self.name.has_region or self.name.role is None))

    @property
    def is_no_image(self) -> bool:
        """Whether it is called an image and holds but a few values; one value alone is refused where it is read."""
        return not self.is_mask and self.values is not None and len(self.values) > 1

    @property
    def is_derived(self) -> bool:
        """Whether BIDS says that it was computed from the raw images."""
        return self.name.bids is not None and self.name.bids.is_derived


@dataclass(frozen=True)
class PlacedVolumes:
    """Series and masks of all volume files.

    Args:
        series: In the order of their files.
        masks: In the order of their files.
        former_keys: As of `FolderScan`.
        findings: Files that were left out, and questions.
    """

    series: tuple[FoundSeries, ...]
    masks: tuple[FoundMask, ...]
    former_keys: Mapping[str, str] = field(repr=False)
    findings: tuple[Finding, ...]


def look_at_volume(
    path: Path, relative: PurePath, number: int, *, named: NamedFile | None, roles: RoleNames
) -> VolumeFile:
    """Reads a file's name and header, and of its voxels as much as tells an image from a mask.

    Args:
        path: The file.
        relative: Below the scanned folder.
        number: Of the file.
        named: Its entry in `cases.csv`; None where that does not name it.
        roles: The names of the protocol's images.

    Raises:
        RejectedInput: As the format's own reader, for faults of a header.
    """
    name = read_name(relative, roles)
    channel = None if named is None else named.channel
    if named is not None:
        name = replace(name, role=named.role, is_mask=named.is_mask, modality=named.modality, other_image="")
    if named is not None and named.is_of_dataset:  # a case's name says nothing of what is in it
        said = named.described or roles.words_of(named.role)
        name = replace(name, region=roles.first_label, has_region=False, words=said, bids=None)
    return VolumeFile(path, relative, number, name, read_grid(path, channel=channel), _values(path, channel), named)


def place_volumes(
    files: Sequence[VolumeFile],
    folder: Path,
    *,
    table_patients: Collection[str],
    dicom_places: Iterable[tuple[PurePath, str]],
    label_values: LabelValues,
    label_lists: Mapping[PurePath, LabelValues],
    settled: Mapping[str, MaskMeaning],
    protocol: Protocol,
) -> PlacedVolumes:
    """Assigns every file to its patient.

    Args:
        files: All volume files.
        folder: The scanned folder.
        table_patients: Patients that `cases.csv` has rows for.
        dicom_places: Folder below `folder` and patient key of DICOM images.
        label_values: Meaning of the masks' values by a person; {} for none.
        label_lists: From `curation.scanning.mask_values.label_lists`.
        settled: Path of a mask below the folder to what its values mean, where a published dataset's list settles it.
        protocol: The study's.
    """
    names = _Names(files, folder)
    images = [file for file in files if not (file.is_mask or file.is_no_image or file.is_derived)]
    loose = [file for file in images if file.named is None and not names.beside(file)]
    patients = patients_of(
        [NamedVolume(file.relative, file.number, file.name) for file in loose],
        root=names.root,
        datasets=names.datasets,
        table_patients=table_patients,
        roles=protocol.roles,
    )
    keys = {file.number: patients.keys.get(file.number) or names.table_patient(file) for file in images}
    series = [_series(file, keys[file.number], protocol) for file in images if keys[file.number]]
    owners = MaskOwners([*_placed(images, keys), *(PlacedImage(place, key) for place, key in dicom_places)])
    meaning = MeaningSources(label_values, label_lists, protocol.labels, protocol.roles)
    masks, findings = _masks([file for file in files if file.is_mask], names, owners, meaning, settled)
    return PlacedVolumes(
        tuple(series), tuple(masks), patients.former, (*_left_out(files), *patients.findings, *findings)
    )


class _Names:
    """Patient keys by all names of a scan together."""

    def __init__(self, files: Sequence[VolumeFile], folder: Path) -> None:
        roots = dict.fromkeys(file.name.bids.dataset for file in files if file.name.bids is not None)
        self.root = folder.resolve().name
        self.datasets = {root: dataset_name(folder, root) for root in roots}
        self._beside: dict[tuple[object, ...], set[str]] = defaultdict(set)
        for file in files:
            if file.named is not None:
                self._beside[_place(file)].add(file.named.patient_id)

    def beside(self, file: VolumeFile) -> str:
        """The one patient of those files of the same folder and prefix that `cases.csv` names; empty without any."""
        named = self._beside.get(_place(file), set())
        return next(iter(named)) if len(named) == 1 else ""

    def table_patient(self, file: VolumeFile) -> str:
        """The patient by `cases.csv`; empty where it gives none."""
        return file.named.patient_id if file.named is not None else self.beside(file)

    def key_of(self, file: VolumeFile) -> str:
        """The key that an image of this name would have."""
        return key_of(file.name, root=self.root, datasets=self.datasets)


def _place(file: VolumeFile) -> tuple[object, ...]:
    """The place that files of one patient share: the key of their names, and folders in it that identify no patient."""
    return (file.name.patient_key, silent_place(file.name))


def _placed(images: Sequence[VolumeFile], keys: Mapping[int, str]) -> Iterator[PlacedImage]:
    for file in images:
        key = keys[file.number] or UNCLEAR
        is_named = file.named is not None
        prefix, spelled = ((), ()) if is_named else (file.name.prefix, file.name.spelled)
        yield PlacedImage(file.relative.parent, key, prefix, spelled)


def _masks(
    files: Sequence[VolumeFile],
    names: _Names,
    owners: MaskOwners,
    sources: MeaningSources,
    settled: Mapping[str, MaskMeaning],
) -> tuple[list[FoundMask], list[Finding]]:
    found = [
        (file, names.table_patient(file) or owners.owner_of(file.relative, file.name, names.key_of(file)))
        for file in files
    ]
    by_list = {file.number: settled[path] for file, _ in found if (path := file.relative.as_posix()) in settled}
    drawn = [
        MaskFile(file.number, file.path, file.relative, file.name.region, _labels(file))
        for file, _ in found
        if file.number not in by_list
    ]
    meanings = meanings_of(drawn, sources)
    unnamed = [finding for file, _ in found if (finding := _unnamed_values(file, by_list)) is not None]
    left = {finding.subject for finding in unnamed}
    left |= {f"file {number}" for number, meaning in by_list.items() if not meaning.labels}  # as a person wanted
    masks = [
        _found_mask(file, key, meanings.labels.get(file.number, {}), by_list.get(file.number))
        for file, key in found
        if key and f"file {file.number}" not in left
    ]
    nobody = [unowned_mask(file.number, sources.roles) for file, key in found if not key]
    others = [_other_part(mask, sources) for mask in masks if _is_other_part(mask, sources)]
    return masks, [*nobody, *others, *unnamed, *meanings.findings]


def _found_mask(file: VolumeFile, key: str, labels: LabelValues, settled: MaskMeaning | None) -> FoundMask:
    mask = FoundMask(
        f"file {file.number}",
        key,
        file.path,
        named_role=file.name.role,
        other_image=file.name.other_image,
        labels=labels,
        made_by=_made_by(file),
    )
    if settled is None:
        return mask
    return replace(
        mask,
        labels=settled.labels,
        left_out=settled.left_out,
        is_settled=True,
        may_be_empty=settled.may_be_empty,
    )


def _unnamed_values(file: VolumeFile, settled: Mapping[int, MaskMeaning]) -> Finding | None:
    """The finding that a mask holds values that its dataset does not name; None where it holds none."""
    meaning = settled.get(file.number)
    if meaning is None or not meaning.labels:
        return None
    unnamed = sorted(set(_labels(file) or ()) - set(meaning.labels) - meaning.left_out)
    if not unnamed:
        return None
    return Finding(
        Level.ERROR,
        "source-mask-values",
        f"The mask holds {_listed(unnamed)}, which its dataset does not name; it is left out.",
        "Say what the value means with --label VALUE=LABEL, or leave it out with --label VALUE=.",
        f"file {file.number}",
    )


def _listed(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:_MOST_LISTED]))
    return f"value {shown}" + (" and others" if len(values) > _MOST_LISTED else "")


def _made_by(file: VolumeFile) -> Mapping[str, str]:
    """What tells images of one patient apart, by BIDS or by the dataset's list."""
    visit = file.named.visit if file.named is not None else ""
    return {"ses": visit} if visit else file.name.made_by


def _is_other_part(mask: FoundMask, sources: MeaningSources) -> bool:
    """Whether a mask is named after a part of the body or another BIDS label, and not after one of the study's."""
    known = {label.name for label in sources.labels}
    return bool(mask.labels) and not any(region_called(name, sources.labels) in known for name in mask.labels.values())


def _other_part(mask: FoundMask, sources: MeaningSources) -> Finding:
    named = " or ".join(label.name.lower() for label in sources.labels)
    message = f"The mask is named after something else than {named}; it is kept, but not as that."
    remedy = "Nothing, or call it what it is: in its name, or with --label-values."
    return Finding(Level.INFO, "mask-of-another-part", message, remedy, mask.reference)


def _series(file: VolumeFile, key: str, protocol: Protocol) -> FoundSeries:
    session = _made_by(file).get("ses", "")
    channel = None if file.named is None else file.named.channel
    return FoundSeries(
        reference=sha256_of_file(file.path)[:10] + ("" if channel is None else f"-{channel + 1}"),
        patient_key=key,
        study_key=f"{key}/ses-{session}" if session else key,
        evidence=replace(_evidence(file.grid, file.name, protocol), manufacturer=_vendor(file)),
        files=files_of(file.path),
        named_role=file.name.role,
        made_by=_made_by(file),
        relative=file.relative if file.named is None else None,
        channel=channel,
    )


def _vendor(file: VolumeFile) -> str:
    return file.named.vendor if file.named is not None else ""


def named_for(found: FoundSeries, protocol: Protocol, roles: RoleNames) -> FoundSeries:
    """A volume file's series as the names of another protocol's images say it; any other series as it is.

    Args:
        found: The series.
        protocol: The other protocol.
        roles: The names of its images.
    """
    if found.relative is None:
        return found
    name = read_name(found.relative, roles)
    evidence = replace(found.evidence, modality=_modality(name, protocol), series_description=name.words)
    return replace(found, named_role=name.role, evidence=evidence)


def _modality(name: NiftiName, protocol: Protocol) -> str:
    """The modality that a name says; that of the role it means where that is no MR, of which a name says nothing."""
    own = protocol.image(name.role).modality if name.role is not None else Modality.MR
    return name.modality or ("" if own is Modality.MR else own.value)


def _evidence(grid: Grid, name: NiftiName, protocol: Protocol) -> SeriesEvidence:
    """A volume file says nothing of the sequence; the slices run along the axis of the largest spacing, or along k."""
    axis = int(np.argmax(grid.spacing)) if max(grid.spacing) > _ANISOTROPIC * min(grid.spacing) else 2
    return SeriesEvidence(
        modality=_modality(name, protocol),
        series_description=name.words,
        plane=plane_of(grid.affine[:3, axis]),
        slice_count=grid.shape[axis],
        spacing=grid.spacing,
    )


def _values(path: Path, channel: int | None) -> tuple[float, ...] | None:
    """Distinct values; None also for unreadable voxels, which are refused where they are used."""
    try:
        return read_values(path, channel=channel)
    except RejectedInput:
        return None


def _labels(file: VolumeFile) -> tuple[int, ...] | None:
    """The labels of a mask; None for a file that is no label map, which is refused where it is used."""
    if file.values is not None:
        return labels_in(file.values)
    try:
        return tuple(int(value) for value in np.unique(read_mask(file.path).data) if value)
    except RejectedInput:
        return None


def _left_out(files: Sequence[VolumeFile]) -> Iterator[Finding]:
    for file in files:
        if file.is_no_image:
            yield Finding(
                Level.ERROR,
                "volume-few-values",
                f"An image has many grey values; this has {len(file.values or ())}, as a mask has, and is left out.",
                "If it is a mask, say so in its name (mask, seg, lesion) or in cases.csv; otherwise export it again.",
                f"file {file.number}",
            )
        elif file.is_derived and not file.is_mask:
            message = "The image was derived from raw images (BIDS); it is ignored."
            remedy = "Nothing, or ingest the folder of derivatives by itself."
            yield Finding(Level.INFO, "bids-derived-image", message, remedy, f"file {file.number}")
