"""Every label of a protocol, from a save to a verified release and back from Label Studio's export, voxel for voxel."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import CaseMask, LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.stored_masks import make_again
from annotation_backend.publishing.services import publish_release
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import change_protocol, create_study
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.release.build import ReleaseSettings
from datasets.release.verify import verify_release
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.support import records
from tests.annotation_backend.support.records import SHAPE, approve, registered_case, saved, signed_in

pytestmark = pytest.mark.django_db

NECROSIS = """
[[labels]]
value = 7
name = "Necrosis"
colour = "#862e9c"
key = "8"
"""
THREE = shipped_text(FIRST).replace("version = 1", "version = 2") + NECROSIS
OTHER = (
    shipped_text(FIRST)
    .replace('name = "Tumour"', 'name = "Lesion"')
    .replace('value = 2\nname = "Oedema"', 'value = 9\nname = "Cyst wall"')
)
"""Another study's labels: value 1 has another name there, and another label another value."""

SETTINGS = ReleaseSettings(name="labels", version="1.0.0", licence="CC0-1.0")


def _area(rows: slice, columns: slice) -> np.ndarray:
    pixels = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    pixels[rows, columns] = True
    return pixels


OEDEMA, TUMOUR, NECROTIC = (
    _area(slice(2, 16), slice(3, 20)),
    _area(slice(5, 12), slice(6, 15)),
    _area(slice(12, 15), slice(7, 10)),
)
"""Oedema is drawn as a whole with the tumour inside it; necrosis beside the tumour, on oedema."""


def _regions(**labels: np.ndarray) -> list[dict[str, Any]]:
    return [
        region_of(pixels, region_id=f"r{number}", score=None, label=label.replace("_", " "))
        for number, (label, pixels) in enumerate(labels.items())
    ]


def _picture(mask: CaseMask, index: int) -> np.ndarray:
    """The slice's values as (height, width): the phantom's pictures are its voxels with both axes exchanged."""
    return np.asarray(read_mask(mask.path).data[:, :, index].T)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"


@pytest.fixture
def three(study: Study) -> Study:
    """The first study with a third label, which its protocol defines from its second version on."""
    change_protocol(study, THREE)
    return Study.objects.get(pk=study.pk)


def _tasks(case: Case, *, number: int) -> list[LabelingTask]:
    project, _ = LabelingProject.objects.get_or_create(
        study=case.study, label_studio_id=number, defaults={"title": f"Project {number}"}
    )
    return [
        LabelingTask.objects.create(
            project=project, case=case, slice_index=index, label_studio_id=100 * number + index + 1
        )
        for index in range(SHAPE[2])
    ]


def _made(case: Case) -> CaseMask:
    made = assemble(Case.objects.get(pk=case.pk))
    assert made is not None
    return made


def test_three_labels_come_through_and_another_study_beside_them(
    three: Study, people: dict[Role, User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _tasks(registered_case(), number=1)
    saved(first[2], result=_regions(Oedema=OEDEMA, Tumour=TUMOUR, Necrosis=NECROTIC))
    saved(first[3], result=_regions(Tumour=TUMOUR), identifier=8)
    other = create_study("other", OTHER)
    monkeypatch.setattr(records, "the_study", lambda: other)
    records.accounts()
    second = _tasks(registered_case("C0002"), number=2)
    saved(second[2], result=_regions(Cyst_wall=OEDEMA, Lesion=TUMOUR), identifier=9)

    expected = np.zeros(OEDEMA.shape, np.uint8)
    expected[OEDEMA], expected[TUMOUR] = 2, 1
    assert int((NECROTIC & ~TUMOUR).sum()) == 9
    masks = [_made(first[0].case), _made(second[0].case)]
    np.testing.assert_array_equal(_picture(masks[0], 2), expected)  # oedema stands before necrosis in the protocol
    np.testing.assert_array_equal(_picture(masks[0], 3), TUMOUR.astype(np.uint8))
    np.testing.assert_array_equal(_picture(masks[1], 2), np.where(TUMOUR, 1, np.where(OEDEMA, 9, 0)))
    assert masks[0].label_names == {1: "Tumour", 2: "Oedema", 7: "Necrosis"}
    assert masks[1].label_names == {1: "Lesion", 9: "Cyst wall"}

    held = {}
    for mask in masks:
        approve(mask, people[Role.RADIOLOGIST])
        built = publish_release(mask.case.study, SETTINGS)
        assert built.report.findings == ()
        assert verify_release(built.release.path, expected_digest=built.release.digest).is_sound
        manifest = held[mask.case.study.name] = json.loads((built.release.path / "manifest.json").read_bytes())
        released = read_mask(built.release.path / manifest["cases"][0]["mask"])
        np.testing.assert_array_equal(released.data, read_mask(mask.path).data)
    assert [label["name"] for label in held["other"]["labels"]] == ["Lesion", "Cyst wall"]
    assert [label["value"] for label in held[FIRST]["labels"]] == [1, 2, 7]
    [entry] = held[FIRST]["cases"]
    voxels = {"Tumour": 2 * 63, "Oedema": 14 * 17 - 63, "Necrosis": 0}
    assert entry["label_volumes_ml"] == {name: round(count * 4 / 1000, 3) for name, count in voxels.items()}
    assert held[FIRST]["protocol"] == {"name": FIRST, "version": 2, "digest": three.protocol.digest}

    for study, tasks, protocol in (("first", first, THREE), ("other", second, OTHER)):
        out = _converted(tmp_path / study, tasks, protocol)
        mask = masks[study == "other"]
        np.testing.assert_array_equal(read_mask(out / f"{mask.case.code}.nii.gz").data, read_mask(mask.path).data)
        said = json.loads((out / f"{mask.case.code}.json").read_bytes())["labels"]
        assert said == {str(value): name for value, name in mask.label_names.items()}


def _converted(folder: Path, tasks: list[LabelingTask], protocol: str) -> Path:
    """The tasks as Label Studio exports them, converted by the study's protocol."""
    folder.mkdir()
    document = folder / "protocol.toml"
    document.write_text(protocol, encoding="utf-8")
    rows = [
        {
            "id": task.label_studio_id,
            "data": {"case": task.case.code, "slice": task.slice_index},
            "annotations": [save.raw for save in task.annotations.all()],
        }
        for task in tasks
    ]
    export, out = folder / "export.json", folder / "out"
    export.write_text(json.dumps(rows), encoding="utf-8")
    options = ["--slices", str(tasks[0].case.folder), "--protocol", str(document)]
    with pytest.raises(SystemExit):  # it says that labels overlap
        call_command("convert_export", "to-nifti", str(export), str(out), *options)
    return out


def test_where_labels_meet_the_protocol_s_first_counts_and_the_size_is_said(
    three: Study, people: dict[Role, User]
) -> None:
    task = _tasks(registered_case(), number=1)[2]
    saved(task, result=_regions(Oedema=OEDEMA, Tumour=TUMOUR, Necrosis=NECROTIC))
    mask = _made(task.case)
    said = {finding["message"] for finding in mask.findings}
    assert said == {
        "63 voxels are drawn both as Tumour and as Oedema; they count as Tumour.",
        "9 voxels are drawn both as Oedema and as Necrosis; they count as Oedema.",
    }
    assert {(finding["level"], finding["code"], finding["subject"]) for finding in mask.findings} == {
        ("info", "label-overlap", "C0001")
    }
    assert approve(mask, people[Role.RADIOLOGIST]).mask == mask, "an overlap is said, and keeps nobody from approving"


def test_a_label_that_the_protocol_does_not_have_is_named_until_it_has_it(
    study: Study, people: dict[Role, User]
) -> None:
    task = _tasks(registered_case(), number=1)[2]
    saved(task, result=_regions(Tumour=TUMOUR, Necrosis=NECROTIC))
    mask = _made(task.case)
    [finding] = mask.findings
    assert (finding["code"], finding["subject"]) == ("label-unknown", "C0001 slice 2")
    assert "9 pixels are drawn as 'Necrosis'" in finding["message"]
    assert read_mask(mask.path).data.max() == 1
    with pytest.raises(RejectedInput, match="mask-has-findings"):
        approve(mask, people[Role.RADIOLOGIST])
    change_protocol(study, THREE)
    later = _made(task.case)
    assert later.pk != mask.pk
    assert later.findings == []
    assert np.array_equal(_picture(later, 2) == 7, NECROTIC)
    assert _made(task.case) == later


def test_a_mask_of_the_tumour_alone_stays_as_it_is_when_labels_come_in(study: Study, people: dict[Role, User]) -> None:
    """As masks of an installation from before protocols: they hold value 1 alone, and so does what is drawn."""
    task = _tasks(registered_case(), number=1)[2]
    saved(task, result=_regions(Tumour=TUMOUR))
    mask = _made(task.case)
    review = approve(mask, people[Role.RADIOLOGIST])
    CaseMask.objects.update(labels=[[1, "Tumour"]])
    same = _made(task.case)
    assert (same.pk, same.sha256) == (mask.pk, mask.sha256)
    assert same.label_names == {1: "Tumour", 2: "Oedema"}
    review.refresh_from_db()
    assert review.ending is None


def test_a_mask_of_before_that_left_oedema_out_is_made_anew_and_the_former_one_can_be_mended(
    study: Study, people: dict[Role, User]
) -> None:
    task = _tasks(registered_case(), number=1)[2]
    saved(task, result=_regions(Tumour=TUMOUR, Oedema=OEDEMA))
    alone = shipped_text(FIRST)
    alone = alone[: alone.index("[[labels]]\nvalue = 2")] + alone[alone.index("[[stages]]") :]
    Study.objects.update(document=alone)
    before = _made(task.case)
    assert before.label_names == {1: "Tumour"}
    Study.objects.update(document=shipped_text(FIRST))
    CaseMask.objects.update(findings=[])  # earlier versions dropped oedema without a word
    now = _made(task.case)
    assert now.pk != before.pk
    assert np.array_equal(_picture(now, 2) == 2, OEDEMA & ~TUMOUR)
    before.refresh_from_db()
    content = before.path.read_bytes()
    before.path.unlink()
    assert make_again(before)
    assert before.path.read_bytes() == content


def test_pages_show_every_label(three: Study, people: dict[Role, User]) -> None:
    task = _tasks(registered_case(), number=1)[2]
    saved(task, result=_regions(Tumour=TUMOUR, Oedema=OEDEMA))
    saved(task, result=_regions(Tumour=TUMOUR, Necrosis=NECROTIC), updated_at="2026-11-22T10:00:00.000001Z")
    mask = _made(task.case)
    browser: Client = signed_in(people[Role.RADIOLOGIST])
    page = browser.get(reverse("review-case", args=[FIRST, "C0001"])).content.decode()
    for words in ('fill="#862e9c"/></svg> Necrosis, 0.0 ml', "Oedema, 0.0 ml", "Tumour, 0.3 ml"):
        assert words in page
    compared = browser.get(reverse("compare-versions", args=[FIRST, "C0001", 2, 1, 2])).content.decode()
    pictures = {}
    for label in ("Tumour", "Oedema", "Necrosis"):
        address = reverse("comparison-picture", args=[FIRST, "C0001", 2, 1, 2]) + f"?label={label}"
        assert address in compared
        pictures[label] = browser.get(address).content
    assert len(set(pictures.values())) == 3
    assert browser.get(reverse("slice-with-mask", args=[FIRST, mask.pk, "t2", 2])).status_code == 200
    assert LabelingTask.objects.get(pk=task.pk).state == TaskState.ANNOTATED
