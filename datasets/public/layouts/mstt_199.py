"""MSTT-199 as on Kaggle: pictures of slices of 1 mm, in three planes, of which the axial ones make the volume.

    image_2_5d_isotropic_axial_stride-1/F02_T1/F02_T1_17.png    slices 16, 17 and 18 as colours
    mask_isotropic_axial_png/F02_T2/F02_T2_17.png               of the image that was drawn on
    mask_isotropic_axial_png/L44_T1_J/L44_T1_J_17.png           several people's, joined
    consensus_information.csv                                   PID,Modality,Multiple_Annotations

T1 and T2 of a patient are registered and of one size. The first letter of a patient is the tissue.

Source: Reasat et al. 2024, arXiv 2409.03110; github.com/Reasat/mstt. The program that exported the pictures is not
public: what the pictures do not say is said in a finding.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.formats.nifti import write_mask, write_volume
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
from datasets.public.documents import PatientRows, read_patient_rows
from datasets.public.layout import Layout, OtherTree, Prepared
from datasets.public.slice_stacks import Stack, StackedImage, stack_image, stack_mask

_KINDS = {"T1": "t1", "T2": "t2-fs", "CT": "ct", "PET": "pet"}
"""What pictures may be called by to the word of the kind. MSTT-199 has the first two."""

_OF_MSTT = ("T1", "T2")
_LABEL = "tumour"
_TISSUES = {"F": "fibrous", "L": "fat", "M": "myxoid", "N": "nerve", "V": "vascular"}
_IMAGES = re.compile(r"image_2_5d_isotropic_axial_stride-\d+")
_MASKS = re.compile(r"mask(?:_isotropic)?_axial_png")
_FILE = re.compile(
    r"(?P<stack>(?P<patient>STS_\d{3}|[A-Za-z0-9]+)_(?P<image>T1|T2|CT|PET)(?P<joined>_J)?)_(?P<number>\d{1,5})\.png"
)
_OF_THIS_SET = re.compile(r"[FLMNV][0-9A-Z]\d")
_TABLE = "consensus_information.csv"
_YES = frozenset({"true", "1", "1.0", "yes"})
_PUBLICATION = Publication(
    "MSTT-199",
    "as stated on kaggle.com/datasets/reasat/mstt-199",
    "Reasat et al. 2024, MSTT-199: MRI Dataset for Musculoskeletal Soft Tissue Tumor Segmentation, arXiv 2409.03110",
)


@dataclass(frozen=True)
class _StackName:
    """Whose pictures a stack holds."""

    patient: str
    image: str
    is_joined: bool = False


_Stacks = Mapping[_StackName, Stack]


def _read(tree: FileTree) -> SourceDataset:
    images, masks = (_stacks(tree, pattern) for pattern in (_IMAGES, _MASKS))
    if not images:
        raise OtherTree("pictures such as image_2_5d_isotropic_axial_stride-1/F02_T1/F02_T1_17.png")
    tables = [read_patient_rows(tree, path, patient="pid") for path in tree.paths if PurePosixPath(path).name == _TABLE]
    findings = [finding for table in tables for finding in table.findings]
    cases = []
    for patient in dict.fromkeys(name.patient for name in images):
        own = {name.image: stack for name, stack in images.items() if name.patient == patient}
        drawn = {name: stack for name, stack in masks.items() if name.patient == patient}
        name = _mask_of(patient, drawn, tables)
        mask = (SourceMask(_place(masks[name]), name.image, {1: _LABEL}),) if name and name.image in own else ()
        cases.append(
            SourceCase(
                patient if patient.startswith("STS_") else f"MSTT-199/{patient}",
                patient,
                tuple(SourceImage(image, _place(stack), kind=_KINDS[image]) for image, stack in own.items()),
                mask,
                tissue_type=_TISSUES[patient[0]] if _OF_THIS_SET.fullmatch(patient) else "",
            )
        )
        findings += _findings(tree, own, drawn, is_clear=bool(mask) or not drawn)
    lone = [stack for name, stack in masks.items() if name.patient not in {case.case for case in cases}]
    findings += [mask_without_image(tree.subject(*stack.paths.values())) for stack in lone]
    return SourceDataset(_PUBLICATION, tuple(cases), (*findings, _assumed()))


def _stacks(tree: FileTree, folder: re.Pattern[str]) -> dict[_StackName, Stack]:
    """The pictures in folders of a name, by whose they are."""
    found: dict[_StackName, dict[int, str]] = defaultdict(dict)
    for path in tree.paths:
        parts = PurePosixPath(path).parts
        match = _FILE.fullmatch(parts[-1])
        if match is not None and any(folder.fullmatch(part) for part in parts[:-1]):
            name = _StackName(match["patient"], match["image"], is_joined=bool(match["joined"]))
            found[name].setdefault(int(match["number"]), path)
    return {name: Stack(paths) for name, paths in found.items()}


def _place(stack: Stack) -> str:
    """The folder of a stack and the beginning of its pictures' names, which tells it from others."""
    return next(iter(stack.paths.values())).rpartition("_")[0]


def _mask_of(patient: str, drawn: _Stacks, tables: Sequence[PatientRows]) -> _StackName | None:
    """The mask that counts: by the table, else the only one, or the joined one; None where that is not clear."""
    row: Mapping[str, str] = next((table.rows[patient] for table in tables if patient in table.rows), {})
    if row.get("modality", "") in _KINDS:
        is_joined = row.get("multiple_annotations", "").lower() in _YES
        said = _StackName(patient, row["modality"], is_joined=is_joined)
        return said if said in drawn else None
    joined = [name for name in drawn if name.is_joined]
    candidates = joined or list(drawn)
    return candidates[0] if len(candidates) == 1 else None


def _findings(tree: FileTree, own: Mapping[str, Stack], drawn: _Stacks, *, is_clear: bool) -> Iterator[Finding]:
    first = [next(iter(stack.paths.values())) for stack in own.values()]
    if set(own) & set(_OF_MSTT) and (missing := [image for image in _OF_MSTT if image not in own]):
        yield image_missing(" and ".join(missing), tree.subject(*first))
    if not is_clear:
        yield file_twice(tree.subject(*(next(iter(stack.paths.values())) for stack in drawn.values())))


def _prepare(tree: FileTree, dataset: SourceDataset, folder: Path) -> Prepared:
    """Writes each case's volumes into a folder of its own."""
    images, masks = (
        {_place(stack): stack for stack in _stacks(tree, pattern).values()} for pattern in (_IMAGES, _MASKS)
    )
    cases: list[SourceCase] = []
    findings: list[Finding] = [*dataset.findings]
    for case in dataset.cases:
        writing = _Writing(tree, folder, images, masks, findings)
        cases.append(writing.written(case))
    return FileTree.of(folder), replace(dataset, cases=tuple(cases), findings=tuple(findings))


@dataclass
class _Writing:
    """The volumes of one case being written; what cannot be put together is a finding, and the rest goes on."""

    tree: FileTree
    folder: Path
    images: Mapping[str, Stack]
    masks: Mapping[str, Stack]
    findings: list[Finding]

    def written(self, case: SourceCase) -> SourceCase:
        """The case with the paths of its volumes."""
        images: list[SourceImage] = []
        stacked: dict[str, tuple[Stack, StackedImage]] = {}
        for image in case.images:
            stack = self.images[image.path]
            try:
                found = stack_image(self.tree, stack)
            except (RejectedInput, OSError) as error:
                self._refuse(stack, error)
                continue
            stacked[image.name] = stack, found
            path = f"{case.case}/{image.name}.nii.gz"
            write_volume(self.folder / path, found.volume)
            images.append(replace(image, path=path))
            if not found.are_neighbours_right:
                self.findings.append(_other_neighbours(self._subject(stack)))
        masks = tuple(mask for one in case.masks if (mask := self._mask(case, one, stacked)) is not None)
        return replace(case, images=tuple(images), masks=masks)

    def _mask(
        self, case: SourceCase, mask: SourceMask, stacked: Mapping[str, tuple[Stack, StackedImage]]
    ) -> SourceMask | None:
        if mask.image not in stacked:
            return None
        stack = self.masks[mask.path]
        image, found = stacked[mask.image]
        try:
            drawn, absent = stack_mask(self.tree, stack, image, found.volume.grid)
        except (RejectedInput, OSError) as error:
            self._refuse(stack, error)
            return None
        if absent:
            self.findings.append(_without_pictures(absent, self._subject(stack)))
        path = f"{case.case}/{mask.image}_mask.nii.gz"
        write_mask(self.folder / path, drawn)
        return replace(mask, path=path)

    def _refuse(self, stack: Stack, error: RejectedInput | OSError) -> None:
        subject = self._subject(stack)
        if isinstance(error, RejectedInput):
            self.findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, subject))
        else:
            message = f"A picture cannot be read ({type(error).__name__})."
            remedy = "Check the file's permissions and the disk."
            self.findings.append(Finding(Level.ERROR, "file-unreadable", message, remedy, subject))

    def _subject(self, stack: Stack) -> str:
        return self.tree.subject(*stack.paths.values())


def _assumed() -> Finding:
    return Finding(
        Level.INFO,
        "slices-place-assumed",
        "The pictures do not say how they lie in the body: their rows were taken to run to the patient's left, their "
        "columns to the back, their numbers upwards, in steps of 1 mm.",
        "Nothing, where left and right do not matter.",
        "the dataset",
    )


def _other_neighbours(subject: str) -> Finding:
    message = "The outer colours of an image's pictures are not the slices beside them: a picture may be out of order."
    return Finding(Level.WARNING, "slices-neighbours", message, "Look at the case before it is drawn on.", subject)


def _without_pictures(count: int, subject: str) -> Finding:
    message = f"{count} slice(s) of the image have no picture of the mask; nothing is drawn there."
    remedy = "Nothing, if only slices with a tumour have one; else download the masks again."
    return Finding(Level.WARNING, "slices-without-mask", message, remedy, subject)


MSTT_199 = Layout(
    name="mstt-199",
    title="MSTT-199 (Kaggle), folders of slices",
    needs="image_2_5d_isotropic_axial_stride-1 and mask_isotropic_axial_png, and consensus_information.csv beside them",
    read=_read,
    prepare=_prepare,
)
