"""How click models learn: sessions happen as the methods say, what is shown is what will be served, and Dice rises."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.errors import RejectedInput
from tests.training.support.ball_examples import ball_example
from training.fitting import click_session
from training.fitting import clicks as fitting
from training.fitting.clicks import ClickSettings, fit_automatic, fit_refiner
from training.fitting.running.settings import LoopSettings
from training.inputs.augmentation import Augmentation
from training.prompts.simulated_clicks import ClickRule
from training.segmenters.clicks.click_plan import NO_INFORMATION, CanvasClicks, ClickPlan

WIDTHS = (4, 8, 16)
DEEPGROW = ClickSettings(LoopSettings(iterations=3, checkpoint_every=2), canvas=(16, 16, 8), widths=WIDTHS)
TWO_STAGE = replace(DEEPGROW, at_every_click=True)
FLAT = replace(DEEPGROW, canvas=(16, 16), at_every_click=True, batch=2)
EXAMPLES = [ball_example(number, ("t1", "t2", "ct", "pet"), shape=(20, 20, 10)) for number in range(3)]


class Watched:
    """Stands in for a network: answers as told, keeps what it was shown."""

    def __init__(self, answer: float = 4.0) -> None:
        self.shown: list[Tensor] = []
        self.weight = torch.zeros(1, requires_grad=True)
        self.answer = answer

    def __call__(self, images: Tensor) -> Tensor:
        self.shown.append(images.detach().clone())
        random = torch.randn(images[:, :1].shape, generator=torch.Generator().manual_seed(len(self.shown)))
        return random * self.answer + self.weight


def session(settings: ClickSettings, *, automatic: bool = False) -> Any:
    return click_session.ClickSession(settings.plan(automatic=automatic), settings, torch.device("cpu"))


def ball_batch(settings: ClickSettings) -> tuple[Tensor, Tensor]:
    shape = settings.canvas
    away = (np.indices(shape).reshape(len(shape), -1).T - np.array(shape) / 2) / shape
    inside = (np.linalg.norm(away, axis=1) < 0.3).reshape(1, 1, *shape)
    target = torch.from_numpy(np.repeat(inside, settings.batch, axis=0).astype(np.float32))
    return target * 2 - 1, target


def count_positive(maps: Tensor) -> int:
    return int((maps == 1.0).sum())


def test_deepgrow_learns_once_a_session_after_all_clicks() -> None:
    images, target = ball_batch(DEEPGROW)
    counts = []
    for seed in range(40):
        network = Watched()
        losses = list(
            session(DEEPGROW).gathered(network, images, target, random=np.random.default_rng(seed), first=None)
        )
        assert len(losses) == 1
        assert losses[0].loss.requires_grad
        counts.append(len(network.shown))
        first, last = network.shown[0][0], network.shown[-1][0]
        assert first.shape == (3, *DEEPGROW.canvas)
        assert first[1].max() == 1.0, "the first click is on the tumour"
        assert first[2].max() == 0.0
        clicked = sum(count_positive(channel) for channel in last[1:])
        assert clicked <= counts[-1]
    assert (min(counts), max(counts)) == (1, DEEPGROW.most_clicks)
    assert 4.0 < np.mean(counts) < 7.0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_deepedits_share_of_sessions_without_clicks(share: float) -> None:
    settings = replace(DEEPGROW, click_free=share, most_clicks=2)
    images, target = ball_batch(settings)
    free = 0
    for seed in range(120):
        network = Watched()
        list(session(settings).gathered(network, images, target, random=np.random.default_rng(seed), first=None))
        if network.shown[-1][0, 1:].abs().sum() == 0.0:
            free += 1
            assert len(network.shown) == 1
    assert free == pytest.approx(120 * share, abs=20 if 0 < share < 1 else 0)


def test_clicks_go_where_the_last_answer_errs() -> None:
    """A network that draws everything is clicked outside the tumour, one that draws nothing inside it."""
    images, target = ball_batch(DEEPGROW)

    def all_of_it(images: Tensor) -> Tensor:
        return torch.full_like(images[:, :1], 5.0)

    settings = replace(DEEPGROW, most_clicks=10)
    for predict, channel in ((all_of_it, 2), (lambda images: -all_of_it(images), 1)):
        kept: list[Tensor] = []

        def watched(images: Tensor, predict: Any = predict, kept: list[Tensor] = kept) -> Tensor:
            kept.append(images)
            answer: Tensor = predict(images)
            return answer.requires_grad_()

        random = np.random.default_rng(4)
        list(session(settings).gathered(watched, images, target, random=random, first=None))
        assert len(kept) > 3
        before, after = kept[-2][0], kept[-1][0]
        assert torch.equal(before[3 - channel], after[3 - channel]), "no click of the other sign"
        assert not torch.equal(before[channel], after[channel])


def run_at_every_click(settings: ClickSettings, seed: int, first: Any = None) -> tuple[Watched, int, list[Tensor]]:
    """The network, how many losses there were, and its answers."""
    images, target = ball_batch(settings)
    network, answers = Watched(), []

    def kept(images: Tensor) -> Tensor:
        answers.append(network(images))
        return answers[-1]

    found = session(settings, automatic=first is not None).at_every_click(
        kept, images, target, random=np.random.default_rng(seed), first=first
    )
    return network, len(list(found)), answers


def drawn_by_itself(images: Tensor) -> Tensor:
    """A first network that draws the half of the canvas."""
    answer = torch.full_like(images[:, :1], -5.0)
    answer[:, :, : answer.shape[2] // 2] = 5.0
    return answer


@pytest.mark.parametrize("settings", [TWO_STAGE, FLAT], ids=["3d", "2d"])
def test_two_stages_learn_at_every_click_on_the_last_answer_unless_it_is_dropped(settings: ClickSettings) -> None:
    steps, dropped, kept = [], 0, 0
    for seed in range(30):
        network, losses, answers = run_at_every_click(settings, seed)
        assert losses == len(network.shown) == len(answers)
        steps.append(losses)
        assert (network.shown[0][:, -1] == NO_INFORMATION).all(), "there is no answer before the first"
        for shown, before in zip(network.shown[1:], answers[:-1], strict=True):
            if (shown[:, -1] == NO_INFORMATION).all():
                dropped += 1
            else:
                kept += 1
                torch.testing.assert_close(shown[:, -1], torch.sigmoid(before[:, 0]).detach(), atol=0, rtol=0)
    assert (min(steps), max(steps)) == (1, settings.most_clicks)
    assert dropped / (dropped + kept) == pytest.approx(0.2, abs=0.1)


def test_the_first_networks_answer_is_what_the_first_click_corrects() -> None:
    seen = dropped = 0
    for seed in range(100):
        network, _, _ = run_at_every_click(replace(TWO_STAGE, most_clicks=1), seed, first=drawn_by_itself)
        previous = network.shown[0][0, -1]
        if (previous == NO_INFORMATION).all():
            dropped += 1
            continue
        seen += 1
        half = previous.shape[0] // 2
        assert previous[:half].mean() > previous[half:].mean() + 0.2, "worse than it was, but the same"
        assert 0.0 <= previous.min() <= previous.max() <= 1.0
    # A fifth of the sessions begins without it, and of the others a fifth has it dropped.
    assert dropped / 100 == pytest.approx(0.36, abs=0.15)
    assert seen > 40


@pytest.mark.parametrize(("dropout", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_mask_dropout_is_as_asked(dropout: float, share: float) -> None:
    settings = replace(TWO_STAGE, mask_dropout=dropout)
    shown = [each for seed in range(10) for each in run_at_every_click(settings, seed)[0].shown[1:]]
    assert np.mean([(each[:, -1] == NO_INFORMATION).all() for each in shown]) == share


def test_what_training_shows_is_what_the_plan_serves() -> None:
    """Clicks of a session, put through the plan as a segmenter does from its region, give the same channels."""
    settings = replace(TWO_STAGE, channels=("t1", "t2"))
    plan: ClickPlan = settings.plan(automatic=True)
    images, _ = ball_batch(settings)
    images = torch.cat([images, images * 0.5], dim=1)
    previous = np.random.default_rng(0).random((1, *settings.canvas)).astype(np.float32)
    truth, nothing = np.ones(settings.canvas, bool), np.zeros(settings.canvas, bool)
    made = [click_session.next_click(truth, nothing, np.random.default_rng(n)) for n in range(3)]
    clicks = [replace(click, positive=number != 1) for number, click in enumerate(made) if click is not None]
    training = session(settings, automatic=True).input_of(images, [clicks], previous)[0].numpy()
    points = np.array([click.index for click in clicks], float)
    served = plan.refiner_input(images[0].numpy(), CanvasClicks(points[[0, 2]], points[[1]]), previous[0])
    np.testing.assert_array_equal(training, served)
    assert training.shape == (5, *settings.canvas)
    np.testing.assert_array_equal(training[:2], images[0])
    assert training[(2, *clicks[0].index)] == training[(2, *clicks[2].index)] == 1.0
    assert training[(3, *clicks[1].index)] == 1.0
    np.testing.assert_array_equal(training[4], previous[0])


@pytest.mark.slow
@pytest.mark.parametrize("settings", [DEEPGROW, TWO_STAGE, FLAT], ids=["deepgrow", "two-stage", "2d"])
def test_the_same_seed_gives_the_same_bytes_and_order_does_not_matter(settings: ClickSettings) -> None:
    first, losses = fit_refiner(EXAMPLES, settings)
    again, same = fit_refiner(EXAMPLES[::-1], settings)
    other, _ = fit_refiner(EXAMPLES, replace(settings, loop=replace(settings.loop, seed=1)))
    assert losses == same
    assert {name: tensor.tobytes() for name, tensor in first.items()} == {
        name: tensor.tobytes() for name, tensor in again.items()
    }
    assert any(not np.array_equal(tensor, other[name]) for name, tensor in first.items())


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.slow
@pytest.mark.parametrize("settings", [DEEPGROW, TWO_STAGE], ids=["deepgrow", "two-stage"])
def test_a_stopped_training_ends_as_a_whole_one_and_another_is_refused(settings: ClickSettings, tmp_path: Path) -> None:
    settings = replace(settings, loop=replace(settings.loop, iterations=4))
    first = None
    if settings.at_every_click:
        first, _ = fit_automatic(EXAMPLES, settings)
    whole = fit_refiner(EXAMPLES, settings, automatic=first)
    path = tmp_path / "refiner.safetensors"

    def progress(done: int, of: int, loss: float) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        fit_refiner(EXAMPLES, settings, automatic=first, checkpoint=path, progress=progress)
    for other, cases in ((replace(settings, mask_dropout=0.3), EXAMPLES), (settings, EXAMPLES[:2])):
        with pytest.raises(RejectedInput, match="fit-checkpoint"):
            fit_refiner(cases, other, automatic=first, checkpoint=path)
    resumed = fit_refiner(EXAMPLES, settings, automatic=first, checkpoint=path)
    assert whole[1] == resumed[1]
    assert all(np.array_equal(tensor, resumed[0][name]) for name, tensor in whole[0].items())


@pytest.mark.slow
@pytest.mark.parametrize("channels", [("t1", "t2"), ("ct", "pet")])
@pytest.mark.parametrize("settings", [DEEPGROW, TWO_STAGE, FLAT], ids=["deepgrow", "two-stage", "2d"])
def test_two_images(settings: ClickSettings, channels: tuple[str, ...]) -> None:
    settings = replace(settings, channels=channels, loop=LoopSettings(iterations=1))
    tensors, _ = fit_refiner(EXAMPLES, settings)
    assert tensors["input_block.conv1.conv.weight"].shape[1] == 4 + settings.at_every_click
    plan = settings.plan(automatic=True)
    assert plan.automatic is not None
    assert plan.automatic.channels == 2
    with pytest.raises(RejectedInput, match="sequence-missing"):
        fit_refiner([*EXAMPLES, ball_example(9, channels[:1])], settings)


def dice_with_clicks(plan: ClickPlan, tensors: dict[str, Any], clicks: int) -> float:
    """Mean over balls that were never seen, on the canvas."""
    from training.networks.dyn_unet import dyn_unet

    network = dyn_unet(plan.refiner).eval()
    network.load_state_dict({name: torch.from_numpy(tensor).float() for name, tensor in tensors.items()})
    settings = replace(DEEPGROW, canvas=plan.canvas, augmentation=Augmentation(), rule=ClickRule.DEEPGROW)
    held_back = [ball_example(number, shape=(20, 20, 10)) for number in range(20, 24)]
    images, target = fitting.canvas_sampler(held_back, settings, plan).batch(np.random.default_rng(0), 6)
    found = []
    for image, truth in zip(images, target, strict=True):
        random, inside = np.random.default_rng(1), np.zeros(plan.canvas, bool)
        own: list[Any] = []
        for _ in range(clicks):
            made = click_session.next_click(truth[0].numpy() > 0.5, inside, random)
            own += [made] if made is not None else []
            batch = click_session.ClickSession(plan, settings, torch.device("cpu")).input_of(image[None], [own], None)
            with torch.no_grad():
                inside = network(batch)[0, 0].numpy() > 0
        wanted = truth[0].numpy() > 0.5
        found.append(2 * (inside & wanted).sum() / (inside.sum() + wanted.sum()))
    return float(np.mean(found))


@pytest.mark.slow
def test_a_few_dozen_iterations_learn_a_bright_ball() -> None:
    settings = replace(
        DEEPGROW, loop=LoopSettings(iterations=60, learning_rate=0.02, averaging=0.9), most_clicks=3, batch=2
    )
    plan = settings.plan(automatic=False)
    untrained, _ = fit_refiner(EXAMPLES, replace(settings, loop=LoopSettings(iterations=1, learning_rate=1e-6)))
    trained, losses = fit_refiner(EXAMPLES, settings)
    before, after = dice_with_clicks(plan, untrained, 3), dice_with_clicks(plan, trained, 3)
    assert after > 0.7
    assert after > before + 0.3
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.slow
def test_the_first_network_learns_too() -> None:
    settings = replace(TWO_STAGE, loop=LoopSettings(iterations=40, learning_rate=0.02, averaging=0.9), batch=2)
    tensors, losses = fit_automatic(EXAMPLES, settings)
    assert tensors["input_block.conv1.conv.weight"].shape[1] == 1
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


WRONG: list[dict[str, Any]] = [
    {"batch": 0}, {"most_clicks": 0}, {"click_free": 1.5}, {"mask_dropout": -0.1}, {"whole": 2.0}
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[next(iter(each)) for each in WRONG])
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput, match="fit-settings"):
        replace(DEEPGROW, **wrong)


def test_a_canvas_that_does_not_halve_is_refused() -> None:
    with pytest.raises(RejectedInput, match="click-plan"):
        fit_refiner(EXAMPLES, replace(DEEPGROW, canvas=(15, 16, 8)))


@pytest.mark.parametrize("way", ["gathered", "at_every_click"])
def test_in_some_sessions_another_mask_is_wanted_in_clicks_and_loss_alike(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(TWO_STAGE if way == "at_every_click" else DEEPGROW, wander=0.5)
    images, target = ball_batch(settings)
    clicked, learned = [], []
    real_click, real_loss = click_session.next_click, click_session.dice_and_cross_entropy

    def click(wanted: np.ndarray, *rest: Any, **named: Any) -> Any:
        clicked.append(wanted)
        return real_click(wanted, *rest, **named)

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        learned.append(wanted[0, 0].numpy() > 0.5)
        return real_loss(logits, wanted)

    monkeypatch.setattr(click_session, "next_click", click)
    monkeypatch.setattr(click_session, "dice_and_cross_entropy", loss)
    wandered = 0
    for seed in range(40):
        clicked.clear()
        learned.clear()
        list(getattr(session(settings), way)(Watched(), images, target, random=np.random.default_rng(seed), first=None))
        assert all(np.array_equal(each, clicked[0]) for each in [*clicked, *learned])
        wandered += not np.array_equal(clicked[0], target[0, 0].numpy() > 0.5)
    assert 10 <= wandered <= 28


def test_a_refiner_begins_as_the_first_network_blind_to_clicks() -> None:
    plan = replace(TWO_STAGE, channels=("ct", "pet")).plan(automatic=True)
    assert plan.automatic is not None
    torch.manual_seed(0)
    first, refiner = fitting.dyn_unet(plan.automatic).eval(), fitting.dyn_unet(plan.refiner).eval()
    fitting.begin_with(refiner, fitting.half_precision(first))
    shown = torch.randn(1, 5, *TWO_STAGE.canvas)
    with torch.no_grad():
        expected = first(shown[:, :2])
        torch.testing.assert_close(refiner(shown), expected, atol=5e-3 * float(expected.abs().max()), rtol=0)
