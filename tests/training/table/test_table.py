"""The table of methods: what its rows say is true, and a method that is one file goes all the way."""

import pickle  # noqa: TID251 - what it makes of a record is what is tried
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import ProgramFault, RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import LoadedCase
from tests.training.support.ball_examples import ball_example
from tests.training.support.method_walk import TOY, small_package, toy_method
from training.evaluation.evaluation import evaluate
from training.evaluation.sessions import SessionPlan
from training.fitting.choice import TrainingChoice
from training.methods.loading import load_segmenter
from training.methods.needs import channels_of, user_of
from training.methods.warming import warm
from training.model_package import read_description
from training.prompts.prompt import Prompts
from training.segmenters.segmenter import SegmentationRequest, Segmenter
from training.table.method import Extent, Method, PromptType, function_called
from training.table.table import method_called, methods, trainable_methods

NAMES = list(methods())


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Method]:
    with toy_method(tmp_path) as method:
        yield method


def walked(method: Method, folder: Path) -> None:
    """From the record to a model that was packaged, loaded, warmed and tried by its user in a session."""
    small_package(method, folder)
    description = read_description(folder)
    assert description.method is method
    assert bool(description.kinds) is not method.takes_any_image
    assert bool(description.drawn_label) is not method.draws_any_label
    segmenter: Segmenter = load_segmenter(folder, expected_digest=description.digest)
    warm(segmenter, description)
    assert hasattr(segmenter, "prepare") is method.embeds
    kinds = channels_of(description)
    example = ball_example(9, kinds, shape=(24, 24, 12))
    user = user_of(method)
    found = evaluate(
        segmenter,
        [LoadedCase("case", example.volumes, example.mask)],
        user=user,
        plan=SessionPlan(clicks=2, seeds=1, per_slice=method.extent is Extent.SLICES, slices_per_case=1),
    )
    assert not found.refused
    assert found.cases[0].clicks == user.rounds(2)
    assert (len(user.rounds(2)) > 1) is method.is_corrected
    if method.extent is Extent.SLICES:
        axis = PicturePlane.of(example.mask.grid).slice_axis
        asked = SegmentationRequest(example.volumes, kinds[0], Prompts(), slice_axis=axis, slices=(6,))
        drawn = segmenter.segment(asked).probability.data.any(axis=tuple({0, 1, 2} - {axis}))
        assert {*np.flatnonzero(drawn)} <= {6}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_method_goes_from_its_record_to_a_session(name: str, tmp_path: Path) -> None:
    walked(method_called(name), tmp_path / "model")


def test_a_method_that_is_one_file_goes_the_same_way(toy: Method, tmp_path: Path) -> None:
    walked(toy, tmp_path / "model")
    assert toy in trainable_methods()
    assert method_called("toy") is toy


def _functions(method: Method) -> tuple[str, ...]:
    return method.load, method.user, method.fit, method.convert, method.bundle, method.bundle_networks


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_whole(name: str) -> None:
    method = method_called(name)
    assert method.title
    assert method.answers, "it serves something"
    assert {*method.serves_first} <= {*method.answers}
    assert {*method.only_when_asked} <= {*method.answers}
    assert PromptType.AUTOMATIC not in method.prompts
    for function in filter(None, _functions(method)):
        assert callable(function_called(function))
    for option in method.options:
        option.require(option.default)
        assert option.help[0].islower()
    if method.fit:
        assert TrainingChoice(method).own_iterations == method.iterations > 0
    assert pickle.loads(pickle.dumps(method)) is method


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_user_gives_the_prompts_that_the_method_reads(name: str) -> None:
    method = method_called(name)
    example = ball_example(3)
    prompts = user_of(method).start(example.mask, np.random.default_rng(0))
    given = {
        PromptType.BOX: prompts.boxes, PromptType.POINT: prompts.clicks,
        PromptType.EXTREME_POINTS: prompts.extreme_points,
    }  # fmt: skip
    assert {kind for kind, found in given.items() if found} <= {method.usual_prompt}


def test_two_files_of_one_name_are_a_fault(toy: Method, tmp_path: Path) -> None:
    (tmp_path / "toy_again.py").write_text(TOY)
    methods.cache_clear()
    with pytest.raises(ProgramFault, match="method-twice"):
        methods()


def test_a_method_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(RejectedInput, match="package-method") as caught:
        method_called("toy")
    assert "unet-25d" in caught.value.message
