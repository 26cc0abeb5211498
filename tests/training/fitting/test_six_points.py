"""How six points learn: one plan for training and service, the same bytes from the same seed, and Dice rises."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from tests.training.support.ball_examples import ball_example
from training.fitting import six_points as fitting
from training.fitting.running.settings import LoopSettings
from training.fitting.six_points import PointsSettings, fit_six_points, plan_points
from training.inputs.augmentation import Augmentation
from training.measures.metrics import dice
from training.prompts.prompt import Prompts
from training.prompts.simulated_points import points_mm, six_points
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.six_points import SixPointsSegmenter, points_input

SETTINGS = PointsSettings(
    LoopSettings(iterations=3, checkpoint_every=2), widths=(4, 8, 8, 8), budget=3000, supervised=1
)
EXAMPLES = [ball_example(number, ("t1", "t2", "ct", "pet")) for number in range(4)]
STILL = Augmentation(mirror=0, turn=0, intensity=0, noise=0, blur=0, gamma=0, invert=0)


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_stopped_or_not(tmp_path: Path) -> None:
    plan, tensors, losses = fit_six_points(EXAMPLES, SETTINGS)

    def progress(done: int, of: int, loss: float) -> None:
        if done == 3:
            raise Stopped

    path = tmp_path / "network.safetensors"
    with pytest.raises(Stopped):
        fit_six_points(EXAMPLES[::-1], SETTINGS, checkpoint=path, progress=progress)
    for other, cases in ((replace(SETTINGS, relaxations=(0.1, 0.1)), EXAMPLES), (SETTINGS, EXAMPLES[1:])):
        with pytest.raises(RejectedInput, match="fit-checkpoint"):
            fit_six_points(cases, other, checkpoint=path)
    again = fit_six_points(EXAMPLES[::-1], SETTINGS, checkpoint=path)
    assert again[0] == plan
    assert again[2] == losses
    assert {name: each.tobytes() for name, each in again[1].items()} == {
        name: each.tobytes() for name, each in tensors.items()
    }
    other_seed = fit_six_points(EXAMPLES, replace(SETTINGS, loop=replace(SETTINGS.loop, seed=1)))
    assert any(not np.array_equal(each, other_seed[1][name]) for name, each in tensors.items())


def test_training_shows_what_service_shows() -> None:
    """Without augmentation, an example is shown as `points_input` makes it, with its target in the same place."""
    settings = replace(SETTINGS, channels=("t1", "t2"), augmentation=STILL, relaxations=(0.1, 0.1))
    plan = plan_points(EXAMPLES[:1], settings)
    learner = fitting.PointsLearner(EXAMPLES[:1], plan, settings, device=torch.device("cpu"))
    shown, target = learner.example(np.random.default_rng(5))
    random = np.random.default_rng(5)
    random.integers(1)
    example, grid = EXAMPLES[0], as_ras(EXAMPLES[0].volumes["t1"]).grid
    points = six_points(example.inside, grid.spacing, random).astype(float)
    images = [example.raw(name) for name in ("t1", "t2")]
    served = points_input(images, points, grid, region=plan.region(points, grid), plan=plan)
    np.testing.assert_allclose(shown.numpy(), served, atol=1e-6)
    inside = target[0].numpy() > 0.5
    assert inside.sum() > 20
    assert served[0][inside].mean() > served[0][~inside].mean() + 1.0


def test_maps_keep_their_own_greys() -> None:
    settings = replace(SETTINGS, augmentation=replace(STILL, invert=1.0, intensity=1.0))
    plan = plan_points(EXAMPLES[:1], settings)
    learners = [
        fitting.PointsLearner(EXAMPLES[:1], plan, each, device=torch.device("cpu"))
        for each in (settings, replace(settings, augmentation=STILL))
    ]
    varied, plain = (learner.example(np.random.default_rng(1))[0] for learner in learners)
    torch.testing.assert_close(varied[1:], plain[1:])
    assert (varied[0] * plain[0]).mean() < 0, "the image is inverted"


@pytest.mark.parametrize("channels", [("t1", "t2"), ("ct", "pet")])
def test_two_images(channels: tuple[str, ...]) -> None:
    settings = replace(SETTINGS, channels=channels, loop=LoopSettings(iterations=1))
    plan, tensors, _ = fit_six_points(EXAMPLES, settings)
    assert list(plan.channels) == list(channels)
    assert tensors["input_block.conv1.conv.weight"].shape[1] == 2 + len(plan.maps)
    with pytest.raises(RejectedInput, match="sequence-missing"):
        fit_six_points([*EXAMPLES, ball_example(9, channels[:1])], settings)


@pytest.mark.parametrize("examples", [[], [EXAMPLES[0], EXAMPLES[0]]])
def test_no_example_and_one_twice_are_refused(examples: list) -> None:  # type: ignore[type-arg]
    with pytest.raises(RejectedInput, match="fit-no-cases"):
        fit_six_points(examples, SETTINGS)


@pytest.mark.slow
def test_a_few_dozen_iterations_learn_a_bright_ball(tell_figure: Callable[[str], None]) -> None:
    settings = replace(SETTINGS, loop=LoopSettings(iterations=40, learning_rate=0.02, averaging=0.9))
    found = []
    for each in (replace(settings, loop=LoopSettings(iterations=1, learning_rate=1e-6)), settings):
        plan, tensors, _ = fit_six_points(EXAMPLES, each)
        network = fitting.dyn_unet(replace(plan.network, supervised=0)).eval()
        network.load_state_dict({name: torch.from_numpy(tensor).float() for name, tensor in tensors.items()})

        def run(*inputs: np.ndarray, network: torch.nn.Module = network) -> np.ndarray:
            with torch.no_grad():
                answer: np.ndarray = network(torch.from_numpy(inputs[0])).numpy()
            return answer

        segmenter = SixPointsSegmenter([run], plan, title="learned")
        scores = []
        for number in range(20, 24):
            example = ball_example(number)
            grid = as_ras(example.volumes["t1"]).grid
            points = points_mm(six_points(example.inside, grid.spacing, np.random.default_rng(0)), grid)
            request = SegmentationRequest(example.volumes, "t1", Prompts(extreme_points=points))
            scores.append(dice(segmenter.segment(request).probability.data > 0.5, example.mask.foreground))
        found.append(float(np.mean(scores)))
    tell_figure(f"six points on bright balls, Dice after 1 and 40 iterations: {found[0]:.2f}, {found[1]:.2f}")
    assert found[1] > 0.55
    assert found[1] > found[0] + 0.2
