"""LiteMedSAM as an automatic network: it begins as LiteMedSAM, and learns only where it should."""

import pytest
import torch

from training.networks.medsam_automatic import MedSamAutomatic
from training.pretrained.lite_medsam import published_tensors

pytestmark = pytest.mark.slow


def begun(**how: bool) -> MedSamAutomatic:
    """With the published weights, for two images."""
    torch.manual_seed(0)
    network = MedSamAutomatic(2, **how)
    network.medsam.load_state_dict(published_tensors())
    return network


def test_its_first_answers_are_those_of_lite_medsam_on_the_mean_of_the_centre_slices() -> None:
    network = begun().eval()
    pictures = torch.rand(2, 6, 256, 256)
    centre = (pictures[:, 1] + pictures[:, 4]) / 2
    with torch.inference_mode():
        found = network(pictures)
        for number in range(2):
            embedding = network.medsam.embed(centre[number].expand(1, 3, -1, -1))
            expected, _ = network.medsam.decode(embedding, torch.tensor([[0.0, 0.0, 256.0, 256.0]]))
            torch.testing.assert_close(found[number], expected, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize(("encoder", "adapter"), [(True, True), (False, True), (False, False)])
def test_gradients_reach_what_learns(encoder: bool, adapter: bool) -> None:
    network = begun(trains_encoder=encoder, trains_adapter=adapter).train()
    statistics = {name: each.clone() for name, each in network.named_buffers() if "running" in name}
    logits, quality = network(torch.rand(1, 6, 256, 256))
    assert (logits.shape, quality.shape) == ((1, 1, 256, 256), (1,))
    (logits.mean() + quality.mean()).backward()
    first = network.medsam.image_encoder.patch_embed.seq[0].c.weight
    assert (first.grad is not None) is encoder
    assert (network.adapter.weight.grad is not None and bool(network.adapter.weight.grad.any())) is adapter
    assert network.medsam.mask_decoder.mask_tokens.weight.grad is not None
    assert all(torch.equal(each, statistics[name]) for name, each in network.named_buffers() if name in statistics)


def test_a_random_adapter_is_none_that_passes_the_centre_on() -> None:
    weight = begun(trains_adapter=False).adapter.weight
    assert (weight != 0).all()
    learned = begun().adapter.weight.detach()
    assert learned[:, [1, 4], 3, 3].eq(0.5).all()
    assert learned.sum() == 3.0
