"""Cases of one image, of three, and of PET and CT: registered, judged, left out, pictured and offered to annotators."""

from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases import jobs
from annotation_backend.cases.models import Case, RedoState, RegistrationRedo, VerdictOfRegistration
from annotation_backend.cases.registration.export import export_case, is_exported
from annotation_backend.cases.registration.register import doubts_about, register_cases, require_sound
from annotation_backend.cases.registration.verdicts import decide_registration
from annotation_backend.cases.registration.volumes import case_volumes, mask_on_case
from annotation_backend.cases.stored.digests import compare
from annotation_backend.cases.stored.files import files_of
from annotation_backend.labeling.studio.task_data import pictures_by_index, task_data
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.people import give_role
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_grid, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from tests.annotation_backend.cases.registration.limbs import CT_GRID, PET_GRID, case_of, ct, pet, study_of
from tests.curation.registration.test_register import T1_GRID, T2_GRID, elsewhere, painted, turned

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MOTION = turned((1.0, 0.0, 4.0), (3.0, -2.0, 2.0))


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()


def _fresh(case: Case) -> Case:
    return Case.objects.with_images().get(pk=case.pk)


def _lipoma(**others: Volume) -> Case:
    """A fat tumour on T1, with what else there is, registered."""
    case = case_of(study_of("lipoma"), {"t1": painted(T1_GRID, "t1"), **others})
    register_cases([case], workers=1)
    return _fresh(case)


def _moved_t2() -> Volume:
    return painted(T2_GRID, "t2", motion=MOTION)


def _signed_in(client: Client, case: Case, person: User) -> None:
    """A radiologist of the case's study."""
    give_role(case.study, person, Role.RADIOLOGIST)
    client.force_login(person)


def test_an_image_alone_is_ready_by_itself_and_can_be_drawn_on() -> None:
    case = _lipoma()
    assert case.is_registered
    assert not case.registrations.exists()
    assert case.roles == ("t1",)
    require_sound(case)
    assert Case.objects.sound().filter(pk=case.pk).exists()
    np.testing.assert_array_equal(case_volumes(case)["t1"].data, read_volume(case.series.get().path).data)
    assert export_case(case) == T1_GRID.shape[2]
    assert is_exported(_fresh(case))
    pictures = pictures_by_index(_fresh(case))[7]
    data = task_data(case, 7, pictures)
    others = [f"{pictures['t1'].url}?window={name}" for name in ("bright", "wide")]
    assert data["companions"] == others, "the drawn image in its other windows: an empty list breaks the editor"
    assert data["companion"] == others[0]
    assert data["companion_sequence"] == "T1 in other windows"
    assert data["annotated_sequence"] == "Draw here: T1"
    assert all(compare(stored) is None for stored in files_of(case))
    assert register_cases([case], workers=1).done == []


def test_three_images_lie_on_the_drawn_ones_own_grid_and_each_has_a_registration() -> None:
    case = _lipoma(t2=_moved_t2(), t1_contrast=elsewhere(painted(T1_GRID, "t1"), MOTION))
    assert case.roles == ("t1", "t1_contrast", "t2")
    drawn, series = case_volumes(case)["t1"], {row.role: row for row in case.series.all()}
    np.testing.assert_array_equal(drawn.data, read_volume(series["t1"].path).data)
    assert all(read_grid(image.path).matches(read_grid(series["t1"].path)) for image in case.images.all())
    registrations = {row.role: row for row in case.registrations.all()}
    assert set(registrations) == {"t2", "t1_contrast"}
    assert {row.fixed_role for row in registrations.values()} == {"t1"}
    for row in registrations.values():
        assert row.record["transform_maps"].startswith("RAS+ mm of the case (T1) to")
        assert set(row.record["outputs"]) == {row.role, "t1"}
        found = np.array(row.record["transform"])
        assert np.abs(found[:3, 3] - MOTION[:3, 3]).max() < 1.5
    assert export_case(case) == 3 * T1_GRID.shape[2]
    pictures = pictures_by_index(_fresh(case))[7]
    data = task_data(case, 7, pictures)
    assert data["companions"][:2] == [pictures["t1_contrast"].url, pictures["t2"].url]
    assert len(data["companions"]) == 2 + 3 * 2
    assert data["companion_sequence"] == "T1 with contrast (registered) · T2 (registered)"
    assert all(compare(stored) is None for stored in files_of(case))


def test_a_mask_of_a_moved_image_comes_onto_the_grid_of_the_drawn_one() -> None:
    case = _lipoma(t2=_moved_t2())
    export_case(case)
    inside = np.zeros(T2_GRID.shape, np.uint8)
    inside[28:36, 28:36, 8:11] = 1
    carried = mask_on_case(_fresh(case), Mask(inside, T2_GRID), "t2")
    centre = carried.grid.to_world(np.argwhere(carried.data)).mean(axis=0)
    there = np.append(T2_GRID.to_world(np.argwhere(inside)).mean(axis=0), 1.0)
    assert np.linalg.norm(centre - (np.linalg.inv(MOTION) @ there)[:3]) < 2.5


def test_an_optional_image_that_cannot_be_registered_is_a_finding_and_a_required_one_a_refusal() -> None:
    away = elsewhere(_moved_t2(), turned((0, 0, 0), (0, 0, 600.0)))
    case = case_of(study_of("lipoma"), {"t1": painted(T1_GRID, "t1"), "t2": away})
    report = register_cases([case], workers=1)
    assert report.done == [case]
    [finding] = report.findings
    assert finding.code == "no-overlap"
    assert "made without T2" in finding.message
    assert f"register_cases --redo t2 --case {case.code}" in finding.remedy
    assert _fresh(case).roles == ("t1",)
    other = case_of(study_of("mstt-199"), {"t1": painted(T1_GRID, "t1"), "t2": away}, number=7)
    report = register_cases([other], workers=1)
    assert (report.done, [finding.code for finding in report.findings]) == ([], ["no-overlap"])
    assert not _fresh(other).is_registered


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (Volume(np.ascontiguousarray(_moved_t2().data[:, :, :3]), Grid((64, 64, 3), T2_GRID.affine)), "image-too-thin"),
        (Volume(np.full(T2_GRID.shape, 5.0, np.float32), T2_GRID), "image-constant"),
    ],
)
def test_bad_images_are_named_by_their_title(spoilt: Volume, code: str) -> None:
    case = case_of(study_of("lipoma"), {"t1": painted(T1_GRID, "t1"), "t2_fs": spoilt})
    [finding] = register_cases([case], workers=1).findings
    assert finding.code == code
    assert "fat-suppressed T2" in finding.message
    assert finding.remedy


def test_a_case_without_the_image_that_is_drawn_on_is_named() -> None:
    case = case_of(study_of("lipoma"), {"t2": _moved_t2()})
    [finding] = register_cases([case], workers=1).findings
    assert (finding.code, finding.subject) == ("case-no-image", case.code)
    assert "T1" in finding.message


def test_a_doubtful_optional_image_holds_the_case_until_a_person_leaves_it_out(
    client: Client, people: dict[Role, User]
) -> None:
    case = _lipoma(t2=_moved_t2(), t1_contrast=painted(T1_GRID, "t1"))
    case.registrations.filter(role="t2").update(verdict="reject")
    case = _fresh(case)
    [doubt] = doubts_about(case)
    assert "leave the image out" in doubt.remedy
    assert not Case.objects.sound().filter(pk=case.pk).exists()
    with pytest.raises(RejectedInput):
        export_case(case)
    before = case.images_sha256
    _signed_in(client, case, people[Role.RADIOLOGIST])
    address = page_of(case.study, "registration-of-image", case.code, "t2")
    page = client.get(address).content.decode()
    assert "Leave the image out" in page
    record = case.registrations.get(role="t2").record_sha256
    form = {"action": "judge", "record_sha256": record, "verdict": "left_out", "comment": "Another leg."}
    assert client.post(address, form).status_code == 302
    case = _fresh(case)
    assert case.roles == ("t1", "t1_contrast")
    assert case.images_sha256 != before
    assert case.registration_verdicts.get().role == "t2"
    assert Case.objects.sound().filter(pk=case.pk).exists()
    assert export_case(case) == 2 * T1_GRID.shape[2]
    back = {**form, "verdict": "accept", "comment": ""}
    assert client.post(address, back).status_code == 302
    assert _fresh(case).images_sha256 == before
    assert not is_exported(_fresh(case)), "the pictures show two images of three"


def test_a_required_image_is_not_left_out(people: dict[Role, User]) -> None:
    case = case_of(study_of("mstt-199"), {"t1": painted(T1_GRID, "t1"), "t2": painted(T2_GRID, "t2")}, number=8)
    register_cases([case], workers=1)
    with pytest.raises(RejectedInput) as caught:
        decide_registration(
            case,
            people[Role.RADIOLOGIST],
            verdict=VerdictOfRegistration.LEFT_OUT,
            record_sha256=case.registrations.get().record_sha256,
            comment="Wrong leg.",
        )
    assert caught.value.code == "image-required"


def test_one_image_is_registered_again_and_the_others_stay(people: dict[Role, User]) -> None:
    case = _lipoma(t2=_moved_t2(), t1_contrast=painted(T1_GRID, "t1"))
    before = {row.role: (row.record_sha256, row.folder) for row in case.registrations.all()}
    redo = RegistrationRedo.objects.create(
        case=case, role="t2", preset="fast", motion="rigid", person=people[Role.DATA_MANAGER]
    )
    assert jobs.register_again.func(redo_id=redo.pk)
    redo.refresh_from_db()
    assert redo.state == RedoState.DONE
    after = {row.role: (row.record_sha256, row.folder) for row in _fresh(case).registrations.all()}
    assert after["t1_contrast"] == before["t1_contrast"]
    assert after["t2"] != before["t2"]
    assert {folder for _, folder in after.values()} == set((case.folder / "registration").iterdir())
    assert case_volumes(_fresh(case)).roles == ("t1", "t1_contrast", "t2")
    call_command("register_cases", "--redo", "t1_contrast", "--case", case.code, "--motion", "rigid", "--workers", "1")
    again = {row.role: row.record_sha256 for row in _fresh(case).registrations.all()}
    assert again["t2"] == after["t2"][0]
    assert again["t1_contrast"] != after["t1_contrast"][0]


def test_the_drawn_image_is_never_moved_and_an_unknown_one_is_named() -> None:
    case = _lipoma(t2=_moved_t2())
    for role, code in (("t1", "image-not-moved"), ("pet", "case-no-image")):
        report = register_cases([case], again=True, role=role, workers=1)
        assert (report.done, [finding.code for finding in report.findings]) == ([], [code])


def test_each_image_has_a_page_of_its_own(client: Client, people: dict[Role, User]) -> None:
    case = _lipoma(t2=_moved_t2(), t1_contrast=painted(T1_GRID, "t1"))
    _signed_in(client, case, people[Role.RADIOLOGIST])
    overview = client.get(page_of(case.study, "registration-page", case.code)).content.decode()
    for role in ("t2", "t1_contrast"):
        address = page_of(case.study, "registration-of-image", case.code, role)
        assert address in overview
        assert "edges on T1" in client.get(address).content.decode()
        picture = client.get(page_of(case.study, "registration-slice", case.code, role, "edges", 5))
        assert picture.content.startswith(b"\x89PNG")
    assert client.get(page_of(case.study, "registration-of-image", case.code, "t1")).status_code == 404
    case.registrations.update(verdict="look")
    queue = client.get(page_of(case.study, "registration-queue")).content.decode()
    assert queue.count(case.code) >= 2
    assert "T1 with contrast" in queue
    alone = case_of(study_of("lipoma"), {"t1": painted(T1_GRID, "t1")}, number=2)
    register_cases([alone], workers=1)
    assert "nothing to register" in client.get(page_of(alone.study, "registration-page", alone.code)).content.decode()
    assert "lies on its own grid" in client.get(page_of(alone.study, "case-page", alone.code)).content.decode()
    assert client.get(page_of(case.study, "case-list")).status_code == 200


def _pet_ct(frames: tuple[str, str] = ("", ""), *, moved: Volume | None = None) -> Case:
    volumes = {"ct": ct(), "pet": moved or pet()}
    return case_of(study_of("pet-ct"), volumes, frames=dict(zip(volumes, frames, strict=True)))


@pytest.mark.parametrize("frames", [("", ""), ("a", "a"), ("a", "")])
def test_a_pet_is_placed_by_its_headers_and_only_checked(frames: tuple[str, str]) -> None:
    case = _pet_ct(frames)
    assert register_cases([case], workers=1).findings == []
    row = _fresh(case).registrations.get()
    assert (row.role, row.fixed_role, row.record["kept"], row.verdict) == ("pet", "ct", "header", "accept")
    np.testing.assert_array_equal(row.record["transform"], np.eye(4))
    codes = [check["code"] for check in row.checks]
    assert codes == ["body-overlap", "field-of-view", "edges-elsewhere", "frame-of-reference"]
    volumes = case_volumes(_fresh(case))
    np.testing.assert_array_equal(volumes["ct"].data, read_volume(case.series.get(role="ct").path).data)
    hot = CT_GRID.to_world(np.argwhere(volumes["pet"].data > 4.0)).mean(axis=0)
    np.testing.assert_allclose(hot, (-20.0, 10.0, 0.0), atol=2.0)
    export_case(_fresh(case))
    picture = _fresh(case).slices.get(role="ct", index=10)
    assert list(picture.urls_in_windows()) == ["standard", "bone", "lung"]
    grey = _picture(picture.path)
    assert grey[0, 0] == 0, "air at -1000 HU is black in the window of soft tissue, -160 to 240"
    assert abs(int(grey[32, 20]) - round(255 * 200 / 400)) < 40, "40 HU is in its middle"


def _picture(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path))


def test_other_frames_of_reference_ask_for_a_look_and_say_why() -> None:
    case = _pet_ct(("a", "b"))
    [finding] = register_cases([case], workers=1).findings
    assert finding.code == "registration-doubtful"
    row = _fresh(case).registrations.get()
    assert row.verdict == "look"
    [doubt] = [check for check in row.checks if check["verdict"] != "accept"]
    assert "frames of reference" in doubt["message"]


def test_a_pet_of_another_place_is_refused() -> None:
    away = Volume(pet().data, Grid(PET_GRID.shape, turned((0, 0, 0), (0, 0, 900.0)) @ PET_GRID.affine))
    [finding] = register_cases([_pet_ct(moved=away)], workers=1).findings
    assert finding.code == "no-overlap"
    assert "PET" in finding.message


def test_a_ct_that_does_not_reach_is_air_there_and_a_pet_nothing() -> None:
    short = Grid((64, 64, 10), CT_GRID.affine)
    case = case_of(study_of("pet-ct"), {"ct": ct(), "pet": pet(Grid((40, 40, 12), PET_GRID.affine))})
    register_cases([case], workers=1)
    assert (case_volumes(_fresh(case))["pet"].data[:, :, -1] == 0).all()
    from curation.registration.register import register
    from curation.registration.source_image import SourceImage
    from datasets.study.protocol import PlacedBy

    moving = SourceImage(ct(short), role="ct", title="CT", modality="CT")
    found = register(moving, SourceImage(ct(), modality="CT"), placed_by=PlacedBy.HEADERS)
    assert (found.moved.data[:, :, -1] == -1024).all()
