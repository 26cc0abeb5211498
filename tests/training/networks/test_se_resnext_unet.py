"""The SE-ResNeXt50 U-Net: its sizes are the published ones, and published tensors find their places."""

import re

import pytest
import torch

from datasets.errors import RejectedInput
from training.networks.se_resnext_unet import SeResNextUNet, adapted_first_layer, put_encoder, renamed_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> SeResNextUNet:
    return SeResNextUNet(6).eval()


def published(network: SeResNextUNet, *, colours: int = 3) -> dict[str, torch.Tensor]:
    """The encoder's tensors as Cadene's file has them: his names, squeezes as convolutions, a classifier."""
    names = (
        (r"(layer\d\.\d\.conv\d)\.conv\.", r"\1."),
        (r"(layer\d\.\d)\.conv(\d)\.adn\.N\.", r"\1.bn\2."),
        (r"(layer\d\.\d)\.se_layer\.fc\.0\.", r"\1.se_module.fc1."),
        (r"(layer\d\.\d)\.se_layer\.fc\.2\.", r"\1.se_module.fc2."),
        (r"(layer\d\.\d)\.project\.conv\.", r"\1.downsample.0."),
        (r"(layer\d\.\d)\.project\.adn\.N\.", r"\1.downsample.1."),
    )
    found = {"last_linear.weight": torch.zeros(1000, 2048), "last_linear.bias": torch.zeros(1000)}
    for name, tensor in network.encoder.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        for pattern, old in names:
            name = re.sub(pattern, old, name)
        is_squeeze = "se_module" in name and name.endswith("weight")
        found[name] = tensor[:, :, None, None].clone() if is_squeeze else tensor.clone()
    found["layer0.conv1.weight"] = torch.randn(64, colours, 7, 7)
    return found


def test_it_has_as_many_parameters_as_the_published_ones(network: SeResNextUNet) -> None:
    """27,559,896 with a classifier of 2048 x 1000 + 1000 for three colours; six channels add 64 x 3 x 7 x 7."""
    encoder = sum(each.numel() for each in network.encoder.parameters())
    assert encoder == 27_559_896 - 2_049_000 + 64 * 3 * 49
    # Two 3 x 3 convolutions without bias and two normalisations a block; a 3 x 3 head of 16 channels and a bias.
    blocks = [(2048 + 1024, 256), (256 + 512, 128), (128 + 256, 64), (64 + 64, 32), (32, 16)]
    decoder = sum(9 * (wide * out + out * out) + 4 * out for wide, out in blocks)
    assert sum(each.numel() for each in network.decoder.parameters()) == decoder
    assert sum(each.numel() for each in network.segmentation_head.parameters()) == 9 * 16 + 1


def test_shapes_of_stages_and_answer(network: SeResNextUNet) -> None:
    with torch.inference_mode():
        pictures = torch.zeros(1, 6, 64, 96)
        shapes = [tuple(each.shape[1:]) for each in network.encoded(pictures)]
        answer = network(pictures)
    assert shapes == [(64, 32, 48), (256, 16, 24), (512, 8, 12), (1024, 4, 6), (2048, 2, 3)]
    assert answer.shape == (1, 1, 64, 96)


def test_names_outside_the_encoder_are_those_of_segmentation_models_pytorch(network: SeResNextUNet) -> None:
    names = {*network.state_dict()}
    assert {"decoder.blocks.0.conv1.0.weight", "decoder.blocks.4.conv2.1.running_var"} <= names
    assert network.state_dict()["decoder.blocks.0.conv1.0.weight"].shape == (256, 3072, 3, 3)
    assert network.state_dict()["encoder.layer0.conv1.weight"].shape == (64, 6, 7, 7)
    assert network.state_dict()["segmentation_head.0.weight"].shape == (1, 16, 3, 3)


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_published_tensors_find_their_places(network: SeResNextUNet, prefix: str) -> None:
    given = {f"{prefix}{name}": tensor for name, tensor in published(network).items()}
    if prefix:
        given["decoder.blocks.0.conv1.0.weight"] = torch.zeros(1)
    other = SeResNextUNet(6)
    put_encoder(other, given)
    for name, tensor in network.encoder.state_dict().items():
        if not name.endswith("num_batches_tracked") and name != "layer0.conv1.weight":
            assert torch.equal(other.encoder.state_dict()[name], tensor), name
    assert "last_linear.weight" not in renamed_encoder(given)


def test_a_grey_picture_gives_what_it_gave_in_colour() -> None:
    """Six equal channels through the adapted layer are three equal colours through the published one."""
    weight, grey = torch.randn(8, 3, 7, 7), torch.rand(1, 1, 20, 20)
    adapted = adapted_first_layer(weight, 6)
    assert adapted.shape == (8, 6, 7, 7)
    found = torch.nn.functional.conv2d(grey.repeat(1, 6, 1, 1), adapted)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), weight)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    # by hand: colours 1, 2, 6 have the mean 3, of which six channels have half each
    by_hand = adapted_first_layer(torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1), 6)
    assert by_hand.flatten().tolist() == [1.5] * 6


def test_the_papers_way_keeps_a_random_first_layer(network: SeResNextUNet) -> None:
    other = SeResNextUNet(6)
    before = other.encoder.layer0.conv1.weight.detach().clone()
    put_encoder(other, published(network), first_layer=False)
    assert torch.equal(other.encoder.layer0.conv1.weight, before)
    assert torch.equal(other.encoder.layer4[2].conv3.conv.weight, network.encoder.layer4[2].conv3.conv.weight)


@pytest.mark.parametrize("fault", ["missing", "shape", "nothing"])
def test_other_weights_are_refused(network: SeResNextUNet, fault: str) -> None:
    given = published(network)
    if fault == "missing":
        del given["layer2.0.bn1.weight"]
    elif fault == "shape":
        given["layer0.conv1.weight"] = torch.zeros(64, 3, 3, 3)
    else:
        given = {}
    with pytest.raises(RejectedInput, match="encoder-weights"):
        put_encoder(SeResNextUNet(6), given)
