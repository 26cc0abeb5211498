"""Every method of the table is registered and answers its prompts; a method that is one file does so too."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.inference.serving.preparing import embedding_models
from annotation_backend.inference.serving.segmenting import predict_slices
from annotation_backend.registry.model_registry import models_folder, promote, register_package
from annotation_backend.registry.models import Model, PromptKind
from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.annotation_backend.support.records import published, registered_case, the_study
from tests.training.support.method_walk import small_package, toy_method
from training.prompts.prompt import Box, Click, Prompts
from training.table.method import Method, PromptType
from training.table.table import method_called, methods

INDEX = 2


@pytest.fixture
def case(tmp_path: Path, settings) -> Case:
    settings.DATA_FOLDER = tmp_path / "data"
    return published(registered_case())[INDEX].case


def _prompts(case: Case, kind: PromptKind) -> Prompts:
    """One prompt of a kind around the middle of a slice."""

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        x, y, z = (float(value) for value in np.ravel(case_volumes(case).grid.to_world([(x, y, z)])))
        return x, y, z

    match kind:
        case PromptKind.BOX:
            return Prompts(boxes=(Box(at(4, 3, INDEX), at(17, 11, INDEX)),))
        case PromptKind.POINT:
            return Prompts(clicks=(Click(at(10, 7, INDEX)),))
        case PromptKind.EXTREME_POINTS:
            ends = [(4, 7, 2), (17, 7, 2), (10, 3, 2), (10, 11, 2), (10, 7, 1), (10, 7, 3)]
            return Prompts(extreme_points=tuple(at(*end) for end in ends))
    return Prompts()


def _served(method: Method, case: Case, folder: Path) -> Model:
    """Registers a small model of a method, lets it serve all it answers, and asks it."""
    small_package(method, folder / "package")
    models_folder().mkdir(parents=True, exist_ok=True)
    shutil.move(folder / "package", models_folder() / f"small-{method}-1")
    model = register_package(models_folder() / f"small-{method}-1")
    assert model.prompt_kinds == [kind.value for kind in method.answers]
    assert (model.images == [], model.label == "") == (method.takes_any_image, method.draws_any_label)
    usual = [row.prompt_kind for row in promote(model, study=the_study())]
    assert usual == [kind for kind in model.prompt_kinds if kind not in method.only_when_asked]
    promote(model, study=the_study(), kinds=[PromptKind(kind) for kind in model.prompt_kinds])
    for kind in map(PromptKind, model.prompt_kinds):
        if kind is PromptKind.AUTOMATIC:
            [drawn] = initial_masks(case, [INDEX], model=model)
            assert not (method.needs_contour and drawn.mask.any()), "no contour came with this case"
        else:
            [drawn] = predict_slices(case, [INDEX], prompts=_prompts(case, kind))
        assert (drawn.model, drawn.mask.shape) == (model, (20, 24))
    assert (model in embedding_models(the_study())) is method.embeds
    return model


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("name", list(methods()))
def test_every_method_is_registered_and_answers_its_prompts(name: str, case: Case, tmp_path: Path) -> None:
    _served(method_called(name), case, tmp_path)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Method]:
    with toy_method(tmp_path) as method:
        yield method


@pytest.mark.django_db
def test_a_method_that_is_one_file_is_registered_and_answers(toy: Method, case: Case, tmp_path: Path) -> None:
    assert str(_served(toy, case, tmp_path)) == "small-toy-1"


def test_commands_train_and_try_a_method_that_is_one_file(toy: Method, tmp_path: Path) -> None:
    write_cohort(tmp_path / "cohort", count=4)
    given = ("--cohort", tmp_path / "cohort", *GLOBS)
    folds = ("--folds", 2, "--ensemble", "--share", "0.4", "--out", tmp_path / "out")
    trained = _said("train_model", "toy", *given, *folds)
    assert [package["folder"] for package in trained["packages"]] == ["fold-1", "fold-2", "ensemble"]
    # The phantom's ball is dark in T1: what is brighter than the threshold is everything else.
    found = _said("evaluate_model", tmp_path / "out", *given, "--seeds", 1)
    assert (found["summary"]["evaluated"], found["summary"]["user"]) == (4, "no prompts")


def _said(*arguments: object) -> dict:
    out = StringIO()
    call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_kinds_of_prompts_are_called_alike_in_the_table_and_in_the_database() -> None:
    assert {kind.value for kind in PromptType} == {*PromptKind.values}
