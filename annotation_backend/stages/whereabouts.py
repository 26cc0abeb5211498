"""Where cases are on their way, and what is to be done next, in words for pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import CaseStage, Reading, StageState
from datasets.pictures.slice_runs import in_short
from datasets.study.stage import DrawingMethod, Stage, StageWork, WantedSlices

_SLICES = {
    WantedSlices.ALL: "draws the case",
    WantedSlices.CENTRE: "draws the slice where the tumour is largest",
    WantedSlices.ADJACENT: "draws the slices beside those that are finished",
}
_METHODS = {DrawingMethod.INTERACTIVE: ", with prompts", DrawingMethod.MANUAL: ", by hand"}


@dataclass(frozen=True)
class Step:
    """An open stage of a case.

    Args:
        row: The stage of the case.
        stage: Its rules.
    """

    row: CaseStage
    stage: Stage

    @property
    def title(self) -> str:
        """The stage's title, with its round where it is not the first."""
        return self.stage.title + (f", round {self.row.round}" if self.row.round > 1 else "")

    @property
    def is_reviewed(self) -> bool:
        """Whether a verdict is waited for."""
        return self.stage.does is StageWork.REVIEW

    @property
    def is_next(self) -> str:
        """What is to be done, such as ``a radiologist gives a verdict``."""
        if self.stage.draws and (asked := self.row.asked_slices):
            slices = f"slice{'s' if len(asked) > 1 else ''} {in_short(asked)}"
            return f"{_doers(self.stage)} draws {slices} again, and confirms the others"
        return f"{_doers(self.stage)} {_work(self.stage)}"


@dataclass(frozen=True)
class Whereabouts:
    """How far a case is.

    Args:
        steps: Its open stages.
        has_begun: Whether any stage of it was ever opened.
    """

    steps: Sequence[Step] = ()
    has_begun: bool = False

    @property
    def words(self) -> str:
        """The titles of the open stages, or that there is none."""
        if self.steps:
            return "; ".join(step.title for step in self.steps)
        return "Done" if self.has_begun else "Not begun"


def whereabouts_of(cases: Iterable[Case]) -> Mapping[int, Whereabouts]:
    """How far each case is, by its key; one query for all, and one more for the studies of cases without theirs."""
    by_key = {case.pk: case for case in cases}
    steps: dict[int, list[Step]] = {key: [] for key in by_key}
    begun = set()
    for row in CaseStage.objects.filter(case__in=by_key).exclude(state=StageState.ENDED):
        begun.add(row.case_id)
        row.case = by_key[row.case_id]
        if row.is_open and (stage := row.rules) is not None:
            steps[row.case_id].append(Step(row, stage))
    return {key: Whereabouts(found, key in begun) for key, found in steps.items()}


def whereabouts_as_given(person: User, cases: Iterable[Case]) -> Mapping[int, Whereabouts]:
    """How far a person's control cases among these seem to them, by key; two queries.

    One is as other work is: in the stage that they were given, and once they handed it in, in what comes after it. To
    say nothing of it would tell it from other work.
    """
    by_key = {case.pk: case for case in cases}
    readings = Reading.objects.filter(row__case__in=by_key, row__is_control=True, person=person)
    found = {}
    for reading in readings.select_related("row").order_by("pk"):
        row = reading.row
        row.case = by_key[row.case_id]
        rows = [row] if reading.handed_in_at is None else _rows_after(row)
        steps = [Step(each, stage) for each in rows if (stage := each.rules) is not None]
        found[row.case_id] = Whereabouts(steps, has_begun=True)
    return found


def _rows_after(row: CaseStage) -> list[CaseStage]:
    """The stages that open after one, as they would be if the case came to them now."""
    after = [stage.name for stage in row.case.protocol.steps if row.stage in stage.after]
    return [CaseStage(case=row.case, stage=name, asked_slices=[]) for name in after]


def _doers(stage: Stage) -> str:
    if stage.is_automatic:
        return "a model"
    role = stage.done_by.replace("_", " ")
    who = f"each of {stage.readers} {role}s" if stage.readers > 1 else f"{'an' if role[0] in 'aeiou' else 'a'} {role}"
    return f"{who} who did not draw it" if stage.is_by_another else who


def _work(stage: Stage) -> str:
    if stage.draws:
        return _SLICES[stage.slices] + _METHODS.get(stage.method, "")
    return "gives a verdict" if stage.does is StageWork.REVIEW else "decides between the readers' masks"
