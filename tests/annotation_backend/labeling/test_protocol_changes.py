"""A study's protocol may not lose a label that was drawn or imported, nor give it another value."""

from typing import Any

import pytest

from annotation_backend.cases.models import Case, ImportedMask
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask, ReceivedBy
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import store
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import change_protocol
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.support.records import (
    accounts,
    drawn,
    published,
    registered_case,
    save_body,
    saved,
    second_study,
)

pytestmark = pytest.mark.django_db

RENAMED = ('name = "Oedema"', 'name = "Swelling"')
OTHER_VALUE = ("value = 2", "value = 3")
CHANGES = [RENAMED, OTHER_VALUE]


@pytest.fixture
def task(settings: Any, tmp_path: Any) -> LabelingTask:
    """Of a case of the first study."""
    settings.DATA_FOLDER = tmp_path
    accounts()
    return published(registered_case())[2]


def _later(old: str, new: str) -> str:
    """The first protocol's next version with some words changed."""
    text = shipped_text(FIRST).replace("version = 1", "version = 2", 1)
    assert old in text
    return text.replace(old, new, 1)


def _with_oedema(task: LabelingTask, **changes: Any) -> dict[str, Any]:
    regions = [region_of(drawn(), region_id="o", score=None, label="Oedema")]
    return save_body(task, **{"result": regions, **changes})


def _require_refused(study: Study, change: tuple[str, str], words: str) -> None:
    with pytest.raises(RejectedInput, match="protocol-label-used") as refused:
        change_protocol(study, _later(*change))
    assert words in refused.value.message
    study.refresh_from_db()
    assert study.protocol.version == 1


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_decoded", [True, False])
def test_a_label_that_was_drawn_stays(
    task: LabelingTask, study: Study, change: tuple[str, str], is_decoded: bool
) -> None:
    store(read_save(_with_oedema(task)), received_by=ReceivedBy.PULL)
    saved(task, updated_at="2026-11-21T11:00:00.000001Z", identifier=8)
    if is_decoded:
        assert decode_missing(task.case) == 2
    _require_refused(study, change, "1 save(s)")


def test_a_save_that_nobody_confirmed_and_one_that_was_skipped_count_too(task: LabelingTask, study: Study) -> None:
    store(read_save(_with_oedema(task)), received_by=ReceivedBy.WEBHOOK)
    body = _with_oedema(task, identifier=8, was_cancelled=True, updated_at="2026-11-21T11:00:00.000001Z")
    store(read_save(body), received_by=ReceivedBy.PULL)
    _require_refused(study, RENAMED, "2 save(s)")


@pytest.mark.parametrize("change", CHANGES)
def test_a_label_that_nobody_drew_may_change(task: LabelingTask, study: Study, change: tuple[str, str]) -> None:
    saved(task)
    assert change_protocol(study, _later(*change))


def test_what_was_drawn_in_another_study_does_not_count(task: LabelingTask, study: Study) -> None:
    other = second_study()
    there = published(registered_case("second-C0001", study=other), first_task=201, project=2)[2]
    store(read_save(_with_oedema(there)), received_by=ReceivedBy.PULL)
    assert change_protocol(study, _later(*RENAMED))
    _require_refused(other, RENAMED, "1 save(s)")


@pytest.mark.parametrize(
    ("name", "is_refused"), [("gtv_edema", True), ("Oedema", True), ("gtv_mass", False), ("spleen", False)]
)
def test_a_label_that_was_imported_stays(task: LabelingTask, study: Study, name: str, is_refused: bool) -> None:
    series = Case.objects.get().series.get(role="t2")
    ImportedMask.objects.create(series=series, roi_name=name, file="m.nii.gz", source_sha256="0", sha256="0")
    if is_refused:
        _require_refused(study, RENAMED, "1 imported mask(s)")
    else:
        assert change_protocol(study, _later(*RENAMED))


def test_labels_are_added_beside_those_that_were_drawn(task: LabelingTask, study: Study) -> None:
    store(read_save(_with_oedema(task)), received_by=ReceivedBy.PULL)
    third = '[[labels]]\nvalue = 7\nname = "Cyst"\ncolour = "#123456"\nkey = "8"\n\n[[labels]]\nvalue = 1\n'
    assert change_protocol(study, _later("[[labels]]\nvalue = 1\n", third))
    assert study.protocol.label_names == {7: "Cyst", 1: "Tumour", 2: "Oedema"}


@pytest.mark.parametrize(("name", "is_refused"), [("gtv_boost", True), ("gtv_mass", False)])
def test_words_of_imported_masks_stay_with_their_label(
    task: LabelingTask, study: Study, name: str, is_refused: bool
) -> None:
    """A third label that takes a word would make another region of a mask that came as a tumour."""
    series = Case.objects.get().series.get(role="t2")
    ImportedMask.objects.create(series=series, roi_name=name, file="m.nii.gz", source_sha256="0", sha256="0")
    boost = 'name = "Boost"\ncolour = "#123456"\nimported_names = ["gtv_boost"]'
    change = ("[[labels]]\nvalue = 1\n", f"[[labels]]\nvalue = 7\n{boost}\n\n[[labels]]\nvalue = 1\n")
    if is_refused:
        _require_refused(study, change, "1 imported mask(s)")
    else:
        assert change_protocol(study, _later(*change))
