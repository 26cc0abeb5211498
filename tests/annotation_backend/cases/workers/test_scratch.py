"""A folder takes another's place so that, wherever the program is stopped, the record names a whole one."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from annotation_backend.cases.models import Case, Registration, Slice
from annotation_backend.cases.registration import keep
from annotation_backend.cases.registration.export import keep_pictures
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.cases.workers import scratch
from annotation_backend.cases.workers.images import StoredImages, StoredPictures, StoredRegistration
from annotation_backend.cases.workers.scratch import move_beside, one_at_a_time, remove_others
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from tests.annotation_backend.support.records import registered_case

STEPS = [
    (keep, "move_beside"),
    (Registration.objects, "update_or_create"),
    (keep, "remove_others"),
    (keep, "forget_damages"),
    (scratch, "flush_to_disk"),
]


class Killed(BaseException):
    """The process ends here."""


def _folder(place: Path, content: str) -> Path:
    place.mkdir(parents=True)
    (place / "a").write_text(content)
    return place


def _done_again(case: Case, place: Path) -> StoredImages:
    """The same registration as a worker leaves it in scratch, under the same name."""
    place.mkdir(parents=True)
    for role in ("t1", "t2"):
        source = case.folder / f"{role}.nii.gz"
        shutil.copyfile(source, place / f"{role}.nii.gz")
    (place / "checkerboard.png").write_bytes(b"png")
    outputs = {role: sha256_of_file(place / f"{role}.nii.gz") for role in ("t1", "t2")}
    record = {**case.registrations.get().record, "outputs": outputs}
    digest = sha256_of_bytes(canonical_json(record))
    return StoredImages((StoredRegistration("t1", "t2", place, "same", record, digest),), ())


@pytest.mark.django_db
@pytest.mark.parametrize("is_damaged", [False, True], ids=["the same files", "other files"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_redo_that_is_killed_leaves_a_whole_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, module: object, step: str, before: bool, is_damaged: bool
) -> None:
    case = registered_case()
    keep.keep_images(case, _done_again(case, tmp_path / "first"))
    if is_damaged:  # so that the new files differ from those in their place
        (case.registrations.get().folder / "checkerboard.png").write_bytes(b"damaged")
    real: Callable[..., object] = getattr(module, step)

    def killed(*arguments: object, **options: object) -> None:
        if not before:
            real(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, step, killed)
        if step == "flush_to_disk" and not is_damaged:
            keep.keep_images(case, _done_again(case, tmp_path / "second"))  # nothing is moved
        else:
            with pytest.raises(Killed):
                keep.keep_images(case, _done_again(case, tmp_path / "second"))

    case = Case.objects.get(pk=case.pk)
    case_volumes(case)
    keep.keep_images(case, _done_again(case, tmp_path / "third"))
    assert case.registrations.get().checkerboard_path.read_bytes() == b"png"
    assert list((case.folder / "registration").iterdir()) == [case.registrations.get().folder]


@pytest.mark.django_db
def test_pictures_drawn_again_keep_their_folder_until_the_record_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = registered_case()
    keep_pictures(case, StoredPictures(_folder(tmp_path / "first", "one"), [], {}, {}))
    (shown,) = (case.folder / "slices").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(Slice.objects, "bulk_create", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            keep_pictures(case, StoredPictures(_folder(tmp_path / "second", "two"), [], {}, {}))
    assert (shown / "a").read_text() == "one"
    keep_pictures(case, StoredPictures(_folder(tmp_path / "third", "three"), [], {}, {}))
    (shown,) = (case.folder / "slices").iterdir()
    assert (shown / "a").read_text() == "three"


def test_many_at_once_leave_the_one_folder_that_is_named(tmp_path: Path) -> None:
    home, record = tmp_path / "case", tmp_path / "record"

    def keep(number: int) -> None:
        whole = _folder(tmp_path / f"new {number}", str(number % 3))
        with one_at_a_time(home):
            place = move_beside(whole, home / "registration" / "same")
            record.write_text(place.name)
            remove_others(place)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(keep, range(24)))
    assert [path.name for path in (home / "registration").iterdir()] == [record.read_text()]
