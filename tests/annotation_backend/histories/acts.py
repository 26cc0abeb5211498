"""What can happen in a history, each act a function of the world and two numbers that choose whom and what."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.annotation_backend.histories.studio import PROJECT, Json
from tests.annotation_backend.histories.world import SLICES, STRANGER, World, later

Act = Callable[[World, int, int], None]
One = TypeVar("One")

DRAWERS = "abr"
"""Who saves in Label Studio: two annotators, and a radiologist who draws too."""

REVIEWERS = "rs"


def _one(of: Sequence[One], choice: int) -> One:
    return of[choice % len(of)]


def _annotation(world: World, choice: int) -> tuple[Json, Json] | None:
    found = list(world.studio.annotations())
    return _one(found, choice) if found else None


def _say(world: World, body: Json, choice: int) -> None:
    """A webhook is on its way: at once, late, twice, or lost."""
    way = choice % 5
    if way < 2:
        world.deliver(body)
    elif way == 2:
        world.events.append(body)
    elif way == 3:
        world.deliver(body)
        world.events.append(body)


def submit(world: World, who: int, what: int) -> None:
    """Somebody submits a slice."""
    task = world.studio.task_of(what % SLICES)
    if task is not None:
        pixels = None if what % 11 == 10 else world.fresh_pixels()
        made = world.studio.create(task, world.number(_one(DRAWERS, who)), pixels)
        _say(world, world.studio.saved(task, made, action="ANNOTATION_CREATED"), who + what)


def edit(world: World, who: int, what: int) -> None:
    """Somebody changes an annotation."""
    if found := _annotation(world, what):
        task, annotation = found
        world.studio.change(annotation, world.number(_one(DRAWERS, who)), world.fresh_pixels())
        _say(world, world.studio.saved(task, annotation), who + what)


def delete(world: World, who: int, what: int) -> None:
    """Somebody deletes an annotation in Label Studio."""
    if found := _annotation(world, what):
        _, annotation = found
        world.studio.delete(annotation)
        _say(world, _deletion(annotation["id"]), who)


def late(world: World, _who: int, what: int) -> None:
    """A webhook that was under way arrives; some never do."""
    if world.events:
        body = world.events.pop(what % len(world.events))
        if what % 4:
            world.deliver(body)


def work(world: World, _who: int, what: int) -> None:
    """The worker does its work, at once or after Label Studio had time."""
    if what % 2:
        later(world, 15)
    world.work()


def reconcile(world: World, _who: int, what: int) -> None:
    """A round of the reconciler, and the worker after it."""
    later(world, 15)
    world.reconcile(is_full=bool(what % 2))
    world.work()


def look(world: World, who: int, _what: int) -> None:
    """A radiologist opens the review page."""
    world.open_page(_one(REVIEWERS, who))


def decide(world: World, _who: int, what: int) -> None:
    """A radiologist sends the form of a page opened now or before."""
    if world.looks:
        recent = world.looks[-1] if what % 3 else _one(world.looks, what)
        world.decide(recent, approves=bool(what % 5))


def approve(world: World, who: int, _what: int) -> None:
    """Worker and reconciler are done; a radiologist looks at everything and approves."""
    later(world, 15)
    world.reconcile(is_full=True)
    world.work()
    letter = _one(REVIEWERS, who)
    world.open_page(letter, waves=True)
    if world.looks and world.looks[-1].person == world.people[letter]:
        world.decide(world.looks[-1], approves=True)


def wave(world: World, who: int, _what: int) -> None:
    """A radiologist says of all findings that it was meant."""
    world.wave_findings(_one(REVIEWERS, who))


def register(world: World, who: int, what: int) -> None:
    """The case is registered again, and something happens while it is computed."""
    _with_meanwhile(world, who, what, world.register_again)


def exclude(world: World, _who: int, _what: int) -> None:
    """The case is excluded."""
    world.leave_out(back=False)


def take_back(world: World, _who: int, _what: int) -> None:
    """The exclusion is taken back."""
    world.leave_out(back=True)


def registration_verdict(world: World, _who: int, what: int) -> None:
    """A person accepts or rejects the registration."""
    world.judge_registration(accepts=bool(what % 3))


def build_release(world: World, who: int, what: int) -> None:
    """A release is built, and something happens in the middle."""
    _with_meanwhile(world, who, what, world.build)


def freeze(world: World, _who: int, _what: int) -> None:
    """A snapshot is taken."""
    world.freeze()


def restore(world: World, who: int, what: int) -> None:
    """Somebody restores a version."""
    world.restore(_one("abrs", who), what)


def forge_save(world: World, who: int, what: int) -> None:
    """Somebody who can read the webhook's header sends a save that never was."""
    world.is_honest = False
    forger, pixels = world.number(_one(DRAWERS, who)), world.fresh_pixels()
    world.studio.forged[pixels.tobytes()] = forger
    task = world.studio.task_of(what % SLICES)
    if task is None:
        return
    found = _annotation(world, what // 3)
    aims_at_next = found is None or what % 4 == 3
    identifier = world.studio.next_annotation if found is None or aims_at_next else found[1]["id"]
    name = _one([forger, world.number("a"), world.number("b"), world.number("s"), 0, STRANGER], what // 2)
    moment = _one(["2026-01-01T00:00:00.000000Z", world.clock.text(), "2031-01-01T00:00:00.000000Z"], what)
    annotation: Json = {"id": identifier, "task": task["id"], "project": PROJECT, "was_cancelled": False}
    annotation |= {"completed_by": name, "updated_by": _one([name, 0, None], who), "updated_at": moment}
    annotation["result"] = world.studio.result_of(pixels)
    world.deliver(world.studio.saved(task, annotation))


def forge_deletion(world: World, _who: int, what: int) -> None:
    """Somebody sends the deletion of an annotation that lives, or that comes next."""
    world.is_honest = False
    found = _annotation(world, what)
    world.deliver(_deletion(found[1]["id"] if found and what % 3 else world.studio.next_annotation))


def bring_in(world: World, who: int, what: int) -> None:
    """Somebody deletes a slice's task and imports it again, with a drawing in another's name."""
    world.is_honest = False
    index = what % SLICES
    if task := world.studio.task_of(index):
        world.studio.delete_task(task)
    number = world.studio.publish(world.case.code, index)
    name = world.number(_one("abs", what))
    world.studio.bring_in(world.studio.tasks[number], world.number(_one(DRAWERS, who)), world.fresh_pixels(), name=name)


def claim(world: World, who: int, what: int) -> None:
    """Somebody saves in another's name, or writes another's name over the own one."""
    world.is_honest = False
    name = _one([world.number("a"), world.number("b"), STRANGER], what)
    person = world.number(_one(DRAWERS, who))
    if what % 2 and (found := _annotation(world, what)):
        task, annotation = found
        world.studio.change(annotation, person, world.fresh_pixels(), completed_by=name)
    elif task := world.studio.task_of(what % SLICES):
        annotation = world.studio.create(task, person, world.fresh_pixels(), completed_by=name)
    else:
        return
    _say(world, world.studio.saved(task, annotation), who)


def move(world: World, who: int, what: int) -> None:
    """Somebody moves an annotation to another slice."""
    world.is_honest = False
    found, target = _annotation(world, what), world.studio.task_of((what + 1) % SLICES)
    if found and target is not None and found[0]["id"] != target["id"]:
        world.studio.move(found[1], world.number(_one(DRAWERS, who)), target)


def hide(world: World, _who: int, what: int) -> None:
    """The administrator's organisation is switched away, or back."""
    world.studio.is_visible = bool(what % 2)


ACTS: tuple[Act, ...] = (
    *(submit, submit, submit, edit, edit, delete, late, work, reconcile, look, decide, approve, approve, wave),
    *(register, exclude, take_back, registration_verdict, build_release, build_release, freeze, restore, restore),
    *(forge_save, forge_save, forge_deletion, bring_in, claim, move, hide),
)

MEANWHILE: tuple[Act, ...] = (submit, edit, delete, exclude, decide, registration_verdict, reconcile, register)


def _with_meanwhile(world: World, who: int, what: int, act: Callable[[], Any]) -> None:
    other = _one(MEANWHILE, what // 2)

    def meanwhile() -> None:
        world.meanwhile = None
        other(world, who, what // 3)

    world.meanwhile = meanwhile if what % 2 else None
    try:
        act()
    finally:
        world.meanwhile = None


def _deletion(number: int) -> Json:
    return {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": number}], "project": {"id": PROJECT}}
