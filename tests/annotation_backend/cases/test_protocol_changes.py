"""A study's protocol may not lose what its cases have, nor give it another meaning."""

from typing import Any

import pytest

from annotation_backend.cases.exclusion import exclude
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import change_protocol
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, second_study

pytestmark = pytest.mark.django_db

T1_FIRST = '[[images]]\nname = "t1"'
NEW_IMAGE = '[[images]]\nname = "ct"\ntitle = "CT"\nmodality = "CT"\nrequired = {needed}\n\n[[labels]]\nvalue = 1\n'


@pytest.fixture(autouse=True)
def _place(settings: Any, tmp_path: Any) -> None:
    settings.DATA_FOLDER = tmp_path


def _later(*changes: tuple[str, str]) -> str:
    """The first protocol's next version with some words changed."""
    text = shipped_text(FIRST).replace("version = 1", "version = 2", 1)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


REFUSED = [
    ("protocol-image-used", ((T1_FIRST, '[[images]]\nname = "t1w"'), ('fat = "t1"', 'fat = "t1w"'), ('["t1w"]', "[]"))),
    ("protocol-image-changed", (('weighting = "T1"', 'weighting = "T2"'),)),
    (
        "protocol-image-changed",
        (('modality = "MR"\nweighting = "T1"\nfat_suppression = "refuse"\n', 'modality = "CT"\n'),),
    ),
    ("protocol-image-changed", (('fat_suppression = "refuse"', 'fat_suppression = "require"'),)),
    ("protocol-image-lacking", (("[[labels]]\nvalue = 1\n", NEW_IMAGE.format(needed="true")),)),
    ("protocol-tissue-type-used", (('"nerve", ', ""),)),
]


@pytest.mark.parametrize(("code", "changes"), REFUSED)
def test_what_cases_have_stays(code: str, changes: tuple[tuple[str, str], ...], study: Study) -> None:
    registered_case()
    exclude(registered_case("C0002"), reason="Blurred.")
    with pytest.raises(RejectedInput, match=code) as refused:
        change_protocol(study, _later(*changes))
    assert "2 case(s)" in refused.value.message, "an excluded one counts, since it can be taken back"
    assert refused.value.remedy
    study.refresh_from_db()
    assert study.protocol.version == 1


@pytest.mark.parametrize(("code", "changes"), REFUSED)
def test_without_cases_all_of_it_may_change_and_cases_of_another_study_do_not_count(
    code: str, changes: tuple[tuple[str, str], ...], study: Study
) -> None:
    other = second_study()
    registered_case("second-C0001", study=other)
    assert change_protocol(study, _later(*changes))
    with pytest.raises(RejectedInput, match=code):
        change_protocol(other, _later(*changes))


@pytest.mark.parametrize(
    "changes",
    [
        (("[[labels]]\nvalue = 1\n", NEW_IMAGE.format(needed="false")),),
        (('fat_suppression = "refuse"', 'fat_suppression = "avoid"'),),
        (('title = "T1"', 'title = "T1, axial"'),),
        (('aliases = ["t1w"]', 'aliases = ["t1w", "t1tse"]'),),
        (('"nerve", ', '"nerve", "bone", '),),
        (('colour = "#1098ad"', 'colour = "#1098ae"'), ('key = "7"', 'key = "8"')),
        (('done_by = "radiologist"', 'done_by = "radiologist"\nreaders = 2'),),
    ],
)
def test_what_orphans_nothing_is_taken(changes: tuple[tuple[str, str], ...], study: Study) -> None:
    accounts()
    saved(published(registered_case())[2])
    findings: list[Finding] = []
    assert change_protocol(study, _later(*changes), findings=findings)
    assert not findings


def test_what_is_drawn_on_changes_until_somebody_drew(study: Study) -> None:
    accounts()
    tasks = published(registered_case(tissue_type="fat"))
    registered_case("C0002", tissue_type="nerve")
    on_t1 = _later(('drawn = "t2"', 'drawn = "t1"'))
    findings: list[Finding] = []
    assert change_protocol(study, on_t1, findings=findings)
    assert [(one.code, one.subject) for one in findings] == [("drawn-image-changed", "C0002")]
    assert "register_cases --redo --case C0002" in findings[0].remedy
    saved(tasks[2])
    with pytest.raises(RejectedInput, match="protocol-drawn-used") as refused:
        change_protocol(study, on_t1.replace("version = 2", "version = 3").replace('fat = "t1"', 'fat = "t2"'))
    assert "1 case(s) of the tissue type fat" in refused.value.message
    study.refresh_from_db()
    assert study.protocol.version == 2
