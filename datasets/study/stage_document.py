"""Reads the stages of a protocol's document, and names every fault of them."""

from collections.abc import Sequence
from typing import Any

from datasets.study.case import QualityScore
from datasets.study.document_table import NAME, DocumentTable, Faults, check_unique
from datasets.study.protocol import Protocol
from datasets.study.stage import (
    BY_A_MODEL,
    AssignedBy,
    DrawingMethod,
    OpensNext,
    Stage,
    StageWork,
    WantedSlices,
    usual_assignment,
    usual_work,
)

_PEOPLE = ("annotator", "radiologist", "data_manager", BY_A_MODEL)
_UNITS = ("slice", "case")
_MOST_MINUTES = 60 * 24 * 365
_OF_DRAWING = ("method", "slices", "piece", "opens_next")
_OF_REVIEW = ("goes_down_on", "goes_down_to", "may_correct", "largest_correction")


def read_stage(table: DocumentTable) -> Stage:
    """One stage; what has a fault is noted and gets a value that does no harm."""
    name = table.word("name", NAME, "small letters, digits and hyphens")
    unit = table.one_of("unit", _UNITS, default="case")
    does = table.choice("does", StageWork, usual_work(unit))
    stage = Stage(
        name=name,
        title=table.text("title", name),
        done_by=table.one_of("done_by", _PEOPLE),
        unit=unit,
        readers=table.whole("readers", least=1, most=20, default=1),
        is_blind=table.flag("blind", default=False),
        is_by_another=table.flag("by_another", default=False),
        after=table.words("after", NAME, "names of stages"),
        returns_to=table.word("returns_to", NAME, "the name of a stage", default=""),
        does=does,
        method=table.choice("method", DrawingMethod, DrawingMethod.AS_PEOPLE_LIKE),
        slices=table.choice("slices", WantedSlices, WantedSlices.ALL),
        piece=table.whole("piece", least=0, most=10_000, default=0),
        assignment=table.choice("assignment", AssignedBy, usual_assignment(does)),
        lease_minutes=table.whole("lease_minutes", least=0, most=_MOST_MINUTES, default=Stage.lease_minutes),
        opens_next=table.choice("opens_next", OpensNext, OpensNext.ANY_SLICE),
        **_rules(table),
    )
    for key in _OF_REVIEW if does is StageWork.DRAW else _OF_DRAWING:
        if table.has(key):
            message = f"{key} is said of a stage that does {does.value}."
            table.fault(key, "protocol-stage-key", message, "Take it out, or move it to the stage it is meant for.")
    table.refuse_others()
    return stage


def _rules(table: DocumentTable) -> dict[str, Any]:
    """What a review may do, and what hidden test cases bring about."""
    return {
        "goes_down_on": table.choices("goes_down_on", QualityScore),
        "goes_down_to": table.word("goes_down_to", NAME, "the name of a stage", default=""),
        "may_correct": table.flag("may_correct", default=False),
        "largest_correction": table.number("largest_correction", least=0.0, most=1.0, default=Stage.largest_correction),
        "gives_feedback": table.flag("feedback", default=False),
        "hints": table.whole("hints", least=0, most=20, default=Stage.hints),
        "pause_below": table.number("pause_below", least=0.0, most=1.0, default=Stage.pause_below),
    }


def check_stages(protocol: Protocol, faults: Faults) -> None:
    """Notes stages that name none of the list, wait for each other, or can never come to an end."""
    stages = protocol.stages
    check_unique([stage.name for stage in stages], ("stages",), "name", faults)
    _check_names(stages, faults)
    before = {stage.name: stage.after for stage in stages}
    circle = _circle(before)
    if circle:
        number = [stage.name for stage in stages].index(circle[0])
        message = f"The stages {', '.join(circle)} wait for each other: none of them can begin."
        remedy = "Let the first of them wait for none; a way back is returns_to."
        faults.add(("stages", number, "after"), "protocol-stage-cycle", message, remedy)
    for number, stage in enumerate(stages):
        _check_ways(stage, number, protocol, faults, is_sound=not circle)
        _check_work(stage, number, protocol, faults)


def _check_names(stages: Sequence[Stage], faults: Faults) -> None:
    names = [stage.name for stage in stages]
    for number, stage in enumerate(stages):
        ways = (("after", stage.after), ("returns_to", (stage.returns_to,)), ("goes_down_to", (stage.goes_down_to,)))
        for key, others in ways:
            for other in filter(None, others):
                if other not in names:
                    message = f"There is no stage {other}."
                    faults.add(("stages", number, key), "protocol-stage-unknown", message, "Name a stage of this list.")


def _check_ways(stage: Stage, number: int, protocol: Protocol, faults: Faults, *, is_sound: bool) -> None:
    """A return leads to a drawing stage before; the ladder leads down to one that comes after."""
    stages = {one.name: one for one in protocol.stages}
    before = all_before(stage.name, protocol.stages)
    if stage.returns_to in stages and stage.returns_to not in before and is_sound:
        message = f"{stage.name} sends cases back to {stage.returns_to}, which does not come before it."
        faults.add(
            ("stages", number, "returns_to"), "protocol-stage-return", message, "Name a stage that comes before."
        )
    if bool(stage.goes_down_on) != bool(stage.goes_down_to):
        key = "goes_down_on" if stage.goes_down_on else "goes_down_to"
        message = f"{stage.name} says only one half of when and whither a case goes down."
        faults.add(("stages", number, key), "protocol-stage-ladder", message, "Write goes_down_on and goes_down_to.")
    lower = stages.get(stage.goes_down_to)
    if lower is not None and (not lower.draws or stage.name not in all_before(lower.name, protocol.stages)):
        message = f"{lower.name} is no drawing stage that comes after {stage.name}."
        path = ("stages", number, "goes_down_to")
        faults.add(path, "protocol-stage-ladder", message, f'Give it does = "draw" and after = ["{stage.name}"].')


def _check_work(stage: Stage, number: int, protocol: Protocol, faults: Faults) -> None:
    if stage.is_automatic and (not stage.draws or stage.readers > 1):
        message = f"A model does {stage.name}, and a model draws once."
        faults.add(
            ("stages", number, "done_by"), "protocol-stage-model", message, 'Write does = "draw", without readers.'
        )
    if stage.keeps_readings and stage.assignment is AssignedBy.OPEN:
        message = f"Whoever likes draws in {stage.name}: nobody could tell its {stage.readers} readers' masks apart."
        remedy = 'Leave assignment out, or write "claim", "random", "load" or "hand".'
        faults.add(("stages", number, "assignment"), "protocol-stage-readers", message, remedy)
    if stage.does is StageWork.ADJUDICATE and not any(
        one.keeps_readings for one in protocol.stages if one.name in all_before(stage.name, protocol.stages)
    ):
        message = f"Nobody's masks are kept apart before {stage.name}: there is nothing to adjudicate."
        remedy = "Let it come after a drawing stage with readers = 2 or more."
        faults.add(("stages", number, "does"), "protocol-stage-readers", message, remedy)


def all_before(name: str, stages: Sequence[Stage]) -> set[str]:
    """Names of all stages that come before one, near and far."""
    after = {stage.name: stage.after for stage in stages}
    found: set[str] = set()
    waiting = list(after.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += after.get(one, ())
    return found


def _circle(after: dict[str, tuple[str, ...]]) -> list[str]:
    """Stages that can never begin, in the order of the document; none where all can."""
    left = dict(after)
    while ready := [name for name, before in left.items() if not any(one in left for one in before)]:
        for name in ready:
            del left[name]
    return list(left)
