"""An installation of one small case beside the model of Label Studio, and what people and accidents do to both."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.test import Client
from numpy.typing import NDArray

from annotation_backend.accounts.models import User
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, VerdictOfRegistration
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.verdicts import decide_registration
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.workers.images import RegistrationTask, StoredImages, StoredRegistration
from annotation_backend.compute import Outcome
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingProject
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.upkeep import take_up
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.publishing.services import publish_release
from datasets.errors import MaskloopError
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_bytes
from datasets.formats.nifti import read_mask, read_volume, write_volume
from datasets.image.volume import Volume
from datasets.release.build import ReleaseSettings
from datasets.release.manifest_reading import read_manifest
from tests.annotation_backend.histories.studio import Clock, Json, ModelStudio
from tests.annotation_backend.support.records import the_study

Pixels = NDArray[np.bool_]

SLICES = 3
STRANGER = 99
"""A number that nobody here has."""


@dataclass(frozen=True)
class Seen:
    """What a page showed a reviewer: the mask and the images, by content."""

    mask: str
    t1: str
    t2: str


@dataclass(frozen=True)
class Look:
    """A review page that somebody opened, and its form."""

    person: User
    form: dict[str, str]
    mask: int
    seen: Seen


@dataclass(frozen=True)
class Verdict:
    """What a reviewer said, and of what."""

    look: Look
    approves: bool


@dataclass
class World:
    """Both sides, what is under way between them, and what reviewers looked at.

    Args:
        case: The case, published as `SLICES` tasks.
        studio: The model of Label Studio.
        people: Annotators and radiologists of our service, by a letter.
        clients: A signed-in browser of each.
    """

    case: Case
    studio: ModelStudio
    people: dict[str, User]
    clients: dict[str, Client]
    events: list[Json] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    is_honest: bool = True
    drawn: int = 0
    builds: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """The time of both sides."""
        return self.studio.clock

    def number(self, letter: str) -> int:
        """Label Studio's number of a person."""
        found = self.people[letter].label_studio_id
        assert found is not None
        return found

    def fresh_pixels(self) -> Pixels:
        """A drawing that is no other drawing."""
        self.drawn += 1
        pixels = np.zeros(self.studio.shape, dtype=bool)
        height, width = self.studio.shape
        pixels[2 : height - 2, 2 : width - 2] = True
        pixels.reshape(-1)[self.drawn % pixels.size] ^= True
        pixels.reshape(-1)[(self.drawn // pixels.size + 7) % pixels.size] ^= True
        return pixels

    # What is looked at

    def contents(self, mask: CaseMask) -> dict[int, bytes]:
        """By slice: the pixels of an assembled mask, as they lie in its file."""
        plane = picture_plane(self.case)
        volume = read_mask(mask.path).foreground
        return {index: plane.to_picture(volume, index).astype(bool).tobytes() for index in range(SLICES)}

    def seen_now(self, mask: CaseMask) -> Seen:
        """What a page shows of a mask at this moment."""
        case = Case.objects.get(pk=self.case.pk)
        images = {image.role: _content(read_volume(image.path)) for image in case.images.all()}
        return Seen(_content(read_mask(mask.path)), images["t1"], images["t2"])

    def open_page(self, letter: str, *, waves: bool = False) -> None:
        """A reviewer opens the case's page, and may say of every finding there that it was meant."""
        page = self._page(letter)
        if waves and self._wave(letter, page):
            page = self._page(letter)
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        if "mask" not in form:
            return
        form.pop("csrfmiddlewaretoken", None)
        mask = CaseMask.objects.get(pk=int(form["mask"]))
        self.looks.append(Look(self.people[letter], form, mask.pk, self.seen_now(mask)))

    def decide(self, look: Look, *, approves: bool) -> None:
        """A reviewer sends the form of a page that was opened before."""
        letter = next(key for key, person in self.people.items() if person == look.person)
        said = {"quality_score": "excellent", "comment": "look again", "accepts_unannotated": "on"}
        form = {**look.form, **said, "verdict": "approve" if approves else "return"}
        answer = self.clients[letter].post(f"/studies/mstt-199/review/{self.case.code}/", form)
        assert answer.status_code in (302, 409), f"{answer.status_code} {answer.content[:400]!r}"
        if answer.status_code == 302:
            self.verdicts.append(Verdict(look, approves))
            if approves:
                self._judge_approval(look)

    def wave_findings(self, letter: str) -> None:
        """A person says of every finding on the page that it was meant."""
        self._wave(letter, self._page(letter))

    def _page(self, letter: str) -> str:
        answer = self.clients[letter].get(f"/studies/mstt-199/review/{self.case.code}/")
        assert answer.status_code == 200, answer.status_code
        return answer.content.decode()

    def _wave(self, letter: str, page: str) -> bool:
        addresses = sorted(set(re.findall(r'action="(/studies/mstt-199/findings/[^"]*seen[^"]*)"', page)))
        for address in addresses:
            assert self.clients[letter].post(address).status_code in (302, 403, 409)
        return bool(addresses)

    # What our side does

    def deliver(self, body: Json) -> None:
        """A webhook arrives; whatever is wrong with it, the answer is a named refusal."""
        try:
            receive(body)
        except MaskloopError:
            return

    def work(self) -> None:
        """The worker does what waits for the case."""
        try:
            assemble_case.call(case_code=self.case.code)
        except MaskloopError:
            return

    def reconcile(self, *, is_full: bool) -> None:
        """One round of the reconciler."""
        try:
            take_up(LabelingProject.objects.get(), is_full=is_full)
        except MaskloopError:
            return

    def register_again(self) -> None:
        """A command registers the case again; something may happen while it computes."""
        report = register_cases([Case.objects.get(pk=self.case.pk)], again=True, workers=1)
        if report.done:
            self.draw_pictures()

    def draw_pictures(self) -> None:
        """A command exports the pictures where they show another registration."""
        try:
            export_case(Case.objects.get(pk=self.case.pk))
        except MaskloopError:
            return

    def leave_out(self, *, back: bool) -> None:
        """A data manager excludes the case, or takes that back."""
        case = Case.objects.get(pk=self.case.pk)
        try:
            if back:
                take_back(case)
            else:
                exclude(case, reason="consent withdrawn")
        except MaskloopError:
            return

    def judge_registration(self, *, accepts: bool) -> None:
        """A person's verdict on the registration that is there."""
        case = Case.objects.get(pk=self.case.pk)
        verdict = VerdictOfRegistration.ACCEPT if accepts else VerdictOfRegistration.REJECT
        digest = case.images_sha256
        decide_registration(case, self.people["r"], verdict=verdict, record_sha256=digest, comment="seen")

    def restore(self, letter: str, which: int) -> None:
        """A person restores some version of some slice on our page."""
        versions = list(
            Annotation.objects.filter(task__case=self.case).order_by("pk").values_list("task__slice_index", "number")
        )
        if versions:
            index, number = versions[which % len(versions)]
            path = f"/studies/mstt-199/cases/{self.case.code}/slices/{index}/versions/{number}/restore"
            answer = self.clients[letter].post(path)
            assert answer.status_code in (302, 403, 404, 409, 410), answer.status_code  # 410: the case is excluded
        if self.studio.wrongly_restored:
            self.complaints.append("a forged drawing was written to Label Studio")

    def build(self) -> None:
        """A release of what is approved; something may happen in the middle of the build."""
        self.builds += 1
        wanted = ReleaseSettings(name="history", version=f"{self.builds}.0.0", licence="CC0-1.0", folds=2)
        try:
            built = publish_release(the_study(), wanted)
        except MaskloopError:
            return
        release = built.release
        manifest = read_manifest((release.path / "manifest.json").read_bytes())
        assert len(manifest.cases) == release.cases.count()
        for entry in manifest.cases:
            assert release.held.get(code=entry.case).case == self.case
            t1, t2 = (release.path / entry.image_paths[role] for role in ("t1", "t2"))
            mask = release.path / entry.mask_path
            held = Seen(_content(read_mask(mask)), _content(read_volume(t1)), _content(read_volume(t2)))
            self._judge_kept(held, where="release")

    def freeze(self) -> None:
        """A snapshot of what is approved."""
        try:
            content = take_snapshot(the_study()).content
        except MaskloopError:
            return
        for entry in content["cases"]:
            mask = CaseMask.objects.get(pk=entry["mask"])
            assert sha256_of_file(mask.path) == entry["mask_sha256"]
            self._judge_kept(self.seen_now(mask), where="snapshot")

    # What must hold

    def _judge_approval(self, look: Look) -> None:
        mask, case = CaseMask.objects.get(pk=look.mask), Case.objects.get(pk=self.case.pk)
        if self.seen_now(mask) != look.seen:
            self.complaints.append("approved something else than the page showed")
        if case.exclusion is not None:
            self.complaints.append("approved while the case is excluded")
        if case.registration_verdict == VerdictOfRegistration.REJECT:
            self.complaints.append("approved on a rejected registration")
        approver = look.person.label_studio_id
        for index, pixels in self.contents(mask).items():
            if not any(pixels):
                continue
            if pixels not in self.studio.shown.get(index, set()):
                self.complaints.append(f"approved a drawing of slice {index} that Label Studio never had there")
            makers = self.studio.people_of(pixels)
            if makers and all(people <= {approver} for people in makers):
                self.complaints.append(f"approved slice {index}, which the approver alone drew")

    def _judge_kept(self, held: Seen, *, where: str) -> None:
        last = self.verdicts[-1] if self.verdicts else None
        if last is None or not last.approves:
            self.complaints.append(f"a {where} holds a case that is not approved")
        elif last.look.seen != held:
            self.complaints.append(f"a {where} holds what the approver did not see")
        case = Case.objects.get(pk=self.case.pk)
        if case.exclusion is not None or case.registration_verdict == VerdictOfRegistration.REJECT:
            self.complaints.append(f"a {where} holds a case that was left out")

    def settle(self) -> None:
        """All that is under way arrives, and both sides rest."""
        self.studio.is_visible = True
        self.clock.seconds += 30
        self.reconcile(is_full=True)
        self.work()
        if self.is_honest:
            self._judge_rest()

    def _judge_rest(self) -> None:
        """Where everybody was honest, what counts here is what Label Studio has, and an approval is of that."""
        current = Annotation.objects.filter(task__case=self.case).newest_of_each_task()
        here = {save.task.slice_index: save for save in current.values()}
        for index in range(SLICES):
            task = self.studio.task_of(index)
            wanted = self.studio.newest_content(task) if task else None
            pixels = self.studio.pixels_of(here[index].raw["result"]) if index in here else None
            if (None if pixels is None else pixels.tobytes()) != wanted:
                self.complaints.append(f"slice {index} is not what Label Studio has")


def registered_anew(world: World) -> Callable[..., Iterator[Outcome[RegistrationTask, StoredImages]]]:
    """Takes the place of computing registrations: other images on the same grid, and time in which things happen."""

    def each_done(_function: Any, tasks: list[RegistrationTask], **_: Any) -> Iterator[Outcome[Any, Any]]:
        for task in tasks:
            stored = _another_registration(task, before=Case.objects.get(code=task.case_code))
            if world.meanwhile:
                world.meanwhile()
            yield Outcome(item=task, result=stored)

    return each_done


def _another_registration(task: RegistrationTask, *, before: Case) -> StoredImages:
    folder = task.scratch / secrets.token_hex(8)
    folder.mkdir(parents=True)
    random = np.random.default_rng(int(secrets.token_hex(4), 16))
    registration, outputs = before.registrations.get(), {}
    for image in before.images.all():
        old = read_volume(image.path)
        is_moved = image.role == registration.role
        moved = random.normal(100, 20, old.grid.shape).astype(np.float32) if is_moved else old.data
        write_volume(folder / f"{image.role}.nii.gz", Volume(moved, old.grid))
        outputs[image.role] = sha256_of_file(folder / f"{image.role}.nii.gz")
    write_bytes(folder / "checkerboard.png", b"png")
    write_bytes(folder / "thumbnail.png", b"png")
    record = {**registration.record, "outputs": outputs}
    digest = sha256_of_bytes(canonical_json(record))
    stored = StoredRegistration(registration.role, registration.fixed_role, folder, digest[:16], record, digest)
    return StoredImages((stored,), ())


def _content(thing: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(thing.data, dtype=np.float32).tobytes()).hexdigest()


def in_a_folder_of_its_own(template: Path) -> Path:
    """Copies the installation's files, and lets the settings point to the copy.

    Its files are links: whatever writes one anew puts another in its place.
    """
    folder = template.parent / f"history-{secrets.token_hex(6)}"
    shutil.copytree(template, folder, copy_function=os.link)
    settings.DATA_FOLDER = folder
    return folder


def later(world: World, seconds: float) -> None:
    """Time goes by on both sides."""
    world.clock.seconds += timedelta(seconds=seconds).total_seconds()
