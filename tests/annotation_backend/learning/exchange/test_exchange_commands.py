"""`export_bundle`, `import_bundle` and `nnunet`, as they are typed."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.learning.models import Snapshot
from annotation_backend.learning.runs.withdrawn import snapshots_of
from annotation_backend.registry.chosen_model import choose_model, seen_cases
from annotation_backend.registry.models import Model
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.digest import pixels_sha256
from datasets.study.splits.external import ExternalCohort
from tests.annotation_backend.support.records import the_study
from tests.training.support.ball_examples import ball_example
from tests.training.support.foreign_models import write_foreign_bundle, write_results
from tests.training.support.tiny_models import clicks_2d
from training.learned_cases import fit_of
from training.model_package import read_description, write_package

GLOBS = ("--image-glob", "t2=*/T2.nii.gz", "t1=*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz")


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


@pytest.mark.django_db
def test_a_model_of_ours_goes_out_and_comes_back_with_its_snapshot_and_study(tmp_path: Path) -> None:
    snapshot = Snapshot.objects.create(study=the_study(), digest="5" * 64, content={"cases": []})
    description, tensors = clicks_2d()
    parameters = {**description.parameters, **fit_of([["C0001"]])}
    own = replace(description, parameters=parameters, inputs={"snapshot": snapshot.digest})
    write_package(tmp_path / "package", own, tensors)
    status, said = run("export_bundle", tmp_path / "package", tmp_path / "bundle")
    assert (status, said["draws"]) == (1, False)
    assert "bundle-network-alone" in said["findings"][0]
    assert b"C0001" not in (tmp_path / "bundle" / "configs" / "metadata.json").read_bytes()
    status, said = run("import_bundle", tmp_path / "bundle", "--name", "back")
    assert (status, said["model"]) == (0, "back-1")
    model = Model.objects.get(name="back")
    assert (model.study, snapshots_of([model])) == (snapshot.study, {model.pk: snapshot})
    assert seen_cases(choose_model("back-1"), ["C0001", "C0002"]) == ["C0001"]


def test_a_bundle_made_elsewhere_says_what_nobody_knows_of_it(tmp_path: Path) -> None:
    write_foreign_bundle(tmp_path / "bundle")
    words = ("import_bundle", tmp_path / "bundle", "--images", "ct", "--out", tmp_path / "model")
    assert run(*words)[1]["code"] == "bundle-label"
    status, said = run(*words, "--label", "Spleen")
    assert status == 1
    assert [finding for finding in said["findings"] if "learned-from-unknown" in finding]
    assert read_description(tmp_path / "model").drawn_label == "Spleen"


@pytest.mark.django_db
def test_a_package_of_a_folder_is_registered_under_its_name_or_another(tmp_path: Path) -> None:
    snapshot = Snapshot.objects.create(study=the_study(), digest="5" * 64, content={"cases": []})
    description, tensors = clicks_2d()
    own = replace(description, name="tried", version="1", inputs={"snapshot": snapshot.digest})
    digest = write_package(tmp_path / "training" / "final", own, tensors)
    status, said = run("register_model", tmp_path / "training")
    assert (status, said["model"], said["digest"]) == (0, "tried-1", digest)
    assert run("register_model", tmp_path / "training" / "final") == (status, said)  # once
    assert (Model.objects.get(name="tried").study, Model.objects.count()) == (snapshot.study, 1)
    status, said = run("register_model", tmp_path / "training", "--name", "other", "--model-version", "2")
    assert (status, said["model"]) == (0, "other-2")
    assert read_description(Model.objects.get(name="other").path).inputs["package"] == digest


@pytest.mark.django_db
def test_what_is_no_model_is_not_registered(tmp_path: Path) -> None:
    description, tensors = clicks_2d()
    write_package(tmp_path / "model", replace(description, name="kept", version="1"), tensors)
    assert run("register_model", tmp_path / "model", "--name", "../../x")[1]["code"] == "model-name"
    less = dict(sorted(tensors.items())[1:])
    write_package(tmp_path / "less", replace(description, name="less", version="1"), less)
    assert run("register_model", tmp_path / "less")[1]["code"] == "package-network"
    assert run("register_model", tmp_path)[1]["code"] == "package-missing"
    assert run("register_model", tmp_path / "model")[0] == 0
    others = {name: tensor * 0 for name, tensor in tensors.items()}
    write_package(tmp_path / "zero", replace(description, name="kept", version="1"), others)
    assert run("register_model", tmp_path / "zero")[1]["code"] == "package-exists"
    assert [str(model) for model in Model.objects.all()] == ["kept-1"]


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for number in range(4):
        example = ball_example(number, ("t1", "t2"), shape=(16, 14, 6))
        for kind, volume in example.volumes.items():
            write_volume(tmp_path / "cohort" / example.case / f"{kind.upper()}.nii.gz", volume)
        write_mask(tmp_path / "cohort" / example.case / "mask.nii.gz", example.mask)
    return tmp_path / "cohort"


@pytest.mark.django_db
def test_what_nnunet_learned_comes_back_with_its_images_and_cases(cohort: Path, tmp_path: Path) -> None:
    one = ("--image-glob", "t1=*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz")
    status, said = run("nnunet", "export", "--work", tmp_path / "w", "--cohort", cohort, *one, "--folds", "2")
    assert (status, said["cases"]) == (0, [f"case-{number}" for number in range(4)])
    raw = tmp_path / "w" / "raw" / "Dataset100_maskloop"
    results = write_results(tmp_path / "w" / "results" / raw.name)
    (results / "dataset.json").write_bytes((raw / "dataset.json").read_bytes())
    status, said = run("nnunet", "import", "--work", tmp_path / "w", "--name", "own")
    assert (status, said["model"]) == (0, "own-1")
    assert Model.objects.get(name="own").images == ["t1"]
    splits = json.loads((tmp_path / "w" / "preprocessed" / raw.name / "splits_final.json").read_text())
    assert seen_cases(choose_model("own-1"), sorted(splits[0]["train"] + splits[0]["val"])) == splits[0]["train"]


def test_the_order_of_images_is_that_of_the_command(cohort: Path, tmp_path: Path) -> None:
    run("nnunet", "export", "--work", tmp_path / "w", "--cohort", cohort, *GLOBS, "--folds", "2")
    described = json.loads((tmp_path / "w" / "raw" / "Dataset100_maskloop" / "dataset.json").read_text())
    assert described["channel_names"] == {"0": "t2", "1": "t1"}
    assert described["maskloop"]["images"] == ["t2", "t1"]


def test_an_image_of_the_external_cohort_is_not_exported_under_another_name(cohort: Path, tmp_path: Path) -> None:
    pixels = pixels_sha256(ball_example(2, ("t1", "t2"), shape=(16, 14, 6)).volumes["t2"])
    (tmp_path / "external.json").write_bytes(ExternalCohort("far", cases=("elsewhere",), pixels=(pixels,)).encoded)
    words = ("nnunet", "export", "--work", tmp_path / "w", "--cohort", cohort, *GLOBS, "--folds", "2")
    status, said = run(*words, "--external", tmp_path / "external.json")
    assert (status, said["code"]) == (2, "split-leak")
    assert "case-2" in said["error"]
    assert not (tmp_path / "w" / "raw").exists()


@pytest.mark.parametrize(("given", "folds"), [((), ["0", "1"]), (("--fold", "1"), ["1"])])
def test_nnunet_predicts_with_the_folds_that_an_import_joins(
    given: tuple[str, ...], folds: list[str], tmp_path: Path
) -> None:
    """A script that keeps its arguments stands for the Python of nnU-Net's environment."""
    (tmp_path / "env" / "lib" / "python3" / "site-packages" / "nnunetv2").mkdir(parents=True)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/words"\n')
    python.chmod(0o755)
    results = write_results(tmp_path)
    (results / "fold_1").mkdir()
    (results / "fold_1" / "checkpoint_final.pth").touch()
    (results / "fold_2").mkdir()
    places = ("--work", tmp_path / "w", "--results", results, "--input", tmp_path, "--out", tmp_path / "out")
    status, _ = run("nnunet", "predict", *places, "--environment", tmp_path / "env", *given)
    assert status == 0
    words = (tmp_path / "words").read_text().split("\n")
    assert words[words.index("-f") + 1 : words.index("-device")] == folds
