"""Training examples: cases with images and masks, from a folder or from a snapshot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.commandline.cohort_arguments import Named, by_kind
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.study.cohort import CohortCase, load, read_cohort
from datasets.study.cohort_values import OTHER_VALUES, with_mask_values
from datasets.study.image_kind import T1

if TYPE_CHECKING:
    from training.fitting.examples import Example


@dataclass(frozen=True, eq=False)
class TrainingExamples:
    """The training examples of a cohort or snapshot, read when they are needed.

    Args:
        patients: The patient of each case.
        load: Reads the example of a case.
        inputs: SHA-256 of the images and masks, by their kind (``cohort``, ``snapshot``).
        findings: Cases that were left out, and why.
    """

    patients: Mapping[str, str]
    load: "Callable[[str], Example]" = field(repr=False)
    inputs: Mapping[str, str]
    findings: tuple[str, ...] = ()

    def read(self, *, without: Sequence[str] = ()) -> "list[Example]":
        """The examples of all cases but those of `without`, in the order of their names.

        Raises:
            RejectedInput: An example cannot be read; the message names its case.
        """
        return [self._loaded(case) for case in sorted(self.patients.keys() - set(without))]

    def _loaded(self, case: str) -> "Example":
        try:
            return self.load(case)
        except RejectedInput as error:
            remedy = f"{error.remedy} Or leave the case out with --without."
            raise RejectedInput(error.code, f"{case}: {error.message}", remedy=remedy) from error


def examples_of_folder(
    folder: Path,
    images: Sequence[Named],
    mask_glob: str,
    *,
    resample: bool = False,
    without: Sequence[str] = (),
    mask_value: str = "",
) -> tuple[TrainingExamples, tuple[str, ...]]:
    """Training examples of the cases in a folder; each case counts as a patient of its own.

    Args:
        folder: The cohort's folder.
        images: Glob of each channel; a glob without a name is T1.
        mask_glob: Glob of the masks.
        resample: Bring images on other grids onto the mask's.
        without: Names of cases to leave out.
        mask_value: Value of the masks that is the tumour, as given by --mask-value; empty if not given.

    Returns:
        The examples, and the channels.

    Raises:
        RejectedInput: As `read_cohort` and `with_mask_values`; a case to leave out does not exist, or none is left.
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
    found = TrainingExamples(
        patients={name: name for name in cases},
        load=lambda name: _example(cases[name], resample=resample),
        inputs={"cohort": _digest(cases, are_whole=not has_others)},
        findings=tuple(str(finding) for finding in cohort.findings),
    )
    return found, tuple(globs)


def _example(case: CohortCase, *, resample: bool) -> "Example":
    from training.fitting.examples import Example

    loaded = load(case, resample=resample)
    return Example(case.case, case.case, loaded.volumes, loaded.mask)


def _digest(cases: Mapping[str, CohortCase], *, are_whole: bool) -> str:
    """SHA-256 over the SHA-256 of each case's files, and over the tumour's mask values if masks hold others too."""
    files = {name: [*case.images.values(), case.mask] for name, case in cases.items()}
    digests = {name: [sha256_of_file(path) for path in files[name]] for name in files}
    if not are_whole:
        digests |= {name: [*digests[name], f"values {list(case.values)}"] for name, case in cases.items()}
    return sha256_of_bytes(canonical_json(digests))
