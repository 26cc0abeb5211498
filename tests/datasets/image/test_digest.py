"""Digests: the same content has the same digest, in memory and after a file; other content has another."""

from pathlib import Path

import numpy as np
import pytest

from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.image.digest import content_sha256, grid_as_dict, grid_from_dict
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from tests.datasets.release.samples import oblique_affine

GRID = Grid((7, 6, 5), oblique_affine())
DATA = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)


def test_an_oblique_volume_and_mask_keep_their_digests_through_a_file(tmp_path: Path) -> None:
    volume, mask = Volume(DATA, GRID), Mask((DATA > 0).astype(np.uint8), GRID)
    write_volume(tmp_path / "v.nii.gz", volume)
    write_mask(tmp_path / "m.nii.gz", mask)
    assert not np.array_equal(read_volume(tmp_path / "v.nii.gz").grid.affine, GRID.affine)
    assert content_sha256(read_volume(tmp_path / "v.nii.gz")) == content_sha256(volume)
    assert content_sha256(read_mask(tmp_path / "m.nii.gz")) == content_sha256(mask)


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(4))
def test_every_entry_of_the_affine_counts(row: int, column: int) -> None:
    moved = GRID.affine.copy()
    moved[row, column] += 1e-3
    assert content_sha256(Volume(DATA, Grid(GRID.shape, moved))) != content_sha256(Volume(DATA, GRID))


def test_voxels_type_and_shape_count_and_memory_order_does_not() -> None:
    other = DATA.copy()
    other[0, 0, 0] += 1
    volumes = [
        Volume(DATA, GRID),
        Volume(other, GRID),
        Volume(DATA.astype(np.float64), GRID),
        Volume(DATA.reshape(6, 7, 5), Grid((6, 7, 5), GRID.affine)),
    ]
    assert len({content_sha256(volume) for volume in volumes}) == 4
    assert content_sha256(Volume(np.asfortranarray(DATA), GRID)) == content_sha256(volumes[0])


def test_a_grid_survives_as_plain_values() -> None:
    again = grid_from_dict(grid_as_dict(GRID))
    assert again.shape == GRID.shape
    assert np.array_equal(again.affine, GRID.affine)
