"""What prompted methods learn from: cases with images and masks, out of a folder or of approved masks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.commandline.cohort_arguments import Named, by_channel
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.study.cohort import CohortCase, load, read_cohort
from datasets.study.cohort_values import OTHER_VALUES, with_mask_values

if TYPE_CHECKING:
    from training.fitting.examples import Example


@dataclass(frozen=True, eq=False)
class Lessons:
    """Cases to learn from, read when they are needed.

    Args:
        patients: The patient of each case.
        load: Reads a case.
        inputs: SHA-256 of all that is learned from, by what it is.
        findings: Cases that were left out, and why.
    """

    patients: Mapping[str, str]
    load: "Callable[[str], Example]" = field(repr=False)
    inputs: Mapping[str, str]
    findings: tuple[str, ...] = ()

    def examples(self, *, without: Sequence[str] = ()) -> "list[Example]":
        """All cases but some, in the order of their names.

        Raises:
            RejectedInput: One cannot be read; it is named.
        """
        return [self._loaded(case) for case in sorted(self.patients.keys() - set(without))]

    def _loaded(self, case: str) -> "Example":
        try:
            return self.load(case)
        except RejectedInput as error:
            remedy = f"{error.remedy} Or leave the case out with --without."
            raise RejectedInput(error.code, f"{case}: {error.message}", remedy=remedy) from error


def lessons_of_folder(
    folder: Path,
    images: Sequence[Named],
    mask_glob: str,
    *,
    resample: bool = False,
    without: Sequence[str] = (),
    mask_value: str = "",
) -> tuple[Lessons, tuple[str, ...]]:
    """The cases below a folder; each counts as a patient of its own.

    Args:
        folder: Where the files lie.
        images: Glob of each channel; one without a name is T1.
        mask_glob: Glob of the masks.
        resample: Bring images on other grids onto the mask's.
        without: Names of cases to leave out.
        mask_value: Which value of the masks is meant, as a person says it; empty where nobody does.

    Returns:
        The cases, and the channels.

    Raises:
        RejectedInput: As `read_cohort` and `with_mask_values`; a case to leave out is not there, or no other is.
    """
    globs = by_channel(images, "t1")
    cohort = with_mask_values(read_cohort(folder, globs, mask_glob), folder, mask_value)
    cases = {case.case: case for case in cohort.cases if case.case not in without}
    if (unknown := sorted(set(without) - {case.case for case in cohort.cases})) or not cases:
        raise RejectedInput(
            "cohort-without",
            f"Expected cases of the cohort to leave out, and others to learn from; got {', '.join(unknown) or 'all'}.",
            remedy="Name cases as --dry-run lists them.",
        )
    has_others = any(finding.code == OTHER_VALUES for finding in cohort.findings)
    found = Lessons(
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
    """SHA-256 over the SHA-256 of each case's images and mask, and over the values that are meant where others are."""
    files = {name: [*case.images.values(), case.mask] for name, case in cases.items()}
    digests = {name: [sha256_of_file(path) for path in files[name]] for name in files}
    if not are_whole:
        digests |= {name: [*digests[name], f"values {list(case.values)}"] for name, case in cases.items()}
    return sha256_of_bytes(canonical_json(digests))
