"""Names of a label map's values, given by people and datasets, and Slicer's segment names."""

import json
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.formats.segment_names import segment_names
from datasets.labels.label_values import parse_label_values, read_label_list, tumour_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tumour=2,oedema=1", {2: "Tumour", 1: "Oedema"}),
        ("Lesion = 3", {3: "Tumour"}),
        ("2", {2: "Tumour"}),
        ("edema=1, muscle=4", {1: "Oedema", 4: "muscle"}),
    ],
)
def test_values_are_said_by_name(text: str, expected: dict[int, str]) -> None:
    assert parse_label_values(text) == expected


@pytest.mark.parametrize("text", ["", "tumour", "tumour=0", "tumour=300", "tumour=1,tumour=2", "a=1,b=1", "a=1;b=2"])
def test_what_is_no_list_of_values_is_refused(text: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        parse_label_values(text)
    assert caught.value.code == "label-values"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "dataset.json",
            json.dumps({"labels": {"background": 0, "oedema": 1, "tumour": 2}}),
            {1: "Oedema", 2: "Tumour"},
        ),
        ("dataset.json", json.dumps({"labels": {"0": "background", "1": "lesion"}}), {1: "Tumour"}),
        ("dataset.json", json.dumps({"labels": {"background": 0, "label1": 1}}), {}),
        ("dataset.json", json.dumps({"labels": {"background": 0, "whole": [1, 2], "tumour": 2}}), {2: "Tumour"}),
        ("dataset.json", json.dumps({"name": "x"}), {}),
        ("dataset.json", "[]", {}),
        ("sub-1_dseg.tsv", "index\tname\tcolor\n0\tBackground\t#000000\n2\tTumour\t#ff0000\n", {2: "Tumour"}),
        ("dseg.tsv", "value\tword\n1\ttumour\n", {}),
    ],
)
def test_lists_of_labels_are_read(tmp_path: Path, name: str, text: str, expected: dict[int, str]) -> None:
    (tmp_path / name).write_text(text)
    assert read_label_list(tmp_path / name) == expected


@pytest.mark.parametrize(
    "text", ["{", '{"labels": {"tumour": "x"}, "a": 1}', '{"labels": {"a": 1, "b": 1}}', '{"labels": {"a": 999}}']
)
def test_a_list_that_says_nothing_clear_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(RejectedInput) as caught:
        read_label_list(tmp_path / "dataset.json")
    assert caught.value.code == "label-list"


def test_two_labels_that_are_called_tumour_are_no_answer() -> None:
    assert tumour_value({1: "Tumour", 2: "Oedema"}) == 1
    assert tumour_value({1: "Tumour", 2: "Tumour"}) is None


def test_segments_that_a_person_named_are_known_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "Segmentation.seg.nrrd"
    fields = ["Segment0_LabelValue:=2", "Segment0_Name:=Tumour of the thigh", "Segment1_LabelValue:=1"]
    path.write_bytes("\n".join(["NRRD0005", "type: uchar", *fields, "Segment1_Name:=Segment_1", "", ""]).encode())
    assert segment_names(path) == {2: "Tumour of the thigh"}
    assert segment_names(tmp_path / "absent.nii.gz") == {}
