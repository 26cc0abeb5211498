"""Which value of a cohort's masks is the tumour: by a person, the dataset or plain masks; never all values."""

import json
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from datasets.errors import RejectedInput
from datasets.formats.nifti import write_mask
from datasets.image.mask import Mask
from datasets.study.cohort import Cohort, load, read_cohort
from datasets.study.cohort_values import OTHER_VALUES, with_mask_values
from tests.curation.support.small_volumes import GRID, labelled, put_image, put_mask


def _cohort(folder: Path, **masks: tuple[int, ...]) -> Cohort:
    for case, values in masks.items():
        put_image(folder / case / "T1.nii")
        put_mask(folder / case / "mask.nii", *values)
    return read_cohort(folder, {"t1": "*/T1.nii"}, "*/mask.nii")


def _refused(cohort: Cohort, folder: Path, said: str = "") -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        with_mask_values(cohort, folder, said)
    return caught.value


@pytest.mark.parametrize("value", [1, 255])
def test_plain_masks_speak_for_themselves(tmp_path: Path, value: int) -> None:
    cohort = with_mask_values(_cohort(tmp_path, a=(value,), b=(value,), empty=()), tmp_path)
    assert {case.values for case in cohort.cases} == {(value,)}
    assert cohort.findings == ()
    assert set(load(cohort.cases[0]).mask.data.ravel().tolist()) == {0, 1}


@pytest.mark.parametrize("masks", [{"a": (1, 2)}, {"a": (1,), "b": (2,)}, {"a": (2,)}, {"a": (1,), "b": (255,)}])
def test_several_values_of_which_none_is_said_are_asked_about(
    tmp_path: Path, masks: dict[str, tuple[int, ...]]
) -> None:
    error = _refused(_cohort(tmp_path, **masks), tmp_path)
    assert error.code == "cohort-mask-values"
    assert "--mask-value" in error.remedy


def test_a_mask_without_a_zero_is_asked_about(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path, a=(1,))
    write_mask(tmp_path / "b" / "mask.nii.gz", Mask(np.uint8(1) + labelled(1), GRID))
    cohort = replace(cohort, cases=(replace(cohort.cases[0], mask=tmp_path / "b" / "mask.nii.gz"),))
    assert _refused(cohort, tmp_path).code == "cohort-mask-values"
    assert (load(with_mask_values(cohort, tmp_path, "2").cases[0]).mask.data == labelled(1)).all()
    with pytest.raises(RejectedInput, match="cohort-mask-background"):
        load(with_mask_values(cohort, tmp_path, "1").cases[0])


def test_the_value_that_is_said_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    cohort = with_mask_values(_cohort(tmp_path, a=(1, 2), b=(2,)), tmp_path, "2")
    (finding,) = cohort.findings
    assert finding.code == OTHER_VALUES
    assert "Beside value 2 (tumour), 1 of 2 mask(s) hold 1;" in finding.message
    assert (load(cohort.cases[0]).mask.data == (labelled(1, 2) == 2)).all()


def test_values_that_belong_together_are_said_together(tmp_path: Path) -> None:
    cohort = with_mask_values(_cohort(tmp_path, a=(1, 2)), tmp_path, "1,2")
    assert cohort.findings == ()
    assert (load(cohort.cases[0]).mask.data == (labelled(1, 2) > 0)).all()


def test_a_label_is_meant_by_its_name_in_the_dataset(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path, a=(1, 2), b=(2,))
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "oedema": 1, "tumour": 2}}))
    assert {case.values for case in with_mask_values(cohort, tmp_path).cases} == {(2,)}
    assert {case.values for case in with_mask_values(cohort, tmp_path, "edema").cases} == {(1,)}
    assert _refused(cohort, tmp_path, "bone").code == "cohort-value-said"


@pytest.mark.parametrize(("said", "code"), [("7", "cohort-value-absent"), ("0", "cohort-value-said")])
def test_a_value_that_is_none_is_refused(tmp_path: Path, said: str, code: str) -> None:
    assert _refused(_cohort(tmp_path, a=(1,)), tmp_path, said).code == code


def test_a_case_without_what_is_meant_is_refused_by_name(tmp_path: Path) -> None:
    cohort = with_mask_values(_cohort(tmp_path, a=(1,), b=(2,)), tmp_path, "2")
    with pytest.raises(RejectedInput, match=r"it has the values \[1\], not \[2\]") as caught:
        load(cohort.cases[0])
    assert caught.value.code == "cohort-empty-mask"


def test_a_case_that_nobody_asked_about_is_never_read_as_all_its_values(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput) as caught:
        load(_cohort(tmp_path, a=(1, 2)).cases[0])
    assert caught.value.code == "cohort-mask-values"


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sets(st.sampled_from([1, 2, 3, 255]), max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", "1", "2", "1,2", "255"]),
)
def test_a_value_means_one_thing_in_every_case(
    tmp_path_factory: pytest.TempPathFactory, masks: list[set[int]], said: str
) -> None:
    folder = tmp_path_factory.mktemp("cohort")
    cohort = _cohort(folder, **{f"case{number}": tuple(sorted(values)) for number, values in enumerate(masks)})
    is_plain = {frozenset(values) for values in masks if values} in ({frozenset({1})}, {frozenset({255})}, set())
    is_absent = bool(said) and not {int(value) for value in said.split(",")} & set().union(*masks) and any(masks)
    if is_absent or not (said or is_plain):
        assert _refused(cohort, folder, said).code == ("cohort-value-absent" if said else "cohort-mask-values")
        return
    meant = with_mask_values(cohort, folder, said)
    (values,) = {case.values for case in meant.cases}
    has_others = any(found - set(values) for found in masks)
    assert has_others == any(finding.code == OTHER_VALUES for finding in meant.findings)
    assert said or is_plain
