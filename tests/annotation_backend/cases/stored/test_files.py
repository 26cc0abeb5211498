"""Damaged stored files: refused by name when asked for, told once, and found by `check_data`, which goes on."""

import gzip
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from annotation_backend import stored_data
from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case, Damage
from annotation_backend.cases.report import write_report
from annotation_backend.labeling.models import CaseMask, VersionMasks
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.publishing.models import Release
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Mask
from datasets.release.build import build_release
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, the_study
from tests.datasets.release.samples import SETTINGS, write_cases

pytestmark = pytest.mark.django_db

Damages = Callable[[Path], None]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


DAMAGES: dict[str, Damages] = {
    "flipped": _flip,
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:40]) and None,
    "a folder": lambda path: path.unlink() or path.mkdir(),
    "a pipe": lambda path: path.unlink() or os.mkfifo(path),
    "a link to a device": lambda path: path.unlink() or path.symlink_to("/dev/zero"),
    "a link in a circle": lambda path: path.unlink() or path.symlink_to(path.name),
    "a link to another file": lambda path: path.unlink() or path.symlink_to(__file__),
}


@pytest.fixture
def case() -> Iterator[Case]:
    accounts()
    made = registered_case()
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def mask(case: Case) -> CaseMask:
    task = published(case)[2]
    saved(task)
    made = assemble(case)
    assert made is not None
    return made


@pytest.fixture
def radiologist(case: Case) -> Client:
    client = Client()
    client.force_login(_person(Role.RADIOLOGIST))
    return client


def _person(role: Role):  # type: ignore[no-untyped-def]
    return accounts()[role]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("window", ["standard", "bright", "wide"])
def test_a_damaged_picture_is_served_by_no_address(
    radiologist: Client, case: Case, damage: str, window: str, caplog: pytest.LogCaptureFixture
) -> None:
    picture = case.slices.get(role="t2", index=2)
    path = picture.path_in(window)
    assert path is not None
    DAMAGES[damage](path)
    addresses = [f"/pictures/{picture.token}.png?window={window}"]
    if window == "standard":
        addresses += [page_at("slice-picture", "C0001", "t2", 2)]
    with caplog.at_level(logging.ERROR):
        for address in [*addresses, *addresses]:
            answer = radiologist.get(address)
            assert answer.status_code == 409
            assert b"The picture of slice 2 of C0001" in answer.content
            assert b"export_slices --again --case C0001" in answer.content
    assert sum("stored-file" in record.message for record in caplog.records) == 1
    shown = radiologist.get(page_at("case-page", "C0001")).content.decode()
    assert "Damaged files" in shown
    assert "stored-file" in radiologist.get(page_at("cohort-report")).content.decode()


def test_the_remedy_of_a_damaged_picture_draws_it_anew(radiologist: Client, case: Case) -> None:
    picture = case.slices.get(role="t2", index=2)
    before = picture.path.read_bytes()
    _flip(picture.path)
    assert radiologist.get(picture.url).status_code == 409
    call_command("export_slices", "--again", "--case", "C0001")
    picture.refresh_from_db()
    assert radiologist.get(picture.url).content == before
    assert Damage.objects.count() == 0
    assert "Damaged" not in radiologist.get(page_at("case-page", "C0001")).content.decode()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mask_is_not_shown_to_the_reviewer(radiologist: Client, mask: CaseMask, damage: str) -> None:
    address = page_at("slice-with-mask", mask.pk, "t2", 2)
    assert radiologist.get(address).status_code == 200
    DAMAGES[damage](mask.path)
    answer = radiologist.get(address)
    assert answer.status_code == 409
    assert f"Mask {mask.pk} of C0001".encode() in answer.content
    assert f"Mask {mask.pk} of C0001" in radiologist.get(page_at("review-case", "C0001")).content.decode()


def test_another_readable_mask_in_its_place_is_refused(radiologist: Client, mask: CaseMask) -> None:
    address = page_at("slice-with-mask", mask.pk, "t2", 2)
    first = radiologist.get(address).content
    kept, right = mask.path.read_bytes(), read_mask(mask.path)
    write_mask(mask.path, Mask(np.asarray(right.data)[::-1].copy(), right.grid))
    assert radiologist.get(address).status_code == 409
    mask.path.write_bytes(kept)
    assert radiologist.get(address).content == first
    assert "Damaged" not in radiologist.get(page_at("case-page", "C0001")).content.decode()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_registered_volume_is_shown_by_no_page(radiologist: Client, case: Case, damage: str) -> None:
    slices = [page_at("registration-slice", "C0001", "t1", kind, 2) for kind in ("moving", "fixed", "edges")]
    assert {radiologist.get(address).status_code for address in slices} == {200}
    DAMAGES[damage](case.folder / "t1.nii.gz")
    assert {radiologist.get(address).status_code for address in slices} == {409}
    page = radiologist.get(page_at("registration-page", "C0001")).content.decode()
    assert "The registered T1 of C0001" in page
    assert "<figure>" not in page


def test_a_page_for_people_says_it_in_words(radiologist: Client, case: Case) -> None:
    case.slices.get(role="t2", index=2).path.unlink()
    answer = radiologist.get(page_at("slice-picture", "C0001", "t2", 2), headers={"accept": "image/png"})
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Cache-Control"] == "private, no-store"
    assert str(settings.DATA_FOLDER) not in answer.content.decode()


def _release(folder: Path) -> Release:
    built = build_release(write_cases(folder), SETTINGS, Path(settings.DATA_FOLDER) / "releases" / folder.name)
    relative = str(built.folder.relative_to(settings.DATA_FOLDER))
    return Release.objects.create(
        name=SETTINGS.name, version=SETTINGS.version, digest=built.digest, folder=relative, study=the_study()
    )


def test_check_data_names_everything_that_is_damaged_and_is_content_with_the_rest(
    mask: CaseMask, case: Case, tmp_path: Path
) -> None:
    release = _release(tmp_path)
    sound = stored_data.check_data()
    assert sound.findings == []
    assert sound.checked > 30
    pictures = case.slices.get(role="t1", index=1)
    damaged = [
        case.folder / "t1.nii.gz",
        pictures.path,
        pictures.path_in("wide"),
        mask.path,
        next(release.path.rglob("*_mask.nii.gz")),
    ]
    for path in damaged:
        assert path is not None
        _flip(path)
    VersionMasks.objects.update(areas={"Tumour": 1})
    found = stored_data.check_data().findings
    names = {path.relative_to(settings.DATA_FOLDER).as_posix() for path in damaged if path}
    assert {finding.subject for finding in found} == names | {"C0001 slice 2 version 1"}
    assert all(finding.remedy for finding in found)
    assert set(Damage.objects.values_list("file", flat=True)) == {name for name in names if name.startswith("cases/")}


def test_check_data_takes_back_what_was_mended(case: Case) -> None:
    path = case.slices.get(role="t1", index=1).path
    kept = path.read_bytes()
    path.write_bytes(b"")
    assert len(stored_data.check_data().findings) == 1
    path.write_bytes(kept)
    assert stored_data.check_data().findings == []
    assert Damage.objects.count() == 0


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "a folder"])
def test_the_remedy_of_a_damaged_mask_makes_it_again_byte_for_byte(
    mask: CaseMask, radiologist: Client, damage: str
) -> None:
    kept = mask.path.read_bytes()
    DAMAGES[damage](mask.path)
    refused = radiologist.get(page_at("slice-with-mask", mask.pk, "t2", 2))
    assert b"check_data --mend" in refused.content
    assert len(stored_data.check_data().findings) == 1
    report = stored_data.check_data(mend=True)
    assert (report.findings, report.mended) == ([], [mask.path.relative_to(settings.DATA_FOLDER).as_posix()])
    assert mask.path.read_bytes() == kept
    assert radiologist.get(page_at("slice-with-mask", mask.pk, "t2", 2)).status_code == 200


def test_a_mask_that_would_come_out_otherwise_is_not_made_again(mask: CaseMask) -> None:
    mask.annotations.clear()
    mask.path.unlink()
    report = stored_data.check_data(mend=True)
    assert [finding.code for finding in report.findings] == ["stored-file-missing"]
    assert not mask.path.exists()


def test_check_data_goes_on_where_it_was_stopped(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = stored_data.check_data().checked
    looked: list[str] = []
    compare = stored_data.compare

    def stopped(stored):  # type: ignore[no-untyped-def]
        looked.append(stored.name)
        if len(looked) == 10:
            raise KeyboardInterrupt
        return compare(stored)

    monkeypatch.setattr(stored_data, "compare", stopped)
    with pytest.raises(KeyboardInterrupt):
        stored_data.check_data()
    place = Path(settings.DATA_FOLDER) / "checks" / "check_data.progress"
    place.write_text(place.read_text() + '["half')
    touched = Path(settings.DATA_FOLDER) / looked[7]
    _flip(touched)
    report = stored_data.check_data()
    assert (report.known, report.checked) == (8, everything - 8)
    assert [finding.subject for finding in report.findings] == [looked[7]]
    assert not place.exists()


def test_check_data_tells_machines_and_leaves_with_the_status_of_findings(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check_data", "--json")
    assert json.loads(capsys.readouterr().out)["damaged"] == []
    (case.folder / "t2.nii.gz").write_bytes(gzip.compress(b"another"))
    with pytest.raises(SystemExit) as left:
        call_command("check_data", "--json")
    assert left.value.code == 1
    found = json.loads(capsys.readouterr().out)["damaged"]
    assert {(row["code"], row["subject"]) for row in found} == {("stored-file-changed", "cases/C0001/t2.nii.gz")}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["case-checkerboard", "case-thumbnail"])
def test_a_picture_without_a_digest_is_looked_at_by_its_own_checksums(
    radiologist: Client, case: Case, name: str, damage: str
) -> None:
    path = case.registrations.get().checkerboard_path
    small = path.with_name("thumbnail.png")
    shutil.copyfile(path, small)
    words = [case.code, "registration"] if name == "case-thumbnail" else [case.code]
    address, meant = page_at(name, *words), small if name == "case-thumbnail" else path
    assert radiologist.get(address).status_code == 200
    DAMAGES[damage](meant)
    assert radiologist.get(address).status_code in ((404, 409) if name == "case-thumbnail" else (409,))
    assert radiologist.get(page_at("cohort-report")).status_code == 200
    write_report(case.study, case.folder)
    found = {finding.subject for finding in stored_data.check_data().findings}
    gone = name == "case-thumbnail" and damage == "gone"
    assert found == (set() if gone else {meant.relative_to(settings.DATA_FOLDER).as_posix()})


@pytest.mark.parametrize("line", ["5", "[1]", "[", "null", "\udcff", '["a", "b", "c"]', "[" * 100_000])
def test_a_damaged_note_of_a_stopped_check_says_nothing(case: Case, line: str) -> None:
    note = Path(settings.DATA_FOLDER) / "checks" / "check_data.progress"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{line}\n", encoding="utf-8", errors="surrogateescape")
    report = stored_data.check_data()
    assert report.known == 0
    assert report.findings == []
    assert not note.exists()


def test_what_does_not_open_is_named_and_the_rest_is_looked_at(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be allowed everything, so the system's refusal is acted."""
    _flip(case.registrations.get().checkerboard_path)
    closed = case.folder / "series" / "t1.png"
    real = Path.lstat, Path.stat

    def refuses(path: Path, which: Callable[..., os.stat_result], **options: bool) -> os.stat_result:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return which(path, **options)

    monkeypatch.setattr(Path, "lstat", lambda path: refuses(path, real[0]))
    monkeypatch.setattr(Path, "stat", lambda path, **options: refuses(path, real[1], **options))
    found = {finding.subject: finding.code for finding in stored_data.check_data().findings}
    name = closed.relative_to(settings.DATA_FOLDER).as_posix()
    assert found[name] == "stored-file-unreadable"
    assert len(found) == 2


def test_a_release_whose_folder_does_not_open_is_a_finding(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    Release.objects.create(name="thigh", version="1.0.0", folder="thigh-1.0.0", digest="0" * 64, study=the_study())

    def refuses(*_words: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(stored_data, "checked", refuses)
    report = stored_data.check_data()
    assert [(finding.code, finding.subject) for finding in report.findings] == [
        ("stored-file-unreadable", "thigh-1.0.0")
    ]
    assert report.checked > 10
