"""One patient or one image on both sides stops a split; the same pixels are known whatever their header and name."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_volume
from datasets.image.digest import content_sha256, pixels_sha256
from datasets.image.volume import Grid, Volume
from datasets.study.splits.leaks import require_no_leak
from datasets.study.splits.split_case import SplitCase
from tests.data import STS_NIFTI, require

ONE, TWO, THREE = (SplitCase(f"C{number}", f"P{number}", "fat") for number in (1, 2, 3))
OF_ONE = SplitCase("C4", "P1", "fat")


def test_a_patient_on_both_sides_is_refused_with_the_cases_codes() -> None:
    require_no_leak([ONE, OF_ONE], [TWO, THREE], {})
    with pytest.raises(RejectedInput, match=r"of one patient: C1 and C4\..*split-leak"):
        require_no_leak([ONE, TWO], [OF_ONE, THREE], {})


def test_a_case_on_both_sides_is_refused() -> None:
    with pytest.raises(RejectedInput, match="C2 and C2"):
        require_no_leak([ONE, TWO], [TWO], {})


def test_an_image_on_both_sides_is_refused_with_the_cases_codes() -> None:
    pixels = {"C1": ["a", "b"], "C2": ["c"], "C3": ["d", "b"]}
    require_no_leak([ONE], [TWO], pixels)
    require_no_leak([ONE, THREE], [TWO], pixels)
    with pytest.raises(RejectedInput, match=r"the same image: C1 and C3\..*split-leak"):
        require_no_leak([ONE], [TWO, THREE], pixels)


def test_many_leaks_are_counted() -> None:
    cases = [SplitCase(f"C{number}", "P", "fat") for number in range(8)]
    with pytest.raises(RejectedInput, match="and 3 more pairs"):
        require_no_leak(cases, [SplitCase("X", "P", "fat")], {})


def _volume(data: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    return Volume(data, Grid(data.shape, np.diag([1.0, 1, 3, 1]) if affine is None else affine))  # type: ignore[arg-type]


def test_pixels_are_known_under_another_header() -> None:
    data = np.random.default_rng(0).integers(0, 2000, (6, 5, 4)).astype(np.int16)
    digest = pixels_sha256(_volume(data))
    shifted = np.array([[0, -2.0, 0, 7], [1, 0, 0, 3], [0, 0, 5, -9], [0, 0, 0, 1]])
    for same in (
        _volume(data, shifted),
        _volume(data.astype(np.float32)),
        _volume(data.astype(np.float64)),
        _volume(data[::-1, :, ::-1]),
        _volume(np.ascontiguousarray(data.transpose(2, 0, 1))),
    ):
        assert pixels_sha256(same) == digest
        assert content_sha256(same) != content_sha256(_volume(data))
    changed = data.copy()
    changed[3, 2, 1] += 1
    assert pixels_sha256(_volume(changed)) != digest
    assert pixels_sha256(_volume(data[:, :, :-1])) != digest
    assert pixels_sha256(_volume(data.reshape(4, 5, 6)[::-1])) == digest
    assert pixels_sha256(_volume(data.reshape(10, 3, 4))) != digest


def test_zeros_and_what_is_no_number_have_one_spelling() -> None:
    plain = np.array([[[0.0, 1.0, np.nan]]], dtype=np.float32)
    other = np.array([[[-0.0, 1.0, -np.nan]]], dtype=np.float32)
    assert pixels_sha256(_volume(plain)) == pixels_sha256(_volume(other))


@pytest.mark.slow
def test_no_two_real_patients_share_pixels() -> None:
    paths = sorted(require(STS_NIFTI).glob("STS_*/MR_T1_image.nii.gz"))
    assert len({pixels_sha256(read_volume(path)) for path in paths}) == len(paths) == 34
