"""MSTT-199's folders of pictures become volumes: voxel for voxel, and what is wrong with them is named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.file_tree import FileTree
from datasets.formats.nifti import read_mask, read_volume
from datasets.public.dataset import SourceDataset
from datasets.public.layouts.mstt_199 import MSTT_199
from datasets.public.recognise import recognised
from datasets.public.slice_stacks import AFFINE
from tests.datasets.public.trees import grey, labelled, picture_stack, put_pictures, write_mstt_199

T1 = "mstt-199/image_2_5d_isotropic_axial_stride-1/L44_T1"
MASK = "mstt-199/mask_isotropic_axial_png/L44_T1_J"


def prepared(folder: Path, out: Path) -> SourceDataset:
    found = recognised(FileTree.of(folder))
    out.mkdir()
    assert MSTT_199.prepare is not None
    return MSTT_199.prepare(found.tree, found.dataset, out)[1]


def codes(dataset: SourceDataset) -> list[str]:
    return [finding.code for finding in dataset.findings if finding.code != "slices-place-assumed"]


def test_pictures_become_the_volumes_that_they_were_cut_of(tmp_path: Path) -> None:
    dataset = prepared(write_mstt_199(tmp_path / "in"), tmp_path / "out")
    assert [(case.patient, case.tissue_type) for case in dataset.cases] == [
        ("MSTT-199/L44", "fat"),
        ("MSTT-199/N21", "nerve"),
    ]
    for number, case in enumerate(dataset.cases):
        for seed, image in enumerate(case.images):
            volume = read_volume(tmp_path / "out" / image.path)
            wanted = np.clip(grey(10 * number + seed, (12, 10, 8)), 0, 255).astype(np.uint8)
            assert np.array_equal(volume.data, wanted)
            assert np.array_equal(volume.grid.affine, AFFINE)
        (mask,) = case.masks
        drawn = read_mask(tmp_path / "out" / mask.path)
        assert np.array_equal(drawn.data, labelled(1, shape=(12, 10, 8)))
        assert np.array_equal(drawn.grid.affine, AFFINE)
    assert [case.masks[0].image for case in dataset.cases] == ["T1", "T2"]
    assert [finding.code for finding in dataset.findings] == ["slices-place-assumed"]


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    write_mstt_199(tmp_path / "in")
    for name in ("one", "other"):
        prepared(tmp_path / "in", tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.nii.gz")]
    assert len(files) == 6
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes() for path in files)


def _without_slice(folder: Path) -> None:
    (folder / T1 / "L44_T1_3.png").unlink()


def _other_size(folder: Path) -> None:
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(folder / T1 / "L44_T1_3.png")


def _swapped(folder: Path) -> None:
    one, other = folder / T1 / "L44_T1_3.png", folder / T1 / "L44_T1_4.png"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def _grey_mask(folder: Path) -> None:
    Image.fromarray(np.arange(120, dtype=np.uint8).reshape(12, 10)).save(folder / MASK / "L44_T1_J_3.png")


def _flipped_bit(folder: Path) -> None:
    path = folder / T1 / "L44_T1_3.png"
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(bytes(content))


def _mask_beside(folder: Path) -> None:
    shutil.copy(folder / MASK / "L44_T1_J_3.png", folder / MASK / "L44_T1_J_99.png")


def _few_masks(folder: Path) -> None:
    (folder / MASK / "L44_T1_J_0.png").unlink()
    (folder / MASK / "L44_T1_J_7.png").unlink()


def _link(folder: Path) -> None:
    path = folder / T1 / "L44_T1_3.png"
    path.rename(folder / "elsewhere.png")
    path.symlink_to(folder / "elsewhere.png")


@pytest.mark.parametrize(
    ("spoil", "found", "images", "masks"),
    [
        (_without_slice, ["slices-missing"], 1, 0),
        (_other_size, ["slices-size"], 1, 0),
        (_swapped, ["slices-neighbours"], 2, 1),
        (_flipped_bit, ["slice-unreadable"], 1, 0),
        (_link, ["slice-unreadable"], 1, 0),
        (_grey_mask, ["slice-mask-values"], 2, 0),
        (_mask_beside, ["slices-beside"], 2, 0),
        (_few_masks, ["slices-without-mask"], 2, 1),
    ],
)
def test_what_is_wrong_with_a_stack_is_named_and_the_rest_goes_on(
    tmp_path: Path, spoil: Callable[[Path], None], found: list[str], images: int, masks: int
) -> None:
    spoil(write_mstt_199(tmp_path / "in"))
    dataset = prepared(tmp_path / "in", tmp_path / "out")
    assert codes(dataset) == found
    case = dataset.cases[0]
    assert (len(case.images), len(case.masks)) == (images, masks)
    assert len(dataset.cases[1].images) == 2
    assert "L44" not in " ".join(map(str, dataset.findings))


def test_slices_may_begin_anywhere_and_be_grey(tmp_path: Path) -> None:
    volume = np.clip(grey(1, (12, 10, 6)), 0, 255).astype(np.uint8)
    top = tmp_path / "in"
    pictures = [volume[:, :, k] for k in range(6)]
    put_pictures(top / "image_2_5d_isotropic_axial_stride-1" / "M01_T2", "M01_T2", pictures, first=11)
    put_pictures(
        top / "mask_axial_png" / "M01_T2", "M01_T2", [(one > 150).astype(np.uint8) for one in pictures], first=11
    )
    dataset = prepared(top, tmp_path / "out")
    assert codes(dataset) == ["source-image-missing"]  # its T1
    (case,) = dataset.cases
    assert np.array_equal(read_volume(tmp_path / "out" / case.images[0].path).data, volume)
    assert np.array_equal(read_mask(tmp_path / "out" / case.masks[0].path).data, volume > 150)


def test_several_masks_of_a_patient_without_a_table_are_a_question(tmp_path: Path) -> None:
    write_mstt_199(tmp_path / "in")
    (tmp_path / "in" / "mstt-199" / "consensus_information.csv").unlink()
    top = tmp_path / "in" / "mstt-199" / "mask_isotropic_axial_png"
    put_pictures(top / "N21_T1", "N21_T1", [np.zeros((12, 10), np.uint8)] * 8)
    dataset = prepared(tmp_path / "in", tmp_path / "out")
    assert codes(dataset) == ["source-file-twice"]
    assert [len(case.masks) for case in dataset.cases] == [1, 0]


def test_pictures_of_neighbours_in_the_other_order_are_as_good(tmp_path: Path) -> None:
    volume = np.clip(grey(1, (12, 10, 6)), 0, 255).astype(np.uint8)
    pictures = [one[..., ::-1].copy() for one in picture_stack(volume)]
    put_pictures(tmp_path / "in" / "image_2_5d_isotropic_axial_stride-1" / "M01_T1", "M01_T1", pictures)
    dataset = prepared(tmp_path / "in", tmp_path / "out")
    assert codes(dataset) == ["source-image-missing"]
