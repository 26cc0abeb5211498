"""Drafts of control cases: the known mask with a fault planted in it, as a person is shown it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import FROM_BACKUP, StoredFile, whole_file
from annotation_backend.readers.models import ControlCase, ControlReading
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes
from datasets.formats.nifti import encode, read_mask
from datasets.image.mask import Inside, Mask
from training.annotators.faults import FaultKind, PlantedFault, plant_fault


@dataclass(frozen=True)
class Draft:
    """A draft on the disk, and what is wrong with it.

    Args:
        file: Relative to the case's folder.
        sha256: Of the file.
        kind: Of the fault.
        slices: That the fault lies in.
        inside: bool: the draft of the label that models learn.
    """

    file: str
    sha256: str
    kind: FaultKind
    slices: tuple[int, ...]
    inside: Inside


def make_draft(control: ControlCase, slices: Sequence[int], *, seed: int) -> Draft | None:
    """Plants a fault of a random kind into a control case's known mask; None where there is no place for any.

    Args:
        control: The control case.
        slices: The fault lies in one of these.
        seed: Of the kind, the place and the size.
    """
    random = np.random.default_rng(seed)
    known, plane = known_mask(control), picture_plane(control.case)
    label = control.case.protocol.learned_label
    truth = known.label(label.name) & on_slices(known.grid.shape, plane.slice_axis, slices)
    fault = _planted(truth, known, plane.slice_axis, random)
    if fault is None:
        return None
    data = known.data.copy()
    data[truth & ~fault.inside] = 0
    data[fault.inside & (data == 0)] = label.value
    inside = data == label.value
    content = encode(data, known.grid.affine)
    digest = sha256_of_bytes(content)
    file = f"masks/draft-{digest[:16]}.nii.gz"
    write_bytes(control.case.folder / file, content)
    return Draft(file, digest, fault.kind, fault.slices, inside)


def known_mask(control: ControlCase) -> Mask:
    """The known mask of a control case.

    Raises:
        DamagedFile: Its file is not the one that was written.
    """
    return _read(control, control.file, control.sha256)


def draft_mask(reading: ControlReading) -> Mask | None:
    """The draft that a person was shown; None where they were shown none.

    Raises:
        DamagedFile: Its file is not the one that was written.
    """
    return _read(reading.control, reading.draft_file, reading.draft_sha256) if reading.draft_file else None


def on_slices(shape: tuple[int, ...], axis: int, slices: Sequence[int]) -> Inside:
    """bool (shape): the voxels of some slices along an axis."""
    along = np.zeros(shape[axis], dtype=bool)
    along[list(slices)] = True
    others = tuple(one for one in range(len(shape)) if one != axis)
    found: Inside = np.broadcast_to(np.expand_dims(along, others), shape)
    return found


def _planted(truth: Inside, known: Mask, axis: int, random: np.random.Generator) -> PlantedFault | None:
    for kind in random.permutation(np.array(list(FaultKind), dtype=object)):
        try:
            return plant_fault(truth, known.grid, axis, kind=FaultKind(kind), random=random)
        except RejectedInput:
            continue
    return None


def _read(control: ControlCase, file: str, sha256: str) -> Mask:
    case = control.case
    stored = StoredFile(case.folder / file, sha256, f"a mask of control case {case.code}", FROM_BACKUP, case=case)
    return read_mask(whole_file(stored), labels=case.protocol.label_names)
