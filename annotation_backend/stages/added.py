"""Stages that a later version of a protocol adds behind what finished cases have been through: left out, or opened."""

import logging
from collections import defaultdict
from collections.abc import Mapping

from django_tasks import task

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.stages.flow import add, is_ladder_rung
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import FinishedCases
from datasets.errors import RejectedInput
from datasets.study.protocol import Protocol
from datasets.study.stage import Stage

logger = logging.getLogger(__name__)


def finished_without(study: Study, former: Protocol, protocol: Protocol) -> Mapping[Stage, list[int]]:
    """The stages that a protocol adds to a study's, with the keys of the finished cases that each is due for.

    A stage that begins a case's way is due for none, nor is a rung of a ladder; one query.

    Args:
        study: The study.
        former: Its protocol so far.
        protocol: The later version.
    """
    known = {stage.name for stage in former.steps}
    added = [
        stage
        for stage in protocol.steps
        if stage.name not in known and stage.after and not is_ladder_rung(stage, protocol.steps)
    ]
    if not added:
        return {}
    ways = _ways(study)
    done = {key: {name for name, state in way.items() if state == StageState.DONE} for key, way in ways.items()}
    finished = [key for key, way in ways.items() if done[key] and StageState.OPEN not in way.values()]
    due = {
        stage: [key for key in finished if stage.name not in ways[key] and set(stage.after) <= done[key]]
        for stage in added
    }
    return {stage: keys for stage, keys in due.items() if keys}


def require_said(study: Study, protocol: Protocol, finished: FinishedCases | None) -> None:
    """Refuses a protocol that adds stages behind finished cases, until somebody has said what becomes of these.

    Raises:
        RejectedInput: ``protocol-stage-added``.
    """
    found = {} if finished is not None else finished_without(study, study.protocol, protocol)
    if found:
        counts = "; ".join(
            f"{len(keys)} finished case{' was' if len(keys) == 1 else 's were'} never in {stage.title}"
            for stage, keys in found.items()
        )
        raise RejectedInput(
            "protocol-stage-added",
            f"{counts}, which the document adds.",
            remedy="Say what becomes of them: they stay finished, or the stage is opened for them, and their approved "
            "masks stay approved until somebody decides otherwise there.",
        )


@task()
def open_added_stages(*, study: str, stages: list[str], version: int, person: int | None) -> int:
    """Opens stages that a version of a protocol added, for each case that was finished without them; safe to run twice.

    Returns:
        For how many cases.
    """
    who = None if person is None else User.objects.filter(pk=person).first()
    cases = Case.objects.filter(study__name=study, is_rehearsal=False).select_related("study").order_by("code")
    why = f"added by version {version} of the protocol"
    count = sum(bool(add(case, stages, person=who, why=why)) for case in cases)
    logger.info("%d finished cases of %s are in stages that were added", count, study)
    return count


def _ways(study: Study) -> dict[int, dict[str, str]]:
    """By case: what became of each stage of it, in its newest round; stages that a protocol ended were none."""
    rows = CaseStage.objects.filter(case__study=study, case__is_rehearsal=False).exclude(state=StageState.ENDED)
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for key, name, state in rows.order_by("round").values_list("case", "stage", "state"):
        found[key][name] = state
    return found
