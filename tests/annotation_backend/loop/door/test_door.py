"""The door of the real Label Studio: its addresses × role × assigned or not × two studies, and who would force it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.labeling.studio_door.addresses import Who
from datasets.phantom.cohort import write_phantom_cohort
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.loop.door.studio_walk import Things, answer_to, is_refused, requests_of
from tests.annotation_backend.support.installation import (
    Installation,
    claimed,
    running,
    signed_in_at_label_studio,
)
from tests.annotation_backend.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.label_studio]

THEIRS, OTHERS = 9, 10
"""Slices: one that the annotator has, and one that nobody has."""

OF_THE_STUDY = frozenset({"annotator", "unassigned", "radiologist", "manager", "administrator"})
EVERYBODY = OF_THE_STUDY | {"stranger"}

DRAWS = frozenset({"annotator", "administrator"})
LOOKS = DRAWS | {"manager", "radiologist"}

COMES_IN: dict[Who, frozenset[str]] = {
    Who.ANYBODY: EVERYBODY | {"nobody"},
    Who.OURSELVES: frozenset(),
    Who.NOBODY: frozenset(),
    Who.ADMINISTRATOR: frozenset({"administrator"}),
    Who.PERSON: EVERYBODY,
    Who.OWN_PROFILE: DRAWS,
    Who.PEOPLE: EVERYBODY,
    Who.PROJECTS: EVERYBODY,
    **dict.fromkeys(
        (
            *(Who.PROJECT, Who.PROJECT_COUNTS, Who.PROJECT_ASKED, Who.TABS, Who.BACKENDS, Who.STATE, Who.TASKS),
            Who.NEXT_TASK,
        ),
        OF_THE_STUDY,
    ),
    **dict.fromkeys((Who.TASK, Who.ANNOTATIONS, Who.ANNOTATION), LOOKS),
    Who.DRAFTS: DRAWS,
    **dict.fromkeys((Who.DRAWING, Who.DRAFTING, Who.DRAFT, Who.OWN_ANNOTATION, Who.PROMPT), DRAWS),
    Who.OWN_SKIP: frozenset({"administrator"}),  # the annotation is no skip
}
"""Who comes in at a row of the table that names the annotator's own task, annotation and draft."""


ENDS_A_SESSION = ("logout", "maskloop-enter")
"""Names of addresses that are tried on their own."""


@dataclass(frozen=True)
class World:
    """An installation with two studies, the second one's readers blind, and everybody's session in Label Studio."""

    installation: Installation
    projects: dict[str, int]
    tasks: dict[str, dict[int, int]]
    people: dict[str, requests.Session]
    passwords: dict[str, tuple[str, str]]

    @property
    def url(self) -> str:
        return self.installation.label_studio_url

    def ask(self, who: str, method: str, path: str, **options: Any) -> requests.Response:
        return self.people[who].request(method, self.url + path, timeout=60, allow_redirects=False, **options)

    def drawn(self, who: str, task: int) -> int:
        made = self.ask(who, "POST", f"/api/tasks/{task}/annotations/", json={"result": [], "lead_time": 1.0})
        assert made.status_code == 201, made.text
        return int(made.json()["id"])

    def again(self, who: str) -> requests.Session:
        return signed_in_at_label_studio(self.url, *self.passwords[who])


@pytest.fixture(scope="module")
def world(new_installation: Callable[[], Installation]) -> Iterator[World]:
    installation = new_installation()
    data, others = installation.folder / "studies", installation.folder / "others"
    write_phantom_cohort(data, patients=1, seed=5, size=80)
    write_phantom_cohort(others, patients=1, seed=6, size=80, prefix="OTHER")
    document = installation.folder / "blind.toml"
    document.write_text(
        shipped_text("mstt-199").replace('unit = "slice"', 'unit = "slice"\nreaders = 2\nblind = true', 1)
    )
    with running(installation, data=data):
        manage = installation.manage
        manage("create_study", "blind", "--protocol", str(document))
        assert manage("ingest_studies", str(others), "--study", "blind")["new"] == ["blind-C0001"]
        manage("register_cases", "--study", "blind")
        manage("export_slices", "--study", "blind")
        manage("publish_tasks", "--study", "blind")
        yield _world(installation)


def _world(installation: Installation) -> World:
    rows = {row["study"]: row["label_studio_project"] for row in installation.manage("list_studies")["studies"]}
    tasks = {study: _tasks(installation, project) for study, project in rows.items()}
    passwords = {
        "annotator": Role.ANNOTATOR, "radiologist": Role.RADIOLOGIST, "manager": Role.DATA_MANAGER,
        "administrator": Role.ADMINISTRATOR,
    }  # fmt: skip
    known = {who: (email_of(role), installation.password(role)) for who, role in passwords.items()}
    for who, study in (("unassigned", "mstt-199"), ("stranger", "blind"), ("reader", "blind")):
        made = installation.manage("add_person", f"{who}@hospital.org", "annotator", "--study", study)
        known[who] = (f"{who}@hospital.org", made["password"])
    people = {who: signed_in_at_label_studio(installation.label_studio_url, *pair) for who, pair in known.items()}
    people["nobody"] = requests.Session()
    found = World(installation, rows, tasks, people, known)
    for who, study, index in (
        ("annotator", "mstt-199", THEIRS), ("stranger", "blind", THEIRS), ("reader", "blind", THEIRS)
    ):  # fmt: skip
        assert claimed(people[who], found.url, rows[study], tasks[study][index]) == 200
    return found


def _tasks(installation: Installation, project: int) -> dict[int, int]:
    listed = installation.api("GET", "/api/tasks/", params={"project": project, "page_size": 1000})["tasks"]
    return {row["data"]["slice"]: row["id"] for row in listed}


@pytest.fixture(scope="module")
def things(world: World) -> Things:
    """The annotator's."""
    task = world.tasks["mstt-199"][THEIRS]
    [backend] = world.installation.api("GET", "/api/ml", params={"project": world.projects["mstt-199"]})
    draft = world.ask("annotator", "POST", f"/api/tasks/{task}/drafts", json={"result": [], "lead_time": 1.0})
    assert draft.status_code == 201, draft.text
    person = world.ask("annotator", "GET", "/api/current-user/whoami").json()["id"]
    drawn = world.drawn("annotator", task)
    path = f"/api/tasks/{task}/"
    eventually(lambda: world.ask("radiologist", "GET", path).ok, seconds=120, what="the review, which any slice opens")
    return Things(
        world.projects["mstt-199"],
        task,
        drawn,
        draft.json()["id"],
        backend["id"],
        person,
    )


@pytest.mark.parametrize(
    "who", ["nobody", "stranger", "unassigned", "radiologist", "manager", "annotator", "administrator"]
)
def test_every_address_of_label_studio_opens_to_whom_it_is_for(world: World, things: Things, who: str) -> None:
    wrong, asked = [], 0
    for row, method, address in requests_of(things):
        comes_in = who in COMES_IN[row.who]
        if comes_in and (who == "administrator" or method == "DELETE" or row.name in ENDS_A_SESSION):
            continue  # it would be done; the administrator's pages are tried below
        answer = answer_to(world.people[who], world.url, method, address, things)
        asked += 1
        if is_refused(answer) == comes_in:
            wrong.append((method, address, row.who.value, answer.status_code, answer.text[:80]))
    assert wrong == []
    assert asked > 600 if who != "administrator" else asked > 20


def test_the_administrator_comes_in_as_before(world: World) -> None:
    project = world.projects["mstt-199"]
    for path in (
        *("/projects/", f"/projects/{project}/settings/", "/organization/", "/api/webhooks/", "/api/users/"),
        *(f"/api/projects/{project}/", f"/api/projects/{project}/export/formats", f"/api/ml?project={project}"),
    ):
        assert world.ask("administrator", "GET", path).status_code == 200, path


def test_a_request_with_no_method_of_the_table_is_refused(world: World, things: Things) -> None:
    for method in ("OPTIONS", "TRACE", "PROPFIND"):
        assert world.ask("annotator", method, f"/api/tasks/{things.task}/").status_code in (401, 403, 405, 501)


def test_cve_2026_76073_no_annotation_by_its_number(world: World, things: Things) -> None:
    """Label Studio gives and changes any annotation of the organisation by its number."""
    theirs = world.drawn("stranger", world.tasks["blind"][THEIRS])
    for who, number in (("annotator", theirs), ("reader", theirs), ("stranger", things.annotation)):
        path = f"/api/annotations/{number}/"
        assert is_refused(world.ask(who, "GET", path))
        for method in ("PATCH", "PUT", "DELETE"):
            assert is_refused(world.ask(who, method, path, json={"result": []}))
        assert is_refused(world.ask(who, "POST", f"/api/annotations/{number}/convert-to-draft", json={}))
    kept = world.installation.api("GET", f"/api/annotations/{theirs}/")
    assert kept["completed_by"] == world.ask("stranger", "GET", "/api/current-user/whoami").json()["id"]
    assert is_refused(world.ask("annotator", "DELETE", f"/api/annotations/{things.annotation}/")), "nor one's own"


def test_cve_2026_85211_no_address_is_resolved(world: World, things: Things) -> None:
    for kind in ("resolve", "presign"):
        for project in world.projects.values():
            path = f"/projects/{project}/{kind}/?fileuri=czM6Ly9i"
            assert is_refused(world.ask("annotator", "GET", path))
        assert is_refused(world.ask("annotator", "GET", f"/tasks/{things.task}/{kind}/?fileuri=czM6Ly9i"))


def test_cve_2026_85179_no_webhook_to_inner_addresses(world: World, things: Things) -> None:
    body = {"url": "http://127.0.0.1:1/x", "project": things.project, "send_for_all_actions": True}
    before = world.installation.api("GET", "/api/webhooks/", params={"project": things.project})
    assert is_refused(world.ask("annotator", "POST", "/api/webhooks/", json=body))
    assert is_refused(world.ask("annotator", "PATCH", f"/api/webhooks/{before[0]['id']}/", json=body))
    assert is_refused(world.ask("annotator", "GET", "/api/webhooks/", params={"project": things.project}))
    assert world.installation.api("GET", "/api/webhooks/", params={"project": things.project}) == before


def test_lists_and_counts_are_of_ones_own_tasks(world: World, things: Things) -> None:
    project = {"project": things.project}
    listed = world.ask("annotator", "GET", "/api/tasks/", params={**project, "page_size": 100, "fields": "all"}).json()
    assert [row["id"] for row in listed["tasks"]] == [things.task]
    assert listed["total"] == 1
    assert world.ask("annotator", "GET", "/api/dm/project/", params=project).json()["task_count"] == 1
    for tab in world.ask("annotator", "GET", "/api/dm/views/", params=project).json():
        rows = world.ask("annotator", "GET", "/api/tasks/", params={**project, "view": tab["id"]}).json()["tasks"]
        assert {row["id"] for row in rows} <= {things.task}
    none = world.ask("unassigned", "GET", "/api/tasks/", params=project).json()
    assert (none["total"], none["tasks"]) == (0, [])
    assert world.ask("unassigned", "GET", f"/api/projects/{things.project}/next/").status_code == 404
    every = world.ask("manager", "GET", "/api/tasks/", params={**project, "page_size": 100}).json()
    assert every["total"] == len(world.tasks["mstt-199"])
    for who, study in (("annotator", "mstt-199"), ("stranger", "blind")):
        for path in ("/api/projects/", "/api/projects/counts/"):
            answer = world.ask(who, "GET", path).json()
            assert [row["id"] for row in answer["results"]] == [world.projects[study]]
            assert answer["count"] == 1


def test_a_tab_or_task_of_another_project_is_none_of_theirs(world: World, things: Things) -> None:
    other = world.projects["blind"]
    [tab, *_] = world.installation.api("GET", "/api/dm/views/", params={"project": other})
    for query in ({"view": tab["id"]}, {"view": tab["id"], "project": things.project}, {"project": other}, {}):
        assert is_refused(world.ask("annotator", "GET", "/api/tasks/", params=query)), query
    assert is_refused(world.ask("annotator", "GET", f"/api/tasks/{world.tasks['blind'][THEIRS]}/"))
    assert is_refused(world.ask("annotator", "GET", f"/api/tasks/{world.tasks['mstt-199'][OTHERS]}/"))
    assert is_refused(
        world.ask("annotator", "POST", f"/api/dm/views/?project={things.project}", json={"project": things.project})
    )
    deletion = f"/api/dm/actions/?id=delete_tasks&project={things.project}"
    assert is_refused(world.ask("annotator", "POST", deletion, json={"selectedItems": {"all": True}}))


def test_a_blind_reader_sees_nobody_elses_work_and_no_models(world: World) -> None:
    task, project = world.tasks["blind"][THEIRS], world.projects["blind"]
    theirs = {who: world.drawn(who, task) for who in ("stranger", "reader")}
    for who, own in theirs.items():
        person = world.ask(who, "GET", "/api/current-user/whoami").json()["id"]
        seen = world.ask(who, "GET", f"/api/tasks/{task}/?project={project}").json()
        assert own in [row["id"] for row in seen["annotations"]]
        assert {_person(row["completed_by"]) for row in seen["annotations"]} == {person}
        assert seen["predictions"] == []
        listed = world.ask(who, "GET", f"/api/tasks/{task}/annotations/").json()
        assert {_person(row["completed_by"]) for row in listed} == {person}
        query = {"project": project, "fields": "all", "page_size": 100}
        [row] = world.ask(who, "GET", "/api/tasks/", params=query).json()["tasks"]
        assert {_person(one["completed_by"]) for one in row["annotations"]} == {person}
        assert (row["annotators"], row["total_annotations"], row["predictions"]) == ([], 0, [])
        [backend] = world.installation.api("GET", "/api/ml", params={"project": project})
        prompt = {"task": task, "context": {"result": []}}
        assert is_refused(world.ask(who, "POST", f"/api/ml/{backend['id']}/interactive-annotating", json=prompt))


def test_a_blind_reader_learns_nothing_by_the_way(world: World) -> None:
    """Not by the prediction that a save says it began from, nor by the order of one's own tasks."""
    task, project = world.tasks["blind"][THEIRS], world.projects["blind"]
    [shown, *_] = world.installation.api("GET", "/api/predictions/", params={"task": task}) or [{"id": 1}]
    others = world.drawn("stranger", task)
    path = f"/api/tasks/{task}/annotations/"
    for parent in ({"parent_prediction": shown["id"]}, {"parent_annotation": others}):
        assert is_refused(world.ask("reader", "POST", path, json={"result": [], **parent})), parent
    own = world.drawn("reader", task)
    made = world.ask("reader", "POST", path, json={"result": [], "parent_annotation": own})
    assert made.status_code == 201
    for column in ("annotators", "annotations_results", "total_annotations", "updated_by", "predictions_score"):
        item = {"filter": f"filter:tasks:{column}", "operator": "contains", "type": "List", "value": 1}
        query = {"filters": {"conjunction": "and", "items": [item]}}
        for said in ({"query": json.dumps(query)}, {"query": json.dumps({"ordering": [f"tasks:{column}"]})}):
            assert is_refused(world.ask("reader", "GET", "/api/tasks/", params={"project": project, **said})), said
        address = f"/api/dm/actions/?id=next_task&project={project}"
        assert is_refused(world.ask("reader", "POST", address, json=query))


def _rows(answer: requests.Response) -> list[dict[str, Any]]:
    return list(answer.json()["tasks"])


def test_nothing_that_a_blind_reader_sees_changes_when_another_draws(world: World) -> None:
    """Neither in a list with every column, nor in a task, nor in what a project counts."""
    task, project = world.tasks["blind"][OTHERS], world.projects["blind"]
    for who in ("stranger", "reader"):
        assert claimed(world.people[who], world.url, project, task) == 200
    columns = json.dumps({"hiddenColumns": {"explore": [], "labeling": []}})

    def seen() -> list[Any]:
        listed = world.ask("reader", "GET", "/api/tasks/", params={"project": project, "query": columns})
        others = (f"/api/tasks/{task}/", f"/api/projects/{project}/", "/api/projects/", "/api/projects/counts/")
        state = world.ask("reader", "GET", "/api/dm/project/", params={"project": project})
        return [listed.json(), state.json(), *(world.ask("reader", "GET", path).json() for path in others)]

    before = seen()
    draft = world.ask("stranger", "POST", f"/api/tasks/{task}/drafts", json={"result": [], "lead_time": 1.0})
    assert draft.status_code == 201
    assert world.drawn("stranger", task)
    assert seen() == before


def test_no_spelling_of_a_list_tells_what_others_drew(world: World, things: Things) -> None:
    """Label Studio reads a list's filters out of an address, a body or a tab, in more than one spelling."""
    task, project = world.tasks["blind"][THEIRS], world.projects["blind"]
    assert world.drawn("stranger", task)
    other = world.ask("stranger", "GET", "/api/current-user/whoami").json()["id"]
    asked = {"project": project}
    for column, operator, kind, value in (
        ("annotators", "contains", "List", other), ("annotators", "empty", "List", False),
        ("is_labeled", "equal", "Boolean", True), ("draft_exists", "equal", "Boolean", "true"),
        ("annotations_results", "contains", "String", "brush"), ("updated_at", "greater", "String", "2000-01-01"),
        ("total_annotations", "greater", "Number", 0), ("data.state", "regex", "String", "a"),
        ("predictions_model_versions", "empty", "String", "false"), ("annotations_ids", "empty", "String", "false"),
    ):  # fmt: skip
        item = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
        inner = {**item, "filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": 0}
        for one in (item, {**inner, "child_filter": item}):
            plain = json.dumps({"filters": {"conjunction": "and", "items": [one]}})
            escaped = plain.replace(column, "".join(f"\\u{ord(letter):04x}" for letter in column))
            percent = plain.replace(column, "".join(f"%{ord(letter):02x}" for letter in column))
            for query in (plain, escaped, percent):
                answer = world.ask("reader", "GET", "/api/tasks/", params={**asked, "query": query})
                assert is_refused(answer), (query, answer.text[:200])
            sent = {"data": escaped, "headers": {"Content-Type": "application/json"}}
            assert is_refused(world.ask("reader", "GET", "/api/tasks/", params=asked, **sent))
            actions = f"/api/dm/actions/?id=next_task&project={project}"
            assert is_refused(world.ask("reader", "POST", actions, **sent))
        ordering = json.dumps({"ordering": [f"-tasks:{column}"]}).replace("t", "\\u0074")
        assert is_refused(world.ask("reader", "GET", "/api/tasks/", params={**asked, "query": ordering}))
    tabs = {row["data"]["title"]: row["id"] for row in world.installation.api("GET", "/api/dm/views/", params=asked)}
    shown = {row["data"]["title"] for row in world.ask("reader", "GET", "/api/dm/views/", params=asked).json()}
    for title, number in tabs.items():
        answers = [
            world.ask("reader", "GET", "/api/tasks/", params={**asked, "view": number}),
            world.ask("reader", "GET", "/api/tasks/", params=asked, json={"view": number}),
        ]
        assert {is_refused(answer) for answer in answers} == {title not in shown}, title
    assert set(tabs) - shown == {"Mine: stranger"}


def test_a_state_is_compared_with_the_one_that_is_shown(world: World) -> None:
    """Where others' work is hidden, a task that was drawn or approved is still to be done, in every list."""
    task, project = world.tasks["blind"][THEIRS], world.projects["blind"]
    path = f"/api/tasks/{task}/"
    data = world.installation.api("GET", path)["data"]
    world.installation.api("PATCH", path, json={"data": {**data, "state": "approved"}})
    try:
        for operator, state, is_there in (
            ("equal", "pending", True), ("equal", "approved", False), ("not_equal", "pending", False),
            ("contains", "approv", False), ("not_contains", "approv", True),
        ):  # fmt: skip
            item = {"filter": "filter:tasks:data.state", "operator": operator, "type": "String", "value": state}
            query = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
            found = _rows(world.ask("reader", "GET", "/api/tasks/", params={"project": project, "query": query}))
            assert (task in {row["id"] for row in found}) is is_there, (operator, state)
            assert {row["data"]["state"] for row in found} <= {"pending"}
    finally:
        world.installation.api("PATCH", path, json={"data": data})


def test_the_door_and_label_studio_read_the_same_words(world: World, things: Things) -> None:
    """Label Studio reads JSON in the character set that a request names, in which other names may stand."""
    other = world.ask("unassigned", "GET", "/api/current-user/whoami").json()["id"]
    forged = b'{"result":[],"started_at":"+ACI-,+ACI-completed_by+ACI-:%d,+ACI-selected+ACI-:+ACI-"}' % other
    paths = (f"/api/tasks/{things.task}/annotations/", f"/api/tasks/{things.task}/drafts")
    for kind in ("application/json; charset=utf-7", "application/json; charset=UTF-16", "application/json;charset=x"):
        for path in paths:
            answer = world.ask("annotator", "POST", path, data=forged, headers={"Content-Type": kind})
            assert is_refused(answer), (kind, answer.text[:200])
        changed = world.ask(
            "annotator",
            "PATCH",
            f"/api/annotations/{things.annotation}/",
            data=forged,
            headers={"Content-Type": kind},
        )
        assert is_refused(changed), kind
    for body in (b'{"result": ' + b"[" * 100_000, b'{"result": [], "task": 1e400}', b"\xff\xfe{\x00}\x00"):
        answer = world.ask("annotator", "POST", paths[0], data=body, headers={"Content-Type": "application/json"})
        assert is_refused(answer), answer.text[:200]


def _person(value: object) -> object:
    return value["id"] if isinstance(value, dict) else value


def test_a_save_says_nothing_of_others(world: World, things: Things) -> None:
    other = world.ask("unassigned", "GET", "/api/current-user/whoami").json()["id"]
    path = f"/api/tasks/{things.task}/annotations/"
    foreign = world.tasks["mstt-199"][OTHERS]
    for forged in (
        *({"completed_by": other}, {"updated_by": other}, {"ground_truth": True}, {"unique_id": "x"}),
        *({"unique_id": 7}, {"unique_id": None}),
        *({"project": world.projects["blind"]}, {"task": foreign}, {"parent_annotation": 999_999}),
        {"parent_prediction": 999_999},
    ):
        assert is_refused(world.ask("annotator", "POST", path, json={"result": [], **forged})), forged
        changed = world.ask(
            "annotator", "PATCH", f"/api/annotations/{things.annotation}/", json={"result": [], **forged}
        )
        assert is_refused(changed), forged
    form = world.ask("annotator", "POST", path, data={"result": "[]", "completed_by": other})
    assert is_refused(form), "a form is not looked into"
    assert is_refused(world.ask("annotator", "POST", f"/api/tasks/{foreign}/annotations/", json={"result": []}))
    assert is_refused(world.ask("unassigned", "PATCH", f"/api/drafts/{things.draft}/", json={"result": []}))
    assert is_refused(world.ask("unassigned", "DELETE", f"/api/drafts/{things.draft}/"))


@pytest.mark.parametrize(("index", "skips"), [(11, False), (12, True)])
def test_an_offered_task_is_saved_or_skipped_once_under_its_lock(
    world: World, things: Things, index: int, *, skips: bool
) -> None:
    """As *Label All Tasks* does it: the task comes with a lock, which the editor sends with the save."""
    task, project = world.tasks["mstt-199"][index], {"project": things.project}
    assert claimed(world.people["annotator"], world.url, things.project, task) == 200
    offered = world.ask("annotator", "POST", "/api/dm/actions/?id=next_task", params=project, json={}).json()
    assert offered["id"] == task
    path = f"/api/tasks/{task}/annotations/"
    save = {"result": [], "draft_id": 0, "unique_id": offered["unique_lock_id"], "was_cancelled": skips}
    made = world.ask("annotator", "POST", path, params=project, json=save)
    assert made.status_code == 201, made.text
    assert made.json()["was_cancelled"] is skips
    changed = world.ask("annotator", "PATCH", f"/api/annotations/{made.json()['id']}/", json=save)
    assert changed.status_code == 200, changed.text
    assert world.ask("annotator", "POST", path, params=project, json=save).status_code == 409
    path = f"/api/annotations/{made.json()['id']}/"
    for other in ("stranger", "unassigned", "radiologist", "manager"):
        assert is_refused(world.ask(other, "DELETE", path)), other
    assert is_refused(world.ask("annotator", "DELETE", path)) is not skips, "a skip is taken back, a drawing stays"


def test_another_sites_page_changes_nothing(world: World, things: Things) -> None:
    path = f"/api/tasks/{things.task}/annotations/"
    for headers in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Referer": "https://evil.org/"},
        {"Origin": "https://evil.org"}, {"Referer": ""},
    ):  # fmt: skip
        assert is_refused(world.ask("annotator", "POST", path, json={"result": []}, headers=headers)), headers


def test_no_token_but_the_administrators_opens_anything(world: World, things: Things) -> None:
    email = world.passwords["annotator"][0]
    [person] = [row for row in world.installation.api("GET", "/api/users/") if row["email"] == email]
    token = _token_of(world.installation, person["id"])
    for headers in (
        {"Authorization": f"Token {token}"}, {"X-Api-Key": token}, {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Basic {token}"},
    ):  # fmt: skip
        answer = requests.get(f"{world.url}/api/tasks/{things.task}/", headers=headers, timeout=30)
        assert answer.status_code == 401, headers
        assert is_refused(world.ask("unassigned", "GET", f"/api/tasks/{things.task}/", headers=headers)), headers
    ours = {"X-Api-Key": world.installation.token}
    assert requests.get(f"{world.url}/api/tasks/{things.task}/", headers=ours, timeout=30).ok
    for path in ("/api/token/", "/api/token/refresh/", "/api/current-user/token", "/api/current-user/reset-token/"):
        for who in ("annotator", "administrator"):
            assert is_refused(world.ask(who, "POST", path, json={"refresh": "x"}))


def _token_of(installation: Installation, person: int) -> str:
    import sqlite3

    [file] = (installation.folder / "data" / "label_studio").glob("*.sqlite3")
    with sqlite3.connect(file) as database:
        found = database.execute("select key from authtoken_token where user_id = ?", [person]).fetchone()
    return str(found[0])


def test_a_password_opens_nothing_in_label_studio(world: World) -> None:
    email, password = world.passwords["administrator"]
    for path in ("/user/login/", "/admin/login/", "/api-auth/login/"):
        browser = requests.Session()
        form = {"email": email, "username": email, "password": password, "next": "/projects/"}
        answer = browser.post(
            world.url + path, form, headers={"Referer": world.url + path}, timeout=30, allow_redirects=False
        )
        assert answer.status_code in (401, 403), path
        assert browser.get(f"{world.url}/api/current-user/whoami", timeout=30).status_code == 401
        page = browser.get(world.url + path, headers={"Accept": "text/html"}, timeout=30, allow_redirects=False)
        assert page.headers["Location"].startswith(f"{world.installation.url}/studio/?place=")
    signed_up = requests.post(f"{world.url}/user/signup/", {"email": "x@x.org", "password": "x"}, timeout=30)
    assert signed_up.status_code in (401, 403)


def _way_in(world: World, session: requests.Session, place: str = "/projects/") -> str:
    answer = session.get(
        f"{world.installation.url}/studio/", params={"place": place}, timeout=30, allow_redirects=False
    )
    return str(answer.headers["Location"])


def test_a_ticket_is_good_once_and_leads_nowhere_else(world: World) -> None:
    session = world.again("annotator")
    way = _way_in(world, session, "https://evil.org/")
    first = requests.get(way, timeout=30, allow_redirects=False)
    assert (first.status_code, first.headers["Location"]) == (302, "/projects/")
    assert first.headers["Cache-Control"] == "no-store"
    second = requests.get(way, timeout=30, allow_redirects=False)
    assert second.status_code == 403
    assert "ticket" in second.text
    forged = way[:-2] + ("AA" if not way.endswith("AA") else "BB")
    assert requests.get(forged, timeout=30, allow_redirects=False).status_code == 403
    assert requests.get(f"{world.url}/maskloop/enter", timeout=30).status_code == 403


def test_a_session_that_somebody_laid_out_before_becomes_nobodys(world: World) -> None:
    """Whoever comes in gets a session of their own; one from before the door stood is none."""
    session = world.again("annotator")
    before = session.cookies.get("sessionid")
    session.get(_way_in(world, session), timeout=30, allow_redirects=False)
    assert session.cookies.get("sessionid") != before
    planted = requests.Session()
    planted.cookies.set("sessionid", "planted")
    assert planted.get(f"{world.url}/api/current-user/whoami", timeout=30).status_code == 401


def test_who_signs_out_here_is_out_there_at_once(world: World) -> None:
    session = world.again("unassigned")
    whoami = f"{world.url}/api/current-user/whoami"
    assert session.get(whoami, timeout=30).ok
    page = session.get(f"{world.installation.url}/", timeout=30).text
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    out = session.post(
        f"{world.installation.url}/accounts/logout/",
        {"csrfmiddlewaretoken": token},
        headers={"Referer": f"{world.installation.url}/"},
        timeout=30,
        allow_redirects=False,
    )
    assert out.status_code == 302
    time.sleep(1.1)
    assert session.get(whoami, timeout=30).status_code == 401
    asked = session.get(f"{world.url}/projects/", headers={"Accept": "text/html"}, timeout=30, allow_redirects=False)
    assert asked.headers["Location"].startswith(f"{world.installation.url}/studio/")


def test_who_loses_the_role_in_mid_session_is_out_at_once_and_comes_back(world: World) -> None:
    session, study = world.again("unassigned"), world.projects["mstt-199"]
    path = f"{world.url}/api/projects/{study}/"
    assert session.get(path, timeout=30).ok
    world.installation.manage("remove_person", "unassigned@hospital.org", "--study", "mstt-199")
    assert session.get(path, timeout=30).status_code == 401
    world.installation.manage("add_person", "unassigned@hospital.org", "annotator", "--study", "mstt-199")
    assert session.get(path, timeout=30).ok


def test_while_maskloop_is_silent_nobody_comes_in_and_is_told_so(world: World) -> None:
    """The web service stands still; what Label Studio shows anybody stays."""
    found = subprocess.run(["pgrep", "-f", "annotation_backend.wsgi"], capture_output=True, text=True, check=True)
    port = world.installation.url.rpartition(":")[2]
    own = [int(pid) for pid in found.stdout.split() if _is_of(int(pid), port)]
    assert own
    for pid in own:
        subprocess.run(["kill", f"-{signal.SIGSTOP.value}", str(pid)], check=True)
    try:
        time.sleep(1.1)
        answer = world.ask("annotator", "GET", "/api/current-user/whoami")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "Maskloop does not answer" in answer.json()["detail"]
        assert requests.get(f"{world.url}/health", timeout=10).ok
    finally:
        for pid in own:
            subprocess.run(["kill", f"-{signal.SIGCONT.value}", str(pid)], check=True)
    eventually(
        lambda: world.ask("annotator", "GET", "/api/current-user/whoami").ok, seconds=30, what="Maskloop's answers"
    )


def _is_of(pid: int, port: str) -> bool:
    from pathlib import Path

    try:
        return f":{port}" in Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return False


def test_label_studio_comes_back_when_it_ends(world: World) -> None:
    """Everybody goes on in the session that they had."""
    words = f"label_studio_wsgi.*{world.url.rpartition(':')[2]}"
    found = subprocess.run(["pgrep", "-f", words], capture_output=True, text=True, check=True)
    subprocess.run(["kill", found.stdout.split()[0]], check=True)

    def is_there() -> bool:
        try:
            return world.ask("annotator", "GET", "/api/current-user/whoami").ok
        except requests.ConnectionError:
            return False

    eventually(lambda: not is_there(), seconds=30, what="its end")
    eventually(is_there, seconds=120, what="Label Studio again")


def test_an_account_that_is_missing_there_is_made_on_the_way_in(world: World) -> None:
    """Of a person whom an earlier version gave none, or whose sign-up broke off."""
    code = (
        "import django; django.setup();"
        "from annotation_backend.accounts.models import Role, User;"
        "from annotation_backend.studies.models import Study;"
        "from annotation_backend.studies.people import give_role;"
        "person = User.objects.create_user('late@hospital.org', email='late@hospital.org', password='a-password-here');"
        "give_role(Study.objects.get(name='mstt-199'), person, Role.ANNOTATOR)"
    )
    subprocess.run([sys.executable, "-c", code], env=world.installation.environment, check=True)
    session = signed_in_at_label_studio(world.url, "late@hospital.org", "a-password-here")
    assert session.get(f"{world.url}/api/current-user/whoami", timeout=30).json()["email"] == "late@hospital.org"


def test_the_walk_names_what_it_is_about(things: Things) -> None:
    addresses = {address for _, _, address in requests_of(replace(things, task=77))}
    assert {"/api/tasks/77/", f"/api/annotations/{things.annotation}/", "/admin/"} <= addresses
