"""One channel of a 4D NIfTI as a volume; a file of other channels than asked for is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_grid, read_values, read_volume

SHAPE = (5, 4, 6)
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])
DATA = np.arange(np.prod(SHAPE) * 3, dtype=np.int16).reshape(*SHAPE, 3)


def _written(path: Path, data: np.ndarray = DATA) -> Path:
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_each_channel_is_a_volume(tmp_path: Path, name: str, channel: int) -> None:
    path = _written(tmp_path / name)
    volume = read_volume(path, channel=channel)
    assert np.array_equal(volume.data, DATA[..., channel])
    assert volume.grid.matches(read_grid(path, channel=channel))
    assert (volume.grid.shape, volume.grid.spacing) == (SHAPE, (1.0, 1.0, 3.0))


def test_values_are_those_of_the_channel(tmp_path: Path) -> None:
    data = np.zeros((*SHAPE, 2), np.int16)
    data[..., 0], data[0, 0, 0, 1] = 7, 3
    path = _written(tmp_path / "a.nii.gz", data)
    assert read_values(path, channel=0) == (7.0,)
    assert read_values(path, channel=1) == (0.0, 3.0)


def test_a_file_of_one_volume_is_its_own_first_channel(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.nii.gz", DATA[..., 0])
    assert np.array_equal(read_volume(path, channel=0).data, DATA[..., 0])


def test_without_a_channel_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="nifti-not-3d"):
        read_volume(_written(tmp_path / "a.nii.gz"))


@pytest.mark.parametrize(("shape", "channel"), [((*SHAPE, 3), 3), (SHAPE, 1)])
def test_a_channel_that_is_not_there_is_refused(tmp_path: Path, shape: tuple[int, ...], channel: int) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_grid(_written(tmp_path / "a.nii.gz", np.zeros(shape, np.int16)), channel=channel)
    assert caught.value.code == "nifti-channel"


@pytest.mark.parametrize("channel", [0, 2])
def test_a_file_that_ends_within_another_channel_is_refused(tmp_path: Path, channel: int) -> None:
    path = _written(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RejectedInput, match="nifti-truncated"):
        read_volume(path, channel=channel)
