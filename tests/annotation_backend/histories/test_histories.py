"""No release, snapshot or approval ever holds what its approver did not see, or what its drawer approved alone.

Random histories of saves, deletions, forged webhooks, imports, registrations, exclusions, verdicts and builds, with
webhooks lost, late and doubled, are acted out against a model of Label Studio. `HISTORIES` in the environment says how
many; a failing one is made as short as it can be.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.registration import register
from annotation_backend.labeling import upkeep
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from datasets.release import build
from tests.annotation_backend.histories.acts import ACTS, Act, approve, build_release, submit
from tests.annotation_backend.histories.studio import PROJECT, Clock, ModelStudio
from tests.annotation_backend.histories.world import SLICES, World, in_a_folder_of_its_own, registered_anew
from tests.annotation_backend.support.label_studio_double import answer_with
from tests.annotation_backend.support.records import SHAPE, accounts, member, registered_case, the_study

pytestmark = pytest.mark.slow

HISTORIES = int(os.environ.get("HISTORIES", "2000"))

Steps = list[tuple[Act, int, int]]

PICTURE = (SHAPE[1], SHAPE[0])
"""Height and width."""

CHOICE = st.integers(0, 59)

BEGINNINGS: tuple[tuple[Act, ...], ...] = ((), (submit,), (submit, approve), (submit, submit, approve, build_release))
"""Most of what can go wrong goes wrong around an approval; chance alone would seldom get so far."""


@st.composite
def histories(draw: st.DrawFn) -> Steps:
    """Acts, with the numbers that choose whom and what."""
    acts = [*draw(st.sampled_from(BEGINNINGS)), *draw(st.lists(st.sampled_from(ACTS), min_size=2, max_size=8))]
    return [(act, draw(CHOICE), draw(CHOICE)) for act in acts]


@pytest.fixture
def stage(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Stage"]:
    """People, one small registered case, and everything that asks Label Studio asking the model of the history."""
    before = django_settings.DATA_FOLDER
    django_settings.DATA_FOLDER = tmp_path / "template"
    made = Stage(tmp_path / "template")
    answer_with(monkeypatch, lambda *words, **options: made.studio.call(*words, **options))
    yield made
    django_settings.DATA_FOLDER = before


class Stage:
    """What all histories begin with."""

    def __init__(self, template: Path) -> None:
        self.template = template
        self.studio = ModelStudio(Clock(), shape=PICTURE)
        people = accounts()
        self.people = {
            "a": people[Role.ANNOTATOR],
            "r": people[Role.RADIOLOGIST],
            "b": _another(Role.ANNOTATOR, 11),
            "s": _another(Role.RADIOLOGIST, 12),
        }
        self.case = registered_case()
        self.clients = {letter: Client() for letter in self.people}
        for letter, browser in self.clients.items():
            browser.force_login(self.people[letter])
        project = LabelingProject.objects.create(label_studio_id=PROJECT, title="Test", study=the_study())
        for index, number in self._published().items():
            LabelingTask.objects.create(project=project, case=self.case, slice_index=index, label_studio_id=number)

    def world(self) -> World:
        """A fresh installation with the case published."""
        self.studio = ModelStudio(Clock(), shape=PICTURE)
        self._published()
        return World(self.case, self.studio, self.people, self.clients)

    def _published(self) -> dict[int, int]:
        """Publishes the case in Label Studio; gives the number of each slice's task, the same in every history."""
        return {index: self.studio.publish(self.case.code, index) for index in range(SLICES)}


def _another(role: Role, number: int) -> User:
    email = f"{role.value}{number}@maskloop.local"
    return member(email, role, email=email, label_studio_id=number)


@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize="HISTORIES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(steps=histories())
def test_nothing_unseen_and_nothing_of_ones_own_is_approved_or_released(stage: Stage, steps: Steps) -> None:
    assert not complaints_of(stage, steps)


def complaints_of(stage: Stage, steps: Steps) -> list[str]:
    """Acts out a history on a fresh installation, up to the first thing that is wrong; leaves nothing behind."""
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        folder = in_a_folder_of_its_own(stage.template)
        try:
            world = stage.world()
            _connect(world, patch)
            for act, who, what in steps:
                act(world, who, what)
                if world.complaints:
                    return world.complaints
            world.settle()
            return world.complaints
        finally:
            django_settings.DATA_FOLDER = stage.template
            shutil.rmtree(folder)
            transaction.set_rollback(True)


def _connect(world: World, patch: pytest.MonkeyPatch) -> None:
    """Both sides have one clock, and long work has a middle."""
    patch.setattr(upkeep, "is_up", lambda: True)
    patch.setattr(timezone, "now", world.clock.now)
    patch.setattr(register, "each_done", registered_anew(world))
    written = build.WrittenRelease

    def with_a_middle(*args: object) -> object:
        if world.meanwhile:
            world.meanwhile()
        return written(*args)  # type: ignore[arg-type]

    patch.setattr(build, "WrittenRelease", with_a_middle)
