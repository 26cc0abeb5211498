"""TrainingExamples: cases with images and masks, of a folder or of a snapshot, read when they are needed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.split_case import SplitCase

if TYPE_CHECKING:
    from training.fitting.examples import Example


@dataclass(frozen=True, eq=False)
class TrainingExamples:
    """The training examples of a cohort or snapshot, read when they are needed.

    Args:
        cases: Patient, tissue type, site and vendor of each case that may be learned from.
        load: Reads the example of a case.
        images_of: Reads the images of a case, whether or not it may be learned from, for the check for leaks.
        size_of: Volume of a case's mask in millilitres.
        inputs: SHA-256 of the images and masks, by their kind (``cohort``, ``snapshot``).
        findings: Cases that were left out, and why.
        external: The external cohort that must not be learned from; None for none.
        external_cases: The cohort's or snapshot's cases that are the external cohort's.
        leave_out: How a person leaves a case out, as a sentence; empty where that is not said.
    """

    cases: Mapping[str, SplitCase]
    load: "Callable[[str], Example]" = field(repr=False)
    images_of: Callable[[str], Iterable[Volume]] = field(repr=False)
    size_of: Callable[[str], float] = field(repr=False)
    inputs: Mapping[str, str]
    findings: tuple[str, ...] = ()
    external: ExternalCohort | None = None
    external_cases: tuple[SplitCase, ...] = ()
    leave_out: str = ""

    @property
    def patients(self) -> dict[str, str]:
        """The patient of each case."""
        return {name: case.patient for name, case in self.cases.items()}

    def read(self, *, without: Sequence[str] = ()) -> "list[Example]":
        """The examples of all cases but those of `without`, in the order of their names.

        Raises:
            RejectedInput: An example cannot be read (the message names its case), or they do not fit into the memory
                (``cases-memory``).
        """
        found: list[Example] = []
        wanted = sorted(self.cases.keys() - set(without))
        for case in wanted:
            found.append(self._loaded(case))
            if len(found) == 1:
                _require_memory(found[0], len(wanted), self.leave_out)
        return found

    def sized_cases(self) -> list[SplitCase]:
        """What is known of the cases, with the sizes of their masks, which may have to be read."""
        return [replace(case, size_ml=self.size_of(case.case)) for case in self.cases.values()]

    def without_external(self, external: ExternalCohort | None) -> "TrainingExamples":
        """These examples without the cases of an external cohort; `load` refuses to read them (``external-case``).

        Raises:
            RejectedInput: No case is left (``external-all``).
        """
        if external is None:
            return self
        held = tuple(case for case in self.cases.values() if external.holds(case))
        if len(held) == len(self.cases):
            raise RejectedInput(
                "external-all",
                f"All cases are of the external cohort {external.name}, so there is nothing to learn from.",
                remedy="Train on other cases, or leave --external out.",
            )
        findings = [*self.findings, *_said_of(external, [case.case for case in held])]
        return replace(
            self,
            cases={name: case for name, case in self.cases.items() if case not in held},
            load=_refusing(self.load, external, {case.case for case in held}),
            inputs={**self.inputs, "external": external.digest},
            findings=tuple(findings),
            external=external,
            external_cases=held,
        )

    def _loaded(self, case: str) -> "Example":
        try:
            return self.load(case)
        except RejectedInput as error:
            remedy = f"{error.remedy} {self.leave_out}".rstrip()
            raise RejectedInput(error.code, f"{case}: {error.message}", remedy=remedy) from error


def _said_of(external: ExternalCohort, held: Sequence[str]) -> list[str]:
    """What is to be said of an external cohort: whom it leaves out, or that it may leave out fewer than is thought."""
    found = [f"Left out as {external.name}: {', '.join(held)}. [external-case]"] if held else []
    if not held:
        found.append(f"No case has a name that {external.name} lists. [external-nobody]")
    if not external.pixels:
        found.append(
            f"{external.name} lists no images, so its patients are known by their names alone: under other names they "
            "are learned from. Freeze the cohort's files with freeze_external to have them recognised. "
            "[external-no-pixels]"
        )
    return found


def _require_memory(first: "Example", count: int, leave_out: str) -> None:
    """Refuses cases that would not fit into the memory, if all are like the first.

    Raises:
        RejectedInput: ``cases-memory``.
    """
    from training.fitting.running.free_memory import free_bytes

    needed = (count - 1) * sum(
        each.nbytes for each in (*(image.data for image in first.volumes.values()), first.mask.data)
    )
    if needed > (free := free_bytes()):
        raise RejectedInput(
            "cases-memory",
            f"{count} cases need about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free.",
            remedy=f"End other programs, or train on a machine with more memory. {leave_out}".rstrip(),
        )


def _refusing(load: "Callable[[str], Example]", external: ExternalCohort, held: set[str]) -> "Callable[[str], Example]":
    """The loader, which refuses the cases of an external cohort."""

    def loaded(case: str) -> "Example":
        if case in held:
            raise RejectedInput(
                "external-case",
                f"The case is of the external cohort {external.name}, which must not be learned from.",
                remedy="Leave it out.",
            )
        return load(case)

    return loaded
