"""The door's table: each address of Label Studio, by which methods, and who comes in (`addresses.csv`, a row each).

Methods and addresses that it does not list are closed to everybody; `HEAD` goes with `GET`.
"""

import csv
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

PATH = Path(__file__).with_name("addresses.csv")


class Who(Enum):
    """Who comes in: the last column of the table."""

    ANYBODY = "anybody"
    """Whoever asks: pictures, scripts and styles, and the door itself."""
    OURSELVES = "ourselves"
    """Our service, by the door's secret or the administrator's token."""
    NOBODY = "nobody"
    """No person, the administrator included: passwords and tokens, which open nothing any more."""
    ADMINISTRATOR = "administrator"
    """The installation's administrators: settings, exports, storages, deletions."""
    PERSON = "person"
    """Who has a part in some study."""
    OWN_PROFILE = "own profile"
    """The person whom it is about."""
    PEOPLE = "people"
    """Who has a part in some study, and sees themself alone."""
    PROJECTS = "projects"
    """Who has a part in some study, and sees the projects of theirs."""
    PROJECT = "project"
    """People of the study whose project the address names."""
    PROJECT_COUNTS = "project counts"
    """The same, with counts of their own tasks."""
    PROJECT_ASKED = "project asked"
    """People of the study whose project the query names."""
    TABS = "tabs"
    """The same, who see other people's tabs no more."""
    BACKENDS = "backends"
    """The same, who see how to prompt and no address."""
    STATE = "state"
    """The same, with counts of their own tasks."""
    TASKS = "tasks"
    """The same, who see their own tasks."""
    NEXT_TASK = "next task"
    """The same, for the action that gives the next task and no other."""
    TASK = "task"
    """Who may look at the task."""
    ANNOTATIONS = "annotations"
    """Who may look at the task, and sees what they may of its annotations."""
    DRAWING = "drawing"
    """Who may draw on the task: a save of their own."""
    DRAFTS = "drafts"
    """Who may draw on the task: their own drafts."""
    DRAFTING = "drafting"
    """Who may draw on the task: a draft of their own."""
    DRAFT = "draft"
    """Whose draft it is, of a task that they may draw on."""
    ANNOTATION = "annotation"
    """Who may look at the task, and at others' annotations where it is not their own."""
    OWN_ANNOTATION = "own annotation"
    """Whose annotation it is, of a task that they may draw on."""
    OWN_SKIP = "own skip"
    """The same, where it skips the task: the editor takes a skip back by deleting it."""
    PROMPT = "prompt"
    """Who may ask the model on the task that the request names."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    methods: frozenset[str]
    route: str
    name: str
    who: Who


class Table:
    """The rows, by method and address."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._who = {(method, row.route): row.who for row in rows for method in row.methods}

    def who(self, method: str | None, route: str) -> Who:
        """Who comes in at an address; nobody, where the table does not list it."""
        return self._who.get(("GET" if method == "HEAD" else str(method), route), Who.NOBODY)


def read_table(path: Path = PATH) -> Table:
    """The table as it stands in the file."""
    with path.open(newline="") as file:
        return Table(
            [
                Row(frozenset(row["methods"].split()), row["route"], row["name"], Who(row["who"]))
                for row in csv.DictReader(file)
            ]
        )


TABLE = read_table()
