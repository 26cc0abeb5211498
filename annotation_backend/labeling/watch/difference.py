"""Difference: one thing in Label Studio that is not as we left it. Check: a comparison, with its mending."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotation_backend.labeling.models import LabelingProject, LabelingTask, Subject


@dataclass(frozen=True)
class Difference:
    """One thing that Label Studio has otherwise than we left it.

    Args:
        subject: The part of Label Studio that it is about.
        name: The kind of difference, in our own words; never a text that stands there.
        expected: SHA-256 of the value that we left; empty for nothing.
        found: SHA-256 of the value that is there; empty for nothing.
        number: Label Studio's number of the thing; 0 where it has none.
        task: The task of ours, where tasks differ.
        changed_at: When it was changed, where Label Studio says so.
        changed_by: Label Studio's number of the person who changed it; 0 where it does not say.
        tells_elsewhere: Whether Label Studio sent a secret of ours to another address by it.
    """

    subject: Subject
    name: str
    expected: str = ""
    found: str = ""
    number: int = 0
    task: LabelingTask | None = None
    changed_at: datetime | None = None
    changed_by: int = 0
    tells_elsewhere: bool = False

    def __str__(self) -> str:
        where = f" ({self.task.case.code}, slice {self.task.slice_index})" if self.task else ""
        return f"{self.subject.label}: {self.name}{where}"


@dataclass(frozen=True)
class Check:
    """A comparison of one kind of thing of a project.

    Args:
        look: Finds the differences; changes nothing.
        mend: Brings everything of that kind to what it should be; called with the differences, also if there are none.
        subjects: Subjects of its differences.
    """

    look: Callable[[LabelingProject], list[Difference]]
    mend: Callable[[LabelingProject, Sequence[Difference]], None]
    subjects: tuple[Subject, ...]
