"""One thing in Label Studio that is not as we left it; and a kind of look, with what brings it back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotation_backend.labeling.models import LabelingProject, LabelingTask, Subject


@dataclass(frozen=True)
class Difference:
    """What Label Studio has otherwise than we left it.

    Args:
        subject: What it is about.
        name: What of it, in our own words; never what stands there.
        expected: SHA-256 of what we left; empty for nothing.
        found: SHA-256 of what is there; empty for nothing.
        number: Label Studio's number of the thing; 0 where it has none.
        task: Which task of ours, for what tasks show.
        changed_at: When it was changed, where Label Studio says so.
        changed_by: Label Studio's number of who changed it; 0 where it does not say.
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
    """A look at one kind of thing of a project.

    Args:
        look: What differs; changes nothing.
        mend: Brings everything of that kind to what it should be; called with what was found, nothing as well.
        subjects: What its differences are about.
    """

    look: Callable[[LabelingProject], list[Difference]]
    mend: Callable[[LabelingProject, Sequence[Difference]], None]
    subjects: tuple[Subject, ...]
