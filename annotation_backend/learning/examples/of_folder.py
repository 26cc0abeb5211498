"""Training examples of the cases in a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annotation_backend.commandline.cohort_arguments import Named, by_kind
from annotation_backend.learning.examples.case_table import cases_of_table
from annotation_backend.learning.examples.training_examples import TrainingExamples
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.formats.nifti import read_volume
from datasets.study.cohort import CohortCase, load, read_cohort
from datasets.study.cohort_values import OTHER_VALUES, with_mask_values
from datasets.study.image_kind import T1

if TYPE_CHECKING:
    from training.fitting.examples import Example


def examples_of_folder(
    folder: Path,
    images: Sequence[Named],
    mask_glob: str,
    *,
    resample: bool = False,
    without: Sequence[str] = (),
    mask_value: str = "",
    table: Path | None = None,
) -> tuple[TrainingExamples, tuple[str, ...]]:
    """Training examples of the cases in a folder; each case counts as a patient of its own, unless a table says whose.

    Args:
        folder: The cohort's folder.
        images: Glob of each channel; a glob without a name is T1.
        mask_glob: Glob of the masks.
        resample: Bring images on other grids onto the mask's.
        without: Names of cases to leave out.
        mask_value: Value of the masks that is the tumour, as given by --mask-value; empty if not given.
        table: What is known of the cases (`annotation_backend.learning.examples.case_table`); None for nothing.

    Returns:
        The examples, and the channels.

    Raises:
        RejectedInput: As `read_cohort`, `with_mask_values` and `cases_of_table`; a case to leave out does not exist, or
            none is left.
    """
    globs = by_kind(images, T1)
    cohort = with_mask_values(read_cohort(folder, globs, mask_glob), folder, mask_value)
    cases = {case.case: case for case in cohort.cases if case.case not in without}
    if (unknown := sorted(set(without) - {case.case for case in cohort.cases})) or not cases:
        raise RejectedInput(
            "cohort-without",
            f"The cohort has no case called {' or '.join(unknown)}, which --without names."
            if unknown
            else "--without leaves no case to train on.",
            remedy="Name cases as --dry-run lists them.",
        )
    has_others = any(finding.code == OTHER_VALUES for finding in cohort.findings)
    known, said = cases_of_table(table, cases)
    found = TrainingExamples(
        cases=known,
        load=lambda name: _example(cases[name], known[name].patient, resample=resample),
        images_of=lambda name: (read_volume(path) for path in cases[name].images.values()),
        size_of=lambda name: _size(cases[name]),
        inputs={"cohort": _digest(cases, are_whole=not has_others)},
        findings=(*(str(finding) for finding in cohort.findings), *said),
        leave_out="Or leave cases out with --without.",
    )
    return found, tuple(globs)


def _example(case: CohortCase, patient: str, *, resample: bool) -> "Example":
    from training.fitting.examples import Example

    loaded = load(case, resample=resample)
    return Example(case.case, patient, loaded.volumes, loaded.mask)


def _size(case: CohortCase) -> float:
    """Millilitres of a case's tumour, as its mask is on the disk."""
    mask = read_volume(case.mask)
    inside = np.isin(mask.data, case.values or (0,), invert=not case.values)
    return float(np.count_nonzero(inside)) * mask.grid.voxel_volume_mm3 / 1000.0


def _digest(cases: Mapping[str, CohortCase], *, are_whole: bool) -> str:
    """SHA-256 over the SHA-256 of each case's files, and over the tumour's mask values if masks hold others too."""
    files = {name: [*case.images.values(), case.mask] for name, case in cases.items()}
    digests = {name: [sha256_of_file(path) for path in files[name]] for name in files}
    if not are_whole:
        digests |= {name: [*digests[name], f"values {list(case.values)}"] for name, case in cases.items()}
    return sha256_of_bytes(canonical_json(digests))
