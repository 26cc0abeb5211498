"""What the review page tells the viewer, and what it costs."""

import json
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.comments.services import pin
from annotation_backend.review.services import next_waiting
from annotation_backend.review.viewing.page import KEYS
from annotation_backend.stages.models import CaseStage, Reading
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, published, registered_case, saved, the_study

pytestmark = pytest.mark.django_db


def _values(client: Client) -> dict[str, Any]:
    page = client.get(page_at("review-case", "C0001")).content.decode()
    return json.loads(unescape(page.partition('data-review="')[2].partition('"')[0]))


def _version(mask: CaseMask, index: int) -> CaseMask:
    saved(LabelingTask.objects.get(case=mask.case, slice_index=index), identifier=20 + index)
    made = assemble(mask.case)
    assert made is not None
    return made


def test_images_windows_and_plane_are_the_cases(mask: CaseMask, radiologist: Client) -> None:
    values = _values(radiologist)
    assert [(image["role"], image["isDrawn"]) for image in values["images"]] == [("t1", False), ("t2", True)]
    assert [window["name"] for window in values["images"][0]["windows"]] == ["standard", "bright", "wide"]
    assert (values["plane"]["axis"], values["plane"]["count"], values["plane"]["shape"]) == (2, 5, [24, 20, 5])
    assert values["labels"][0] == {"value": 1, "name": "Tumour", "colour": mask.case.protocol.labels[0].colour}


def test_the_mask_that_counts_is_shown_and_former_versions_are_offered(mask: CaseMask, radiologist: Client) -> None:
    newest = _version(mask, 3)
    counts, former = _values(radiologist)["overlays"]
    assert (counts["key"], counts["kind"], counts["is_shown"]) == (f"mask-{newest.pk}", "counts", True)
    assert (former["key"], former["kind"], former["is_shown"]) == (f"mask-{mask.pk}", "former", False)
    assert f"former={mask.pk}" in _values(radiologist)["figures"]


def test_readers_masks_are_offered_once_handed_in_and_without_names(
    mask: CaseMask, radiologist: Client, people: dict[Role, User]
) -> None:
    row = CaseStage.objects.create(case=mask.case, stage="annotate", round=9, state="done", closed_at=now())
    reading = Reading.objects.create(row=row, person=people[Role.ANNOTATOR], seat=2)
    _version(mask, 3)
    CaseMask.objects.filter(pk=mask.pk).update(reading=reading)
    assert [one["kind"] for one in _values(radiologist)["overlays"]] == ["counts"]
    Reading.objects.update(handed_in_at=now())
    reader = _values(radiologist)["overlays"][1]
    assert (reader["kind"], reader["title"]) == ("reader", "Reader 2, annotate")


def test_the_page_asks_no_more_with_more_versions_comments_and_slices(
    mask: CaseMask, radiologist: Client, people: dict[Role, User]
) -> None:
    counts = []
    for index in (3, 4):
        _version(mask, index)
        for number in range(4):
            pin(mask.case, people[Role.RADIOLOGIST], voxel=[number, 1, index], text="Look.")
        radiologist.get(page_at("review-case", "C0001"))
        with CaptureQueriesContext(connection) as asked:
            radiologist.get(page_at("review-case", "C0001"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_page_runs_no_script_of_its_own_and_names_every_key(mask: CaseMask, radiologist: Client) -> None:
    answer = radiologist.get(page_at("review-case", "C0001"))
    page = answer.content.decode()
    assert answer["Content-Security-Policy"].count("default-src 'self'") == 1
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "style=" not in page
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')
    assert all(f"<dd>{words}</dd>" in page for _, words in KEYS if "'" not in words)


def test_without_a_script_the_pictures_and_the_form_are_there(mask: CaseMask, radiologist: Client) -> None:
    page = radiologist.get(page_at("review-case", "C0001")).content.decode()
    assert "data-pictures open" in page
    assert page.count("<img loading") == 5 * 3
    assert '<section class="review-stage" data-stage hidden' in page
    assert 'name="verdict" value="approve"' in page


def test_the_next_case_is_the_one_behind_that_is_not_ones_own(people: dict[Role, User], mask: CaseMask) -> None:
    reviewer = people[Role.RADIOLOGIST]
    others = []
    for number, person in ((2, reviewer.label_studio_id), (3, 4), (4, 4)):
        task = published(registered_case(f"C000{number}"), first_task=100 * number + 1)[2]
        saved(task, identifier=number, person=person)
        assert assemble(task.case) is not None
        others.append(task.case)
    own, third, fourth = others
    study = the_study()
    assert next_waiting(study, reviewer, after=mask.case) == third
    assert next_waiting(study, reviewer, after=fourth) == mask.case, "from the end it goes to the first"
    approve(third.masks.get(), reviewer)
    approve(mask, reviewer)
    assert next_waiting(study, reviewer, after=mask.case) == fourth
    assert next_waiting(study, reviewer, after=fourth) is None
    assert own.masks.exists()
