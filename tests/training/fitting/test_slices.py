"""Training of networks on slices: epochs, losses, presets, the weights it begins with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from safetensors.torch import save_file

from datasets.errors import RejectedInput
from tests.training.networks.test_se_resnext_unet import published
from tests.training.support.synthetic import blob_case
from training.fitting.choice import TrainingChoice
from training.fitting.losses import SliceLoss, overlap, slice_loss
from training.fitting.running.optimisers import Optimiser, Schedule
from training.fitting.running.settings import LoopSettings
from training.fitting.slice_begin import Adapter, Begin, Encoder, FirstLayer, FirstWeights, begun_network
from training.fitting.slice_sampler import PictureSampler, Variation
from training.fitting.slices import SliceSettings, fit_slices
from training.inputs.slice_triplets import PictureRule
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import read_description
from training.networks.se_resnext_unet import SeResNextUNet
from training.networks.slice_networks import SliceNetwork
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.slices.slice_plan import Copies, Crop, Planes, SlicePlan
from training.table.table import method_called

SMALL = SlicePlan(PictureRule(32), widths=(4, 8))
UNET, MEDSAM = method_called("unet-25d"), method_called("medsam-automatic")


def test_the_preset_is_what_the_paper_says() -> None:
    settings = SliceSettings.of_choice(TrainingChoice(UNET, ("t1", "t2")).with_preset("mstt-199"))
    loop, plan = settings.loop, settings.plan
    assert (loop.optimiser, loop.schedule, loop.learning_rate) == (Optimiser.ADAM, Schedule.CONSTANT, 1e-4)
    assert (loop.weight_decay, loop.averaging, settings.batch, settings.epochs) == (0.0, 0.0, 16, 5)
    assert (settings.loss, settings.empty_slices, settings.variation) == (SliceLoss.BCE, 0.0, Variation.MSTT_199)
    assert (plan.architecture, plan.rule.input_size) == (SliceNetwork.SE_RESNEXT50, 256)
    assert (plan.planes, plan.copies, plan.crop) == (Planes.THREE, Copies.ALL, Crop.NONE)
    assert settings.begin.first_layer is FirstLayer.FRESH


def test_what_is_given_counts_before_the_preset() -> None:
    choice = TrainingChoice(UNET, options={"batch": 2, "loss": "dice-ce"}).with_preset("mstt-199")
    settings = SliceSettings.of_choice(choice)
    assert (settings.batch, settings.loss, settings.epochs) == (2, SliceLoss.DICE_CE, 5)
    again = TrainingChoice.from_described(choice.described)
    assert SliceSettings.of_choice(again) == settings
    for_iterations = TrainingChoice(UNET, iterations=7).with_preset("mstt-199")
    assert SliceSettings.of_choice(for_iterations).epochs is None
    kept = TrainingChoice.from_described(for_iterations.described | {"epochs": 5})  # of a version that took both
    assert SliceSettings.of_choice(kept) == SliceSettings.of_choice(for_iterations)


def test_iterations_beside_epochs_are_refused() -> None:
    with pytest.raises(RejectedInput, match="fit-epochs"):
        TrainingChoice(UNET, iterations=7, options={"epochs": 5})


def test_lite_medsams_preset_has_the_untrained_adapter() -> None:
    begin = SliceSettings.of_choice(TrainingChoice(MEDSAM).with_preset("mstt-199")).begin
    assert (begin.encoder, begin.adapter) == (Encoder.FROZEN, Adapter.FROZEN)
    default = SliceSettings.of_choice(TrainingChoice(MEDSAM))
    assert (default.begin.encoder, default.begin.adapter) == (Encoder.TRAINED, Adapter.LEARNED)
    assert (default.batch, default.loop.learning_rate) == (4, 5e-5)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"network": "resnet"}, "fit-settings"),
        ({"batch": 0}, "fit-settings"),
        ({"learning_rate": 0.0}, "fit-settings"),
        ({"encoder": "frozen"}, "fit-option"),
    ],
)
def test_options_that_the_method_does_not_have(options: dict[str, object], code: str) -> None:
    with pytest.raises(RejectedInput, match=code):
        TrainingChoice(UNET, options=options)


def test_pictures_whose_side_the_network_cannot_halve() -> None:
    with pytest.raises(RejectedInput, match="fit-settings") as caught:
        SliceSettings.of_choice(TrainingChoice(UNET, options={"picture_size": 100}))
    assert caught.value.remedy == "Choose --picture-size 96."
    assert SliceSettings.of_choice(TrainingChoice(UNET, options={"picture_size": 96})).plan.rule.input_size == 96


def test_a_preset_that_the_method_does_not_have() -> None:
    with pytest.raises(RejectedInput, match="fit-preset"):
        TrainingChoice(UNET).with_preset("nnunet")


def test_an_epoch_shows_as_many_slices_with_tumour_as_there_are() -> None:
    case = blob_case(0, shape=(48, 40, 12), radius_mm=9.0)
    filled = int(case.mask.foreground.any(axis=(0, 1)).sum())
    settings = SliceSettings(LoopSettings(1), SMALL, batch=2, empty_slices=0.0)
    assert PictureSampler([case], ("t1",), SMALL, shown=settings.shown).iterations_of_epoch == -(-filled // 2)
    half = replace(settings, empty_slices=0.5)
    assert PictureSampler([case], ("t1",), SMALL, shown=half.shown).iterations_of_epoch == filled
    assert settings.in_iterations(9) is settings
    assert replace(settings, epochs=3).in_iterations(9).loop.iterations == 27


def test_three_planes_show_slices_of_all_of_them() -> None:
    case, settings = blob_case(0), SliceSettings(LoopSettings(1), SMALL, batch=1, empty_slices=0.0)
    plans = (SMALL, replace(SMALL, planes=Planes.THREE))
    one, three = (PictureSampler([case], ("t1",), plan, shown=settings.shown) for plan in plans)
    # Nothing vanishes in so large a tumour: each plane has its own slices with it.
    own = [int(case.mask.foreground.any(axis=axes).sum()) for axes in ((0, 1), (1, 2), (0, 2))]
    assert one.iterations_of_epoch == own[0]
    assert own[0] < three.iterations_of_epoch <= sum(own)


def test_losses_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.6).float()
    expected = torch.nn.BCEWithLogitsLoss()(logits, target)
    torch.testing.assert_close(slice_loss(logits, target, SliceLoss.BCE), expected)
    monai = DiceCELoss(sigmoid=True, squared_pred=True)(logits, target)
    torch.testing.assert_close(slice_loss(logits, target, SliceLoss.DICE_CE), monai)


def test_the_estimate_of_the_overlap_is_learned() -> None:
    """Masks of four pixels: two of three are shared; both empty; nothing is shared."""
    logits = torch.tensor([[9.0, 9.0, -9.0, -9.0], [-9.0] * 4, [9.0, -9.0, -9.0, -9.0]]).view(3, 1, 2, 2)
    target = torch.tensor([[1.0, 1.0, 1.0, 0.0], [0.0] * 4, [0.0, 1.0, 0.0, 0.0]]).view(3, 1, 2, 2)
    torch.testing.assert_close(overlap(logits, target), torch.tensor([2 / 3, 1.0, 0.0]))
    quality = torch.tensor([2 / 3, 0.5, 0.5])
    plain, with_estimate = (slice_loss(answer, target, SliceLoss.DICE_BCE) for answer in (logits, (logits, quality)))
    assert float(with_estimate - plain) == pytest.approx((0 + 0.25 + 0.25) / 3, abs=1e-6)


@pytest.mark.slow
def test_imagenet_weights_from_a_file_are_needed_once(tmp_path: Path) -> None:
    """The package has all that it needs, and names the file by its digest alone."""
    torch.manual_seed(0)
    file = tmp_path / "secret-name.safetensors"
    save_file({name: each.contiguous() for name, each in published(SeResNextUNet(3)).items()}, file)
    plan = SlicePlan(PictureRule(32), architecture=SliceNetwork.SE_RESNEXT50)
    weights = FirstWeights.read(SliceNetwork.SE_RESNEXT50, file)
    begun = begun_network(plan, Begin(), weights, images=1)
    mean = weights.tensors["layer0.conv1.weight"].mean(1)
    torch.testing.assert_close(begun.encoder.layer0.conv1.weight[:, 0], mean)
    options = {"network": "se-resnext50", "encoder_weights": str(file), "batch": 1, "crop": "none"}
    fitted = train_method(TrainingChoice(UNET, ("t1",), 1, options=options), [blob_case(0)])
    file.unlink()
    digest = package_trained([fitted], tmp_path / "m", name="deep", version="1", inputs={"cohort": "a" * 64})
    description = read_description(tmp_path / "m")
    assert description.parameters["first_weights"] == weights.sha256
    assert b"secret-name" not in (tmp_path / "m" / "model.json").read_bytes()
    segmenter = load_segmenter(tmp_path / "m", expected_digest=digest)
    drawn = segmenter.segment(SegmentationRequest(blob_case(0).volumes, "t1", slices=(3,)))
    assert np.isfinite(drawn.probability.data).all()


@pytest.mark.parametrize("network", [SliceNetwork.RESIDUAL, SliceNetwork.SE_RESNEXT50])
def test_a_file_that_is_none_is_refused(tmp_path: Path, network: SliceNetwork) -> None:
    with pytest.raises(RejectedInput, match="encoder-weights"):
        FirstWeights.read(network, tmp_path / "missing.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(RejectedInput, match="encoder-weights"):
        FirstWeights.read(network, tmp_path / "bad.safetensors")


def test_a_pickle_with_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Path("x")}, tmp_path / "bad.pth")
    with pytest.raises(RejectedInput, match="checkpoint-unreadable"):
        FirstWeights.read(SliceNetwork.SE_RESNEXT50, tmp_path / "bad.pth")


def test_lite_medsam_cannot_see_other_pictures() -> None:
    with pytest.raises(RejectedInput, match="package-parameters"):
        SlicePlan(PictureRule(128), architecture=SliceNetwork.LITE_MEDSAM)


@pytest.mark.slow
def test_lite_medsam_is_fitted_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    settings = SliceSettings(
        LoopSettings(2, learning_rate=5e-5, checkpoint_every=1, averaging=0.0),
        SlicePlan(PictureRule(256), architecture=SliceNetwork.LITE_MEDSAM),
        begin=Begin(encoder=Encoder.FROZEN),
        batch=1,
    )
    weights = FirstWeights.read(SliceNetwork.LITE_MEDSAM, None)

    def stop(done: int, total: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_slices(
            [blob_case(0)], ("t1",), settings, weights=weights, checkpoint=tmp_path / "c.safetensors", progress=stop
        )
    network, losses = fit_slices(
        [blob_case(0)], ("t1",), settings, weights=weights, checkpoint=tmp_path / "c.safetensors"
    )
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    state = network.state_dict()
    encoder = {name: each for name, each in state.items() if name.startswith("medsam.image_encoder.")}
    assert all(torch.equal(each, weights.tensors[name.removeprefix("medsam.")]) for name, each in encoder.items())
    changed = state["adapter.weight"]
    assert not torch.equal(changed, begun_network(settings.plan, settings.begin, weights, images=1).adapter.weight)
