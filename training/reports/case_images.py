"""What a report takes from its cases' images: grey values of all tumours, and pictures of the cases that are shown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets.errors import MaskloopError
from datasets.formats.nifti import read_mask
from datasets.pictures.outlined_slice import OutlinedSlice
from datasets.study.cohort import LoadedCase
from datasets.study.image_kind import modality_of
from training.reports.pictures import case_picture, grey_value
from training.reports.scores import ModelScores
from training.reports.worst_parts import shown_cases

MaskOf = Callable[[str, str], Path | None]
"""From a model's name and a case to the file of the mask that it drew; None where there is none. May refuse one."""


@dataclass(frozen=True)
class CaseImages:
    """What was taken from the images.

    Args:
        grey: Mean grey value of each tumour, by case and kind of image.
        pictures: By model and case.
        findings: Masks that cannot be shown.
    """

    grey: dict[str, dict[str, float]] = field(default_factory=dict)
    pictures: dict[tuple[str, str], OutlinedSlice] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def images_of(cases: Iterable[LoadedCase], models: Sequence[ModelScores], mask_of: MaskOf) -> CaseImages:
    """Reads each case once.

    Args:
        cases: Images and references; may lack cases of the models.
        models: The models.
        mask_of: Where their masks lie.
    """
    found = CaseImages()
    shown = {model.name: set(shown_cases(model)) for model in models}
    for case in cases:
        found.grey[case.case] = {
            kind: grey_value(volume, modality_of(kind), case.mask) for kind, volume in case.volumes.items()
        }
        for name in (name for name, names in shown.items() if case.case in names):
            _add_picture(found, name, case, mask_of)
    return found


def _add_picture(found: CaseImages, name: str, case: LoadedCase, mask_of: MaskOf) -> None:
    kind, volume = next(iter(case.volumes.items()))
    try:
        path = mask_of(name, case.case)
        if path is not None:
            found.pictures[name, case.case] = case_picture(volume, kind, case.mask, read_mask(path))
    except MaskloopError as error:
        found.findings.append(f"{case.case}: the mask of {name} is not shown: {error.message} [{error.code}]")
