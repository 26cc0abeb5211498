"""Rounds in a study that is meant for it: approvals, runs and models are real records, by simulated people.

Nobody else has drawn in the study. The references are the masks that came with its cases; what is approved is what the
simulated annotator left. A simulated radiologist, who drew nothing, gives the verdict by the same rules as everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import OURS
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.volumes import case_volumes, picture_plane
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.labeling.models import Annotation, Correction, CorrectionKind
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.learning.examples.learned_images import role_of_kind
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.retraining.rules import held_back
from annotation_backend.learning.rounds.in_folder import written_rounds
from annotation_backend.learning.running.work_folders import described
from annotation_backend.learning.snapshot_training import train_on_snapshot
from annotation_backend.registry.models import Model
from annotation_backend.review.models import Verdict, approved_review
from annotation_backend.review.services import decide
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from datasets.errors import ProgramFault, RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.image.mask import Inside, Mask
from datasets.progress import ProgressOf
from datasets.study.case import QualityScore
from datasets.study.splits.rule import SplitRule
from training.fitting.running.running import ALONE, Running
from training.rounds.plan import planned_rounds

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice
    from training.fitting.examples import Example
    from training.rounds.rounds import RoundsRules
    from training.rounds.work import CaseWork

SIMULATED_ANNOTATOR, SIMULATED_RADIOLOGIST = f"simulated-annotator{OURS}", f"simulated-radiologist{OURS}"


@dataclass(frozen=True)
class StudyRounds:
    """Rounds in a study.

    Args:
        study: One in which nobody else has drawn.
        rules: Training and annotator.
        rounds: How many rounds.
        patients: New patients of each.
        split: Of the folds of each training, kept from round to round.
        out: Folder of the work and the report, from which a stopped simulation goes on.
        about: A remark on the data, for the report.
    """

    study: Study
    rules: "RoundsRules"
    rounds: int
    patients: int
    split: SplitRule
    out: Path
    about: str = ""


def simulate_in_study(wanted: StudyRounds, progress_of: ProgressOf, *, running: Running = ALONE) -> dict[str, Any]:
    """Works the rounds through; the curve then is on the study's page of models, too.

    Args:
        wanted: What is simulated.
        progress_of: Makes the progress displays.
        running: How trainings run.

    Returns:
        The curve and the files, as plain JSON values.

    Raises:
        RejectedInput: Somebody has drawn in the study, or other rounds were simulated in it
            (``rounds-study-in-use``), no case came with a mask (``rounds-no-reference``), or as `planned_rounds`,
            `decide` and `train_on_snapshot`.
    """
    from training.rounds.rounds import LIST_NAME, LearningRounds

    cases = _cases_with_reference(wanted.study)
    if not (wanted.out / LIST_NAME).exists() and Correction.objects.filter(case__study=wanted.study).exists():
        raise RejectedInput(
            "rounds-study-in-use",
            "Rounds were simulated in this study before, and other ones would begin with what they approved.",
            remedy="Give the --out that they were begun with, or make another study for these.",
        )
    patient_of = {case.code: case.patient.code for case in cases.values()}
    seed = wanted.rules.annotator.seed
    plan = planned_rounds(patient_of, rounds=wanted.rounds, patients=wanted.patients, seed=seed)
    inputs = sha256_of_bytes(canonical_json({code: case.images_sha256 for code, case in cases.items()}))
    loop = StudyLoop(wanted, cases, progress_of=progress_of, running=running)
    rounds = LearningRounds(plan, loop, wanted.rules, wanted.out, inputs={"study": inputs}, progress_of=progress_of)
    found = written_rounds(rounds.run(), plan, wanted.out, about=wanted.about)
    return found | {"models": [str(model) for model in loop.models.values()]}


class StudyLoop:
    """Rounds in a study, as `training.rounds.rounds.LearningRounds` drives them.

    Args:
        wanted: What is simulated.
        cases: By code, those that came with a mask.
        progress_of: Makes the progress displays.
        running: How trainings run.
    """

    def __init__(
        self, wanted: StudyRounds, cases: dict[str, Case], *, progress_of: ProgressOf, running: Running
    ) -> None:
        self._study, self._rules, self._split = wanted.study, wanted.rules, wanted.split
        self._cases, self._progress_of, self._running = cases, progress_of, running
        self._external = held_back(wanted.study, None)
        self._annotator = _person(wanted.study, SIMULATED_ANNOTATOR, Role.ANNOTATOR)
        self._radiologist = _person(wanted.study, SIMULATED_RADIOLOGIST, Role.RADIOLOGIST)
        self.models: dict[int, Model] = {}

    def load(self, case: str) -> "Example":
        """A case with the mask that came with it."""
        from training.fitting.examples import Example

        row = self._cases[case]
        reference, images = imported_label(row), case_volumes(row).images
        if reference is None:
            raise ProgramFault(
                "rounds-no-reference", "A case that was chosen came without a mask.", remedy="Report it."
            )
        roles = {kind: role_of_kind(self._study.protocol, kind) for kind in self._rules.choice.channels}
        if missing := [role for role in roles.values() if role not in images]:
            raise RejectedInput(
                "case-image-missing", f"{case} has no {' and no '.join(missing)}.", remedy="Exclude the case."
            )
        plane = picture_plane(row)
        volumes = {kind: images[role] for kind, role in roles.items()}
        whole = Mask(reference.foreground.astype(np.uint8), plane.grid)
        return Example(case, row.patient.code, volumes, whole, slice_axis=plane.slice_axis)

    def draft(self, example: "Example", models: int) -> Inside:
        """The initial masks of a round's model, as an annotator would be shown them."""
        found = np.zeros(example.mask.grid.shape, np.bool_)
        if models:
            row, plane = self._cases[example.case], picture_plane(self._cases[example.case])
            indices = range(plane.grid.shape[plane.slice_axis])
            for prediction in initial_masks(row, indices, model=self.models[models]):
                plane.from_picture(prediction.mask, into=found, index=prediction.index)
        return found

    def approve(self, example: "Example", left: Inside, work: "CaseWork") -> None:
        """Keeps the annotator's mask as a version with its author, and approves it."""
        case = Case.objects.with_images().get(pk=self._cases[example.case].pk)
        if approved_review(case) is not None:
            return
        value = next(value for value, name in case.protocol.label_names.items() if name == self._rules.choice.label)
        drawn = Mask((left * value).astype(np.uint8), picture_plane(case).grid, case.protocol.label_names)
        with transaction.atomic():
            correct(case, drawn, kind=CorrectionKind.SIMULATED, author=self._annotator, base=None)
            detail = {"actions": work.actions, "seconds": round(work.seconds)}
            record(EventKind.SIMULATED, self._annotator, case=case, detail=detail)
            mask = assemble(case)
            if mask is None:
                raise ProgramFault("rounds-no-mask", "What was drawn gave no mask.", remedy="Report it.")
            decide(
                mask,
                self._radiologist,
                verdict=Verdict.APPROVE,
                quality_score=QualityScore.SUFFICIENT,
                comment="Simulated.",
                accepts_unannotated=True,
            )

    def train(self, models: int, cases: Sequence[str]) -> None:
        """Trains on what is approved, with the folds of the round before.

        A run on just these cases with the same settings is kept.
        """
        choice = self._rules.choice_for(len(cases))
        settings = canonical_json(described(choice, self._split, self._external))
        done = Run.objects.filter(study=self._study, status=RunStatus.DONE, model__isnull=False)
        of_cases = [run for run in done.select_related("model", "snapshot") if set(run.snapshot.cases) == set(cases)]
        kept = [run for run in of_cases if canonical_json(run.asked) == settings]
        run = kept[-1] if kept else self._trained(choice)
        if run.model is None:
            raise ProgramFault("rounds-no-model", "A run gave no model.", remedy="Report it.")
        self.models[models] = run.model

    def _trained(self, choice: "TrainingChoice") -> Run:
        return train_on_snapshot(
            take_snapshot(self._study),
            choice,
            progress_of=self._progress_of,
            rule=self._split,
            external=self._external,
            running=self._running,
        )


def _cases_with_reference(study: Study) -> dict[str, Case]:
    """The sound cases of a study that came with a mask.

    Raises:
        RejectedInput: Somebody has drawn in the study, or no case came with one.
    """
    saves = Annotation.objects.filter(project__study=study).exclude(task__case__is_rehearsal=True)
    others = Correction.objects.filter(case__study=study, case__is_rehearsal=False)
    if saves.exists() or others.exclude(kind=CorrectionKind.SIMULATED).exists():
        raise RejectedInput(
            "rounds-study-in-use",
            "Somebody has drawn in this study, and simulated masks would be learned from beside theirs.",
            remedy="Make a study for the simulation (`manage.py create_study`), and ingest cases with masks there.",
        )
    rows = Case.objects.sound().filter(study=study, is_rehearsal=False).with_images().select_related("patient")
    ready = [case for case in rows if case.is_registered and case.picture_plane is not None]
    found = {case.code: case for case in ready if imported_label(case) is not None}
    if not found:
        raise RejectedInput(
            "rounds-no-reference",
            "No registered case of this study came with a mask that the annotator could draw after.",
            remedy="Ingest studies with their structure sets, register them and export their slices.",
        )
    return found


def _person(study: Study, address: str, role: Role) -> User:
    """A simulated person, who has no password and cannot sign in, with a role in the study."""
    person, is_new = User.objects.get_or_create(username=address, defaults={"email": address})
    if is_new:
        person.set_unusable_password()
        person.save()
    give_role(study, person, role)
    return person
