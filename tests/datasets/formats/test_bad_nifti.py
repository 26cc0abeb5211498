"""Bad NIfTI files: each is refused or named with its own code, in milliseconds and little memory."""

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.formats.nifti import nifti_findings, read_grid, read_volume, write_volume
from datasets.gate import Budget
from datasets.image.content_checks import check_mask, check_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from tests.data import STS_NIFTI, require
from tests.datasets.support import bad_inputs
from tests.datasets.support.bad_inputs import CANARY, NAMED_NIFTI, REFUSED_NIFTI, SOUND_NIFTI, nifti

GRID = Grid(bad_inputs.SHAPE, bad_inputs.AFFINE)


@pytest.mark.parametrize("name", REFUSED_NIFTI)
def test_a_bad_file_is_refused_by_its_own_code(tmp_path: Path, name: str, tell_figure: Callable[[str], None]) -> None:
    suffix, code, content = REFUSED_NIFTI[name]
    path = tmp_path / f"{CANARY}{suffix}"
    path.write_bytes(content())
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(RejectedInput) as refusal:
        read_volume(path)
    elapsed, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refusal.value.code == code
    assert refusal.value.remedy.endswith(".")
    assert "Nightingale" not in str(refusal.value)
    assert peak < 20e6
    if name.startswith(("2-", "3-", "4-")):
        tell_figure(f"bad NIfTI {name}: {1000 * elapsed:.1f} ms, {peak / 1e6:.1f} MB")


@pytest.mark.parametrize("name", NAMED_NIFTI)
def test_an_odd_file_is_read_and_named(tmp_path: Path, name: str) -> None:
    code, content = NAMED_NIFTI[name]
    (tmp_path / "a.nii").write_bytes(content())
    (finding,) = nifti_findings(tmp_path / "a.nii")
    assert finding.code == code
    assert finding.level is not Level.ERROR
    assert "Nightingale" not in str(finding)
    volume = read_volume(tmp_path / "a.nii")
    assert np.array_equal(volume.data, bad_inputs.voxels()[:, :, : volume.grid.shape[2]])
    write_volume(tmp_path / "b.nii.gz", volume)
    assert CANARY.encode()[:15] not in nib.load(tmp_path / "b.nii.gz").to_bytes()


@pytest.mark.parametrize("name", SOUND_NIFTI)
def test_a_file_that_only_looks_odd_is_read_without_a_word(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.nii").write_bytes(SOUND_NIFTI[name]())
    assert nifti_findings(tmp_path / "a.nii") == ()
    volume = read_volume(tmp_path / "a.nii")
    assert np.array_equal(volume.data, bad_inputs.voxels())
    np.testing.assert_allclose(volume.grid.affine, nib.load(tmp_path / "a.nii").affine, atol=1e-6)


def test_a_grid_is_refused_for_the_same_reasons(tmp_path: Path) -> None:
    """What the header shows is seen without the voxels, so that a scan of a folder can say it."""
    by_voxels = ("3-cut-off-gz", "4-zeros-behind", "5-", "6-", "7-")
    for name, (suffix, code, content) in REFUSED_NIFTI.items():
        if name.startswith(by_voxels):
            continue
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content())
        with pytest.raises(RejectedInput) as refusal:
            read_grid(path)
        assert refusal.value.code == code, name


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_both_versions_and_byte_orders_are_read_as_nibabel_does(tmp_path: Path, kind: type, order: str) -> None:
    data = bad_inputs.voxels()
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    image = kind(data, bad_inputs.AFFINE, header)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(0.25, -3)
    (tmp_path / "a.nii").write_bytes(image.to_bytes())
    assert nib.load(tmp_path / "a.nii").header.endianness == order
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.data, np.asarray(nib.load(tmp_path / "a.nii").dataobj, np.float32))
    np.testing.assert_array_equal(volume.grid.affine, nib.load(tmp_path / "a.nii").affine)


def test_the_budget_is_the_caller_s(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(nifti())
    assert read_volume(tmp_path / "a.nii", budget=Budget(volume_bytes=4 * 960)).grid.shape == bad_inputs.SHAPE
    with pytest.raises(RejectedInput, match="declared-too-large"):
        read_volume(tmp_path / "a.nii", budget=Budget(volume_bytes=4 * 960 - 1))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.formats.nifti

    path = tmp_path / "a.nii"
    path.write_bytes(nifti())
    check = datasets.formats.nifti.check_extensions  # the last step before the voxels are read

    def check_slowly(*arguments: object) -> object:
        path.write_bytes(nifti(bad_inputs.voxels(1)) + b"\0")
        return check(*arguments)

    monkeypatch.setattr(datasets.formats.nifti, "check_extensions", check_slowly)
    with pytest.raises(RejectedInput, match="file-changed"):
        read_volume(path)


def test_every_real_volume_is_read_as_nibabel_reads_it() -> None:
    paths = sorted(require(STS_NIFTI).rglob("*.nii.gz"))[::12]
    assert len(paths) > 5
    for path in paths:
        volume, image = read_volume(path), nib.load(path)
        assert np.array_equal(volume.data, np.asarray(image.dataobj, np.float32))
        assert np.array_equal(volume.grid.affine, image.affine)
        assert nifti_findings(path) == ()


def _volume(change: Callable[[np.ndarray], object]) -> Volume:
    data = bad_inputs.voxels().astype(np.float32)
    change(data)
    return Volume(data, GRID)


def _set(value: float, where: object = ...) -> Callable[[np.ndarray], None]:
    def change(data: np.ndarray) -> None:
        data[where] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_set(0), [(Level.ERROR, "volume-all-zero")]),
        (_set(7), [(Level.ERROR, "volume-constant")]),
        (_set(np.nan), [(Level.ERROR, "volume-all-nan")]),
        (_set(np.inf), [(Level.ERROR, "volume-all-nan")]),
        (_set(-np.inf, (0, 0, 0)), [(Level.WARNING, "volume-not-finite")]),
        (_set(np.nan, (slice(None), slice(None), slice(0, 5))), [(Level.ERROR, "volume-not-finite")]),
        (_set(0, (0, 0, 0)), []),
    ],
)
def test_content_that_is_no_image_is_named(change: Callable, expected: list[tuple[Level, str]]) -> None:
    assert [(finding.level, finding.code) for finding in check_volume(_volume(change))] == expected


def test_a_constant_with_holes_is_constant() -> None:
    def change(data: np.ndarray) -> None:
        data[:] = 3
        data[0] = np.nan

    assert [finding.code for finding in check_volume(_volume(change))] == ["volume-not-finite", "volume-constant"]


def _codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def test_masks_are_checked() -> None:
    data = np.zeros(GRID.shape, np.uint8)
    assert _codes(check_mask(Mask(data, GRID))) == ["mask-empty"]
    data[3:6, 3:6, 3:6] = 1
    assert check_mask(Mask(data, GRID)) == ()
    data[4, 4, 4] = 7
    assert _codes(check_mask(Mask(data, GRID))) == ["mask-labels"]
    assert check_mask(Mask(data, GRID, {1: "Tumour", 7: "Oedema"})) == ()
    for axis in range(3):
        for edge in (0, -1):
            at_edge = (data > 0).astype(np.uint8)
            at_edge[tuple(edge if one == axis else 4 for one in range(3))] = 1
            (finding,) = check_mask(Mask(at_edge, GRID))
            assert finding.code == "mask-at-border"
            assert f"[{axis}]" in finding.message


def test_a_mask_in_one_slice_is_not_at_its_border() -> None:
    data = np.zeros((9, 9, 1), np.uint8)
    data[4, 4, 0] = 1
    assert check_mask(Mask(data, Grid(data.shape, np.eye(4)))) == ()
