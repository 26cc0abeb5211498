"""The labelling interface: built from settings, whole XML, and nothing lost that annotations use."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django_tasks_db.models import DBTaskResult

from annotation_backend.labeling.interface import editor
from annotation_backend.labeling.interface.editor import bring_interface_up_to_date, change_settings
from annotation_backend.labeling.interface.interface import guide_url, instruction, label_config
from annotation_backend.labeling.interface.project_settings import ProjectSettings, project_settings
from annotation_backend.labeling.jobs import predict_case
from annotation_backend.labeling.masks.controls import (
    EXTREME_LABEL,
    HINT,
    IMAGE,
    SMART_BOX,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
    MaskFormat,
)
from annotation_backend.labeling.models import LabelingProject, LabelingTask, SettingsChange, TaskState
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput, TryAgain
from datasets.image.mask import OEDEMA, TUMOUR
from datasets.study.protocol import Label
from datasets.study.shipped_protocols import shipped_protocol
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble
from tests.annotation_backend.support.records import published, registered_case, the_study

MSTT = shipped_protocol("mstt-199")

TAGS = {MaskFormat.BRUSH: "BrushLabels", MaskFormat.BITMASK: "BitmaskLabels"}


def _labels(control: ElementTree.Element) -> dict[str, bool]:
    """Name of each label, and whether annotators are offered it."""
    return {label.attrib["value"]: label.get("visible") != "false" for label in control.iter("Label")}


@pytest.mark.parametrize("mask_format", MaskFormat)
@pytest.mark.parametrize("has_oedema", [False, True])
def test_annotators_draw_with_the_chosen_format_and_oedema_only_where_it_is_asked_for(
    mask_format: MaskFormat, has_oedema: bool
) -> None:
    root = ElementTree.fromstring(label_config(mask_format, MSTT, hidden=[] if has_oedema else [OEDEMA]))
    [control] = [element for tag in TAGS.values() for element in root.iter(tag)]
    assert control.tag == TAGS[mask_format]
    assert (control.get("name"), control.get("toName")) == (mask_format.value, IMAGE)
    assert _labels(control) == ({TUMOUR: True, OEDEMA: True} if has_oedema else {TUMOUR: True})


def test_every_prompt_has_its_label_on_one_smart_control_and_every_key_is_used_once() -> None:
    root = ElementTree.fromstring(label_config(MaskFormat.BRUSH, MSTT))
    [points], [boxes] = list(root.iter("KeyPointLabels")), list(root.iter("RectangleLabels"))
    assert (points.get("name"), boxes.get("name")) == (SMART_POINT, SMART_BOX)
    assert list(_labels(points)) == ["Tumour point", EXTREME_LABEL, UNDO_LABEL, START_OVER_LABEL]
    assert list(_labels(boxes)) == ["Tumour box"]
    assert all(control.get("smart") == control.get("smartOnly") == "true" for control in (points, boxes))
    keys = Counter(label.get("hotkey") for label in root.iter("Label"))
    assert set(keys.values()) == {1}
    assert None not in keys


def test_the_hint_and_the_guide_stand_above_the_pictures() -> None:
    written = label_config(MaskFormat.BRUSH, MSTT, hidden=[OEDEMA])
    root = ElementTree.fromstring(written)
    [hint] = list(root.iter("TextArea"))
    assert (hint.get("name"), hint.get("toName"), hint.get("editable")) == (HINT, IMAGE, "false")
    assert written.index("<TextArea") < written.index("<Image")
    assert f'href="{guide_url()}" target="_blank"' in written
    assert guide_url() in instruction(MSTT)


def test_what_annotations_use_is_kept_but_not_offered() -> None:
    root = ElementTree.fromstring(label_config(MaskFormat.BITMASK, MSTT, hidden=[OEDEMA], kept=["brush", OEDEMA]))
    [drawn_with], [kept] = list(root.iter("BitmaskLabels")), list(root.iter("BrushLabels"))
    assert _labels(drawn_with) == {TUMOUR: True, OEDEMA: False}
    assert _labels(kept) == {TUMOUR: False, OEDEMA: False}


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    double.takes_the_place(monkeypatch)
    return double


@pytest.fixture
def project(db: None) -> LabelingProject:
    return LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())


def test_a_project_of_an_earlier_version_gets_the_interface_once(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    assert bring_interface_up_to_date(project)
    assert studio.project["label_config"] == label_config(MaskFormat.BRUSH, MSTT, hidden=[OEDEMA]).strip()
    assert not bring_interface_up_to_date(project)
    assert studio.changes == ["PATCH /api/projects/1/"]


@pytest.mark.parametrize(
    "summary",
    [
        {"created_annotations": {"brush|image|brushlabels": 3}, "created_labels": {"brush": {TUMOUR: 3, OEDEMA: 1}}},
        {"created_labels_drafts": {"brush": {OEDEMA: 1}}},
    ],
)
def test_a_changed_format_keeps_what_annotations_or_drafts_use(
    studio: LabelStudioDouble, project: LabelingProject, summary: dict[str, object]
) -> None:
    studio.summary |= summary
    assert change_settings(project, ProjectSettings(MaskFormat.BITMASK), person=None)
    expected = label_config(MaskFormat.BITMASK, MSTT, hidden=[OEDEMA], kept=["brush", OEDEMA])
    assert studio.project["label_config"] == expected.strip()
    assert project_settings(project).mask_format is MaskFormat.BITMASK
    assert not change_settings(project, ProjectSettings(MaskFormat.BITMASK), person=None)


def test_predictions_are_drawn_anew_where_nobody_submitted_and_only_if_they_look_otherwise(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    jobs = DBTaskResult.objects.filter(task_path=predict_case.module_path)
    first, *_others = published(registered_case())
    LabelingTask.objects.filter(pk=first.pk).update(state=TaskState.ANNOTATED)
    mine = first.project
    change_settings(mine, ProjectSettings(labels={OEDEMA: True}), person=None)
    assert not jobs.exists()
    change_settings(mine, ProjectSettings(MaskFormat.BITMASK, {OEDEMA: True}), person=None)
    assert [job.args_kwargs["kwargs"]["case_code"] for job in jobs] == ["C0001"]


def test_where_label_studio_refuses_or_is_down_nothing_is_changed(
    project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: object, **_options: object) -> None:
        raise TryAgain("label-studio-down", "Label Studio does not answer.", remedy="Start it.")

    monkeypatch.setattr(editor, "call", down)
    with pytest.raises(TryAgain):
        change_settings(project, ProjectSettings(MaskFormat.BITMASK), person=None)
    assert not SettingsChange.objects.exists()


def test_settings_that_cannot_work_reach_nobody(studio: LabelStudioDouble, project: LabelingProject) -> None:
    with pytest.raises(RejectedInput, match="model-unknown"):
        change_settings(project, ProjectSettings(prompt_models={PromptKind.BOX: "nobody-1"}), person=None)
    assert studio.changes == []
    assert not SettingsChange.objects.exists()


def test_a_control_that_only_a_strange_annotation_names_is_kept_where_nobody_sees_it(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    strange = ["own|image|polygonlabels", "brush|image|brushlabels", "x|nowhere|polygonlabels", "y|image|script", "z"]
    studio.summary["created_annotations"] = dict.fromkeys([*strange, '"><script>|image|brush'], 1)
    assert bring_interface_up_to_date(project)
    root = ElementTree.fromstring(studio.project["label_config"])
    [hidden] = [view for view in root.iter("View") if view.get("style") == "display: none"]
    assert [(one.tag, one.get("name"), one.get("toName")) for one in hidden] == [("PolygonLabels", "own", "image")]


GOLDEN = Path(__file__).parent / "golden"
"""What the version before protocols gave Label Studio, written by it; never rewritten."""

COMMENTS = (
    ' · <a href="https://maskloop.example/review/$case/comments/#slice-$slice" target="_blank" rel="noopener">'
    'Comments</a> · <a href="https://maskloop.example/landing/?case=$case">My work</a>'
)
"""What came later: the ways to the open slice's comments, and back to one's work."""


@pytest.mark.parametrize("mask_format", MaskFormat)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tumour", {"hidden": [OEDEMA]}),
        ("oedema", {}),
        ("kept", {"hidden": [OEDEMA], "kept": ["brush", "bitmask", OEDEMA]}),
    ],
)
def test_a_project_of_before_keeps_its_interface_byte_for_byte(
    settings, mask_format: MaskFormat, name: str, options: dict[str, list[str]]
) -> None:
    settings.MASKLOOP_URL = "https://maskloop.example"
    expected = (GOLDEN / f"mstt-199-{name}-{mask_format.value}.xml").read_text(encoding="utf-8")
    assert label_config(mask_format, MSTT, **options).replace(COMMENTS, "") == expected
    assert instruction(MSTT) == (GOLDEN / "mstt-199-instruction.html").read_text(encoding="utf-8")


def test_a_project_without_a_choice_offers_what_the_protocol_says() -> None:
    assert ProjectSettings().hidden_labels(MSTT) == {OEDEMA}
    assert ProjectSettings(labels={OEDEMA: True}).hidden_labels(MSTT) == frozenset()


LABELS = (
    Label(3, "Lesion", "#112233", key="1", is_prompted=True),
    Label(1, "Cyst wall", "#445566", key="8"),
    Label(9, "Blood", "#778899"),
)


def test_the_interface_is_built_from_the_protocol_s_labels() -> None:
    protocol = replace(MSTT, labels=LABELS)
    root = ElementTree.fromstring(label_config(MaskFormat.BRUSH, protocol, hidden=["Blood"]))
    [brush], [points], [boxes] = (list(root.iter(tag)) for tag in ("BrushLabels", "KeyPointLabels", "RectangleLabels"))
    drawn = [(each.get("value"), each.get("background"), each.get("hotkey")) for each in brush.iter("Label")]
    assert drawn == [("Lesion", "#112233", "1"), ("Cyst wall", "#445566", "8")]
    assert next(iter(_labels(points))) == "Lesion point"
    assert list(_labels(boxes)) == ["Lesion box"]
    whole = ElementTree.fromstring(label_config(MaskFormat.BRUSH, protocol))
    assert [label.get("hotkey") for label in whole.iter("Label") if label.get("value") == "Blood"] == [None]
    assert "lesion" in instruction(protocol)
    assert "tumour" not in instruction(protocol)


def test_labels_that_are_all_drawn_by_hand_have_no_prompts() -> None:
    protocol = replace(MSTT, labels=LABELS[1:])
    root = ElementTree.fromstring(label_config(MaskFormat.BRUSH, protocol))
    assert not list(root.iter("KeyPointLabels"))
    assert not list(root.iter("RectangleLabels"))
    assert "Auto-Annotation" not in instruction(protocol)


def test_the_instruction_names_every_label_where_the_first_is_not_the_one_that_models_draw() -> None:
    assert "missing: key 1, then draw." in instruction(replace(MSTT, labels=LABELS))
    finer_first = replace(MSTT, labels=(LABELS[1], LABELS[0], LABELS[2]))
    assert "missing: Cyst wall (key 8), Lesion (key 1), Blood, then draw." in instruction(finer_first)


def test_a_label_of_annotations_that_the_protocol_does_not_have_is_kept_out_of_sight(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    """Label Studio would refuse every later change of the interface without it."""
    studio.summary |= {"created_labels": {"brush": {TUMOUR: 3, "Scar": 1, "<b>": 1}, "smart_point": {"Old point": 2}}}
    assert bring_interface_up_to_date(project)
    [control] = list(ElementTree.fromstring(studio.project["label_config"]).iter("BrushLabels"))
    assert _labels(control) == {TUMOUR: True, "Scar": False}
