"""Random histories of saves, deletions, registrations, verdicts and exclusions: what counts as approved was looked at.

A small model remembers what the approver saw. Whatever happens in whatever order, a release or a snapshot would hold a
case exactly when nothing of that has changed since, and then with exactly that.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.exporting import export_case
from annotation_backend.cases.models import AlignmentVerdict, Case, Registration
from annotation_backend.cases.verdicts import decide_registration
from annotation_backend.labeling.assembly import assemble
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask
from annotation_backend.learning.services import snapshot_content
from annotation_backend.publishing.services import release_cases
from annotation_backend.review.models import Review, Verdict, approved_review
from annotation_backend.review.seen import seen_now
from annotation_backend.review.services import decide
from datasets.case import QualityScore
from datasets.errors import RejectedInput
from tests.annotation_backend.records import accounts, published, registered_case, saved
from tests.annotation_backend.test_approvals import _delete, _register_otherwise

pytestmark = pytest.mark.django_db

SLICES = 3


@dataclass
class Model:
    """What is true of the case, and what its approver saw while that holds."""

    saves: dict[int, list[str]] = field(default_factory=lambda: {index: [] for index in range(SLICES)})
    registration: str = ""
    pictured: str = ""
    mask_is_made: bool = False
    is_excluded: bool = False
    is_rejected: bool = False
    was_drawn_on: bool = False
    decided: bool = False
    approved: tuple[Any, ...] | None = None

    def counting(self) -> dict[int, str]:
        """The digest of the save that counts, by slice."""
        return {index: stack[-1] for index, stack in self.saves.items() if stack}

    def seen(self) -> tuple[Any, ...]:
        """What the review page shows."""
        return self.registration, tuple(sorted(self.counting().items()))

    def change(self) -> None:
        """Something of what is looked at is another."""
        self.mask_is_made = self.decided = False
        self.approved = None

    @property
    def takes_a_verdict(self) -> bool:
        """Whether a reviewer may decide now."""
        sound = not self.is_excluded and not self.is_rejected and self.pictured == self.registration
        return sound and self.mask_is_made and bool(self.counting()) and not self.decided


class History:
    """One history: each step is done in Maskloop and in the model."""

    def __init__(self) -> None:
        self.case = Case.objects.get()
        self.radiologist = User.objects.get(role=Role.RADIOLOGIST)
        self.manager = User.objects.get(role=Role.DATA_MANAGER)
        digest = self.case.registration.record_sha256
        self.model = Model(registration=digest, pictured=digest)
        self.numbers = count(1)
        self.pages: list[tuple[int, str, tuple[Any, ...]]] = []

    def draw(self, index: int) -> None:
        number = next(self.numbers)
        task = LabelingTask.objects.get(slice_index=index)
        save = saved(task, identifier=number, updated_at=f"2026-11-21T10:{number:02}:00.000001Z")
        self.model.saves[index].append(save.content_sha256)
        self.model.was_drawn_on = True
        self.model.change()

    def delete(self, index: int) -> None:
        if not self.model.saves[index]:
            return
        digest = self.model.saves[index].pop()
        _delete(Annotation.objects.get(content_sha256=digest, task__slice_index=index))
        self.model.change()
        made = CaseMask.objects.filter(inputs_sha256=seen_now(self.case).record["mask_inputs"] or "")
        self.model.mask_is_made = made.exists()

    def assemble(self, _index: int) -> None:
        self.model.mask_is_made = assemble(self._fresh()) is not None

    def register(self, _index: int) -> None:
        words = f"other-{next(self.numbers)}"
        if self.model.was_drawn_on:
            with pytest.raises(RejectedInput, match="case-annotated"):
                _register_otherwise(self._fresh(), words)
            return
        _register_otherwise(self._fresh(), words)
        self._is_registered()

    def restore_another_registration(self, _index: int) -> None:
        """As a data folder and its database from a backup would: nobody is told."""
        Registration.objects.update(record_sha256=f"{next(self.numbers):064}")
        self._is_registered()

    def export(self, _index: int) -> None:
        with suppress(RejectedInput):
            if export_case(self._fresh()):
                self.model.pictured = self.model.registration

    def load_page(self, _index: int) -> None:
        seen = seen_now(self.case)
        if seen.standing.mask:
            self.pages.append((seen.standing.mask.pk, seen.sha256, self.model.seen()))

    def approve(self, index: int) -> None:
        self._decide(index, Verdict.APPROVE)

    def give_back(self, index: int) -> None:
        self._decide(index, Verdict.RETURN)

    def exclude(self, _index: int) -> None:
        with suppress(RejectedInput):
            take_back(self.case) if self.model.is_excluded else exclude(self.case, reason="Withdrawn.")
        self.model.is_excluded = not self.model.is_excluded

    def reject(self, _index: int) -> None:
        verdict = AlignmentVerdict.ACCEPT if self.model.is_rejected else AlignmentVerdict.REJECT
        digest = Registration.objects.get().record_sha256
        decide_registration(self.case, self.manager, verdict=verdict, record_sha256=digest, comment="x")
        self.model.is_rejected = not self.model.is_rejected

    def check(self) -> None:
        """What Maskloop would make of the case now is what the model says."""
        wanted = self.model.approved
        assert (approved_review(self.case) is not None) == (wanted is not None)
        is_in = wanted is not None and not self.model.is_excluded and not self.model.is_rejected
        if not is_in:
            for refused in (release_cases, snapshot_content):
                with pytest.raises(RejectedInput, match="nothing-approved"):
                    refused()
            return
        [released] = release_cases()
        [learned] = snapshot_content()["cases"]
        saves = {value for name, value in released.sources.items() if name.startswith("annotation_")}
        assert (released.sources["registration_record"], learned["registration_sha256"]) == (wanted[0], wanted[0])
        assert saves == {digest for _, digest in wanted[1]}
        assert learned["mask_sha256"] == released.sources["mask_file"]

    def _decide(self, index: int, verdict: Verdict) -> None:
        """From a page that was loaded a while ago, the newest or an older one."""
        if not self.pages:
            return
        mask, digest, saw = self.pages[-1 - index % len(self.pages)]
        words = {"quality_score": QualityScore.EXCELLENT, "comment": "x", "accepts_unannotated": True}
        try:
            decide(CaseMask.objects.get(pk=mask), self.radiologist, verdict=verdict, seen_sha256=digest, **words)  # type: ignore[arg-type]
        except RejectedInput:
            assert not self.model.takes_a_verdict or saw != self.model.seen()
            return
        assert self.model.takes_a_verdict
        assert saw == self.model.seen()
        self.model.decided = True
        self.model.approved = saw if verdict is Verdict.APPROVE else None

    def _is_registered(self) -> None:
        self.model.registration = Registration.objects.get().record_sha256
        self.model.change()
        self.model.is_rejected = Registration.objects.get().verdict == AlignmentVerdict.REJECT

    def _fresh(self) -> Case:
        return Case.objects.get(pk=self.case.pk)


STEPS: dict[str, Callable[[History, int], None]] = {
    "draw": History.draw,
    "delete": History.delete,
    "assemble": History.assemble,
    "register": History.register,
    "restore another registration": History.restore_another_registration,
    "export": History.export,
    "load page": History.load_page,
    "approve": History.approve,
    "return": History.give_back,
    "exclude or take back": History.exclude,
    "reject or accept": History.reject,
}
OFTEN = ["draw", "assemble", "load page", "approve"]
APPROVED = [("draw", 0), ("assemble", 0), ("load page", 0), ("approve", 0)]
EVENTS = st.tuples(st.sampled_from([*STEPS, *OFTEN, *OFTEN]), st.integers(0, SLICES - 1))


@pytest.fixture
def drawn_case(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path
    accounts()
    published(registered_case())


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(history=st.lists(EVENTS, min_size=1, max_size=14))
@example(history=[*APPROVED, ("delete", 0), ("register", 0)])
@example(history=[*APPROVED, ("draw", 1), ("delete", 1), ("load page", 0), ("approve", 0)])
@example(history=[*APPROVED, ("restore another registration", 0), ("export", 0), ("assemble", 0), ("approve", 0)])
@example(history=[*APPROVED[:3], ("draw", 0), ("assemble", 0), ("load page", 0), ("approve", 1), ("approve", 0)])
@example(history=[*APPROVED[:3], ("exclude or take back", 0), ("approve", 0), ("exclude or take back", 0)])
@example(history=[*APPROVED[:3], ("reject or accept", 0), ("approve", 0), ("reject or accept", 0), ("approve", 0)])
@example(history=[*APPROVED[:3], ("return", 0), ("draw", 1), ("delete", 1), ("load page", 0), ("approve", 0)])
def test_what_is_approved_is_what_was_looked_at(drawn_case: None, history: list[tuple[str, int]]) -> None:
    mark = transaction.savepoint()
    try:
        story = History()
        for step, index in history:
            STEPS[step](story, index)
            story.check()
    finally:
        transaction.savepoint_rollback(mark)
    assert not Review.objects.exists()
