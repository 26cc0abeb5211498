"""Three planes and turned copies: the batched answer equals a plain loop, slice by slice and copy by copy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from datasets.image.volume import Volume
from datasets.pictures.picture_plane import AnatomicalPlane
from tests.training.support.plain_planes import plain_logits
from tests.training.support.synthetic import blob_case, reordered
from training.inputs.slice_triplets import PictureRule
from training.networks.slice_networks import SliceNetwork, slice_network
from training.runtime import TorchRuntime
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.slices.copies import Copy, copies_of
from training.segmenters.slices.slice_plan import Copies, Crop, Planes, SlicePlan
from training.segmenters.slices.slice_segmenter import SliceSegmenter

CPU = torch.device("cpu")
PLAN = SlicePlan(PictureRule(32), widths=(4, 8))
KINDS = ("t1", "t2")


def networks(count: int = 1) -> list[torch.nn.Module]:
    torch.manual_seed(3)
    return [slice_network(SliceNetwork.RESIDUAL, images=2, widths=(4, 8)).eval() for _ in range(count)]


def segmenter(plan: SlicePlan, members: list[torch.nn.Module]) -> SliceSegmenter:
    return SliceSegmenter([TorchRuntime(each, device=CPU) for each in members], plan, KINDS, title="planes-1")


def padded_case() -> dict[str, Volume]:
    """A blob's images with air around them, in another axis order."""
    case = blob_case(1, shape=(30, 26, 9))
    found = {}
    for kind, volume in case.volumes.items():
        wide = Volume(np.pad(volume.data, ((25, 10), (14, 20), (0, 0))), replace(volume.grid, shape=(65, 60, 9)))
        found[kind] = reordered(wide, order=(2, 0, 1), flips=(True, False, True))
    return found


@pytest.mark.parametrize("planes", list(Planes))
@pytest.mark.parametrize("copies", list(Copies))
@pytest.mark.parametrize("crop", list(Crop))
def test_it_equals_a_plain_loop(planes: Planes, copies: Copies, crop: Crop) -> None:
    plan = replace(PLAN, planes=planes, copies=copies, crop=crop)
    members, volumes = networks(2), padded_case()
    found = segmenter(plan, members).segment(SegmentationRequest(volumes, "t1", slice_axis=0))
    expected = torch.from_numpy(plain_logits(members, plan, volumes, slice_axis=0)).sigmoid().numpy()
    np.testing.assert_allclose(found.probability.data, expected, atol=1e-5)
    assert np.ptp(expected) > 0.05
    assert found.uncertainty is None
    if crop is Crop.BODY:
        assert not found.probability.data[:, :, 0].any()


def test_some_slices_are_drawn_as_in_the_whole() -> None:
    plan = replace(PLAN, planes=Planes.THREE, copies=Copies.MIRRORED, crop=Crop.BODY)
    drawing, asked = segmenter(plan, networks()), SegmentationRequest(padded_case(), "t1", slice_axis=0)
    whole, some = drawing.segment(asked), drawing.segment(replace(asked, slices=(2, 5)))
    np.testing.assert_allclose(some.probability.data[[2, 5]], whole.probability.data[[2, 5]], atol=1e-6)
    assert not np.delete(some.probability.data, [2, 5], axis=0).any()


def test_all_eight_copies_are_the_eight_ways_to_lay_a_square() -> None:
    square = np.arange(9.0).reshape(1, 3, 3)
    laid = [copy.turned(square) for copy in copies_of(Copies.ALL, AnatomicalPlane.AXIAL)]
    assert len({each.tobytes() for each in laid}) == 8
    for copy in copies_of(Copies.ALL, AnatomicalPlane.AXIAL):
        assert np.array_equal(copy.back(copy.turned(square)), square)
    assert Copy(1).turned(np.array([[1, 2], [3, 4]])).tolist() == [[2, 4], [1, 3]]


def test_mirrored_copies_of_axial_pictures_are_flips() -> None:
    square = np.arange(4.0).reshape(2, 2)
    flips = [square, square[:, ::-1], square[::-1], square[::-1, ::-1]]
    found = [copy.turned(square).tolist() for copy in copies_of(Copies.MIRRORED, AnatomicalPlane.AXIAL)]
    assert found == [each.tolist() for each in flips]


def test_pictures_from_head_to_foot_are_not_turned_upside_down() -> None:
    for plane in (AnatomicalPlane.CORONAL, AnatomicalPlane.SAGITTAL):
        assert [(each.quarters, each.mirrored) for each in copies_of(Copies.MIRRORED, plane)] == [(0, False), (0, True)]


def test_uncertainty_is_that_of_the_opinions() -> None:
    """One plane, no copies, two networks, pictures of the network's own size: nothing is resized."""
    case = blob_case(1, shape=(32, 32, 6))
    plan, members = PLAN, networks(2)
    asked = SegmentationRequest(case.volumes, "t1", wants_uncertainty=True)
    found = segmenter(plan, members).segment(asked)
    each = [segmenter(plan, [one]).segment(replace(asked, wants_uncertainty=False)).probability.data for one in members]
    mean = np.mean(each, axis=0, dtype=np.float64)
    entropy = -mean * np.log2(mean) - (1 - mean) * np.log2(1 - mean)
    assert found.uncertainty is not None
    assert found.uncertainty.grid.matches(case.mask.grid)
    np.testing.assert_allclose(found.uncertainty.data, entropy, atol=1e-4)
    candidates = np.max(each, axis=0) > 0.5
    assert found.score == pytest.approx(1 - (entropy[candidates].mean() if candidates.any() else 1.0), abs=1e-4)


def test_outside_the_body_a_model_is_sure() -> None:
    plan = replace(PLAN, crop=Crop.BODY, planes=Planes.THREE)
    asked = SegmentationRequest(padded_case(), "t1", slice_axis=0, wants_uncertainty=True)
    found = segmenter(plan, networks()).segment(asked)
    assert found.uncertainty is not None
    assert not found.uncertainty.data[:, :, 0].any()
    assert found.uncertainty.data.max() > 0.1
