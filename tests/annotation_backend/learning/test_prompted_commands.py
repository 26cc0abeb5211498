"""train_model, evaluate_model and segment_volume on files alone: pytest lets none of these tests reach a database."""

import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotation_backend.inference.management.commands.segment_volume import Command as SegmentVolume
from annotation_backend.registry.chosen_model import choose_model
from datasets.formats.nifti import read_mask, read_volume
from datasets.study.cohort import load, read_cohort
from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.training.support.small_training import make_small
from tests.training.support.tiny_models import BUILDERS
from training.measures.metrics import dice
from training.methods.needs import user_of
from training.model_package import write_package
from training.prompts.prompt_document import as_document
from training.table.table import method_called

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained packages by their method's name."""
    folder = tmp_path_factory.mktemp("models")
    for name, build in BUILDERS.items():
        write_package(folder / name, *build())
    return folder


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Two folds of six points and their ensemble: the folder, and what the last command said."""
    out = tmp_path_factory.mktemp("trained")
    common = ("--cohort", cohort, *GLOBS, "--out", out, "--folds", 2, "--iterations", 2)
    status, first = run("train_model", "six-points", *common, "--fold", 1)
    assert status == 0
    assert [package["folder"] for package in first["packages"]] == ["fold-1"]
    before = (out / "fold-1" / "model.json").stat().st_mtime_ns
    status, document = run("train_model", "six-points", *common, "--ensemble", "--name", "phantom-points")
    assert status == 0
    assert (out / "fold-1" / "model.json").stat().st_mtime_ns == before
    return out, document


def test_folds_share_the_patients_and_make_one_model(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, document = trained
    assert sorted(case for fold in document["folds"] for case in fold) == ["P1", "P2", "P3", "P4"]
    ensemble = choose_model(str(folder / "ensemble")).description
    assert (ensemble.title, ensemble.parameters["members"]) == ("phantom-points-1", 2)
    assert ensemble.parameters["cleaning"] == document["cleaning"]
    for fold, member in zip(document["folds"], ensemble.parameters["fit"]["members"], strict=True):
        assert not set(fold) & set(member["cases"])
        assert len(fold) + len(member["cases"]) == 4
    sizes = [(folder / name / "model.safetensors").stat().st_size for name in ("fold-1", "fold-2", "ensemble")]
    assert sizes[2] == pytest.approx(sizes[0] + sizes[1], rel=0.05)  # still in half precision


@pytest.mark.slow
def test_an_ensemble_draws_the_mean_of_its_folds_logits(
    trained: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path
) -> None:
    points = _points(cohort, tmp_path)
    logits = []
    for name in ("fold-1", "fold-2", "ensemble"):
        out, probability = tmp_path / f"{name}.nii.gz", tmp_path / f"{name}-p.nii.gz"
        image = cohort / "P1" / "T1.nii.gz"
        status, _ = run(
            "segment_volume", "--model", trained[0] / name, "--image", image, "--points", points,
            "--out", out, "--probability", probability,
        )  # fmt: skip
        assert status == 0
        values = np.clip(read_volume(probability).data.astype(np.float64), 1e-7, 1 - 1e-7)
        logits.append(np.log(values / (1 - values)))
    undecided = np.abs(logits[2]) < 10  # elsewhere cut by the clip, or cleaned
    np.testing.assert_allclose(logits[2][undecided], ((logits[0] + logits[1]) / 2)[undecided], atol=2e-3)


@pytest.mark.slow
def test_each_random_split_draws_all_of_its_cases(
    trained: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path
) -> None:
    """P2 is tried by both splits: each with its own model, and once among the cases."""
    splits = [["P1", "P2"], ["P2", "P3"]]
    for number in (1, 2):
        shutil.copytree(trained[0] / f"fold-{number}", tmp_path / f"fold-{number}")
    (tmp_path / "folds.json").write_text(json.dumps({"folds": splits}))
    arguments = ("--cohort", cohort, *GLOBS, "--seeds", 1, "--only")
    _, found = run("evaluate_model", tmp_path, *arguments, "P1,P2,P3", "--raw")
    means = []
    for number, cases in enumerate(splits, start=1):
        _, own = run("evaluate_model", tmp_path / f"fold-{number}", *arguments, ",".join(cases))
        means.append(np.mean([case["dice"][-1] for case in own["cases"]]))
    summary = found["summary"]["splits"]
    np.testing.assert_allclose(summary["dice_of_each"], means, atol=1e-5)
    assert summary["dice"]["mean"] == pytest.approx(np.mean(means), abs=1e-5)
    assert summary["dice"]["sd"] == pytest.approx(np.std(means, ddof=1), abs=1e-5)
    assert [case["case"] for case in found["cases"]] == ["P1", "P2", "P3"]


@pytest.mark.slow
def test_each_case_is_drawn_by_the_fold_that_never_saw_it(trained: tuple[Path, dict[str, Any]], cohort: Path) -> None:
    folder, document = trained
    status, found = run("evaluate_model", folder, "--cohort", cohort, *GLOBS, "--seeds", 1, "--raw")
    assert status == 0
    assert found["model"] == f"{folder.name} (2 folds)"
    assert found["summary"]["folds"] == document["folds"]
    assert (found["summary"]["method"], found["summary"]["learned_from"]) == ("six-points", [])
    for number, fold in enumerate(document["folds"], start=1):
        only = ("--only", ",".join(fold))
        _, own = run("evaluate_model", folder / f"fold-{number}", "--cohort", cohort, *GLOBS, "--seeds", 1, *only)
        expected = {case["case"]: case["dice"] for case in own["cases"]}
        assert {case["case"]: case["dice"] for case in found["cases"] if case["case"] in fold} == expected


@pytest.mark.slow
def test_a_case_in_no_fold_is_refused_by_name(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    write_cohort(tmp_path, count=5)
    status, found = run("evaluate_model", trained[0], "--cohort", tmp_path, *GLOBS, "--seeds", 1)
    assert status == 1
    assert len(found["cases"]) == 4
    [refused] = found["summary"]["refused"]
    assert (refused["case"], refused["code"]) == ("P5", "case-in-no-fold")
    assert any("P5" in line for line in found["findings"])


@pytest.mark.slow
def test_the_document_has_a_value_for_every_click(models: Path, cohort: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    status, found = run(
        "evaluate_model", models / "two-stage", "--cohort", cohort, *GLOBS, "--clicks", 2, "--seeds", 1,
        "--user", "2s-icr", "--against", models / "clicks-3d", "--page", page,
    )  # fmt: skip
    assert status == 0
    assert set(found) == {"model", "cases", "summary", "findings", "against", "comparison"}
    for case in found["cases"]:
        assert case["clicks"] == [0, 1, 2]
        assert all(len(case[name]) == 3 for name in ("dice", "hd95_mm", "assd_mm", "surface_dice_1mm", "seconds"))
    assert found["summary"]["user"] == "2s-icr clicks"
    assert {row["measure"] for row in found["comparison"]} >= {"Dice, 1 click"}
    assert page.read_text().startswith("<!doctype html>")


def test_clicks_in_2d_are_evaluated_slice_by_slice(models: Path, cohort: Path) -> None:
    common = ("--cohort", cohort, *GLOBS, "--clicks", 2, "--seeds", 1, "--only", "P1", "--slices-per-case", 2)
    _, found = run("evaluate_model", models / "clicks-2d", *common)
    assert found["summary"]["per_slice"]
    assert found["summary"]["sessions"] == 2
    assert found["cases"][0]["clicks"] == [1, 2]


@pytest.mark.slow
def test_a_strangers_first_command_needs_no_database_and_no_secrets(models: Path, cohort: Path, tmp_path: Path) -> None:
    """As in a fresh checkout: no `.env`, no data folder; stdout holds one document and nothing else."""
    start = (
        "import sys, pathlib, annotation_backend.environment as environment\n"
        "environment.ENV_FILE = pathlib.Path('/nowhere/.env')\n"
        "import manage\nsys.argv = ['manage.py', *sys.argv[1:]]\nmanage.main()"
    )
    arguments = ["evaluate_model", models / "six-points", "--cohort", cohort, *GLOBS, "--clicks", "10", "--seeds", "2"]
    environment = {"PATH": "/usr/bin:/bin", "MASKLOOP_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments), "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [case["case"] for case in document["cases"]] == ["P1", "P2", "P3", "P4"]
    assert document["summary"]["seeds"] == [0, 1]
    assert not (tmp_path / "data").exists()


def _points(cohort: Path, folder: Path) -> Path:
    """A file with six simulated points on the first patient."""
    case = load(read_cohort(cohort, {"t1": "*/T1.nii.gz"}, "*/mask.nii.gz").cases[0])
    prompts = user_of(method_called("six-points")).start(case.mask, np.random.default_rng(0))
    path = folder / "points.json"
    path.write_text(json.dumps(as_document(prompts)))
    return path


@pytest.mark.slow
def test_a_mask_lies_on_its_images_grid_and_is_the_same_from_voxels(
    models: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = cohort / "P1" / "T1.nii.gz"
    grid = read_volume(image).grid
    voxels = [(20, 18, 4), (30, 22, 3)]
    points = [",".join(f"{value:.6f}" for value in point) for point in grid.to_world(voxels)]
    assert all(point.startswith("-") for point in points)
    typed = ["manage.py", "segment_volume", "--model", models / "two-stage", "--image", image, "--json"]
    typed += ["--out", tmp_path / "mm.nii.gz", "--click", points[0], "--negative", points[1]]
    SegmentVolume().run_from_argv([str(each) for each in typed])
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == "tiny-1"
    assert set(document["used"]) >= {"region", "seconds"}
    status, _ = run(
        "segment_volume", "--model", models / "two-stage", "--image", f"t1={image}", "--voxels",
        "--click", "20,18,4", "--negative", "30,22,3", "--out", tmp_path / "voxels.nii.gz",
    )  # fmt: skip
    assert status == 0
    one, other = (read_mask(tmp_path / f"{name}.nii.gz") for name in ("mm", "voxels"))
    assert one.grid.matches(grid)
    assert int(one.foreground.sum()) == document["voxels"]
    np.testing.assert_array_equal(one.data, other.data)


@pytest.mark.slow
def test_a_previous_probability_is_refined(models: Path, cohort: Path, tmp_path: Path) -> None:
    """With a previous mask the model looks at its surroundings only; without one, at the whole image."""
    common = ("segment_volume", "--model", models / "two-stage", "--image", cohort / "P1" / "T1.nii.gz", "--voxels")
    click = ("--click", ",".join(map(str, np.argwhere(read_mask(cohort / "P1" / "mask.nii.gz").foreground)[40])))
    previous = ("--previous", cohort / "P1" / "mask.nii.gz")
    _, fresh = run(*common, *click, "--out", tmp_path / "fresh.nii.gz")
    _, refined = run(*common, *click, "--out", tmp_path / "refined.nii.gz", *previous)
    assert fresh["used"]["passes"] > refined["used"]["passes"]


@pytest.mark.slow
def test_a_final_model_learns_and_is_kept(cohort: Path, tmp_path: Path) -> None:
    common = ("train_model", "clicks-3d", "--cohort", cohort, *GLOBS, "--out", tmp_path, "--canvas", "32,32,8")
    status, document = run(*common, "--iterations", 25)
    assert status == 0
    [package] = document["packages"]
    assert package["model"] == "clicks-3d-1"
    assert run(*common, "--iterations", 25)[1]["packages"] == [package]
    status, refused = run(*common, "--iterations", 26)
    assert (status, refused["code"]) == (2, "trained-otherwise")
    _, found = run("evaluate_model", tmp_path / "final", "--cohort", cohort, *GLOBS, "--clicks", 1, "--seeds", 1)
    assert found["summary"]["dice"]["mean"][1] > 0.3
    [finding] = found["findings"]
    assert "learned-from" in finding


@pytest.mark.slow
def test_the_unet_learns_in_folds_too_and_steps_are_its_iterations(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch)
    images = ("--image-glob", "t1=*/T1.nii.gz", "t2=*/T2.nii.gz", "--mask-glob", "*/mask.nii.gz")
    common = ("train_model", "--cohort", cohort, *images, "--out", tmp_path, "--folds", 2, "--empty-slices", "0.5")
    common = (*common, "--learning-rate", "0.02")  # so small a network needs a larger one
    status, document = run(*common, "--steps", 40, "--ensemble")
    assert status == 0
    assert [package["folder"] for package in document["packages"]] == ["fold-1", "fold-2", "ensemble"]
    ensemble = choose_model(str(tmp_path / "ensemble")).description
    assert (ensemble.title, ensemble.kinds, ensemble.parameters["members"]) == ("unet-25d-1", ("t1", "t2"), 2)
    choice = ensemble.parameters["fit"]["choice"]
    assert (choice["iterations"], choice["empty_slices"]) == (40, 0.5)
    again = run(*common, "--iterations", 40, "--fold", 1)[1]["packages"]
    assert again == document["packages"][:1], "kept: it is the same training"
    status, found = run("evaluate_model", tmp_path, "--cohort", cohort, *images, "--seeds", 1)
    assert status == 0
    assert (found["summary"]["user"], found["cases"][0]["clicks"]) == ("no prompts", [0])
    assert found["summary"]["dice"]["mean"][0] > 0.4, "each case is drawn by the fold that never saw it"


def test_clicks_in_2d_need_a_click(models: Path, cohort: Path, tmp_path: Path) -> None:
    image, out = cohort / "P1" / "T1.nii.gz", tmp_path / "mask.nii.gz"
    status, refused = run("segment_volume", "--model", models / "clicks-2d", "--image", image, "--out", out)
    assert (status, refused["code"], out.exists()) == (2, "clicks-missing", False)


TRAIN = ("train_model", "six-points", "--cohort", "COHORT", *GLOBS, "--out", "OUT")
EVALUATE = ("evaluate_model", "MODELS/six-points", "--cohort", "COHORT")
CLICK = ("segment_volume", "--model", "MODELS/clicks-3d", "--image", "COHORT/P1/T1.nii.gz", "--out")
SEGMENT = ("segment_volume", "--model", "MODELS/six-points", "--image", "COHORT/P1/T1.nii.gz", "--out")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*TRAIN, "--folds", 5), "folds-patients"),
        ((*TRAIN, "--folds", 1), "folds-patients"),
        ((*TRAIN, "--folds", 2, "--fold", 3), "fold-number"),
        ((*TRAIN, "--fold", 1), "options-incomplete"),
        ((*TRAIN, "--ensemble"), "options-incomplete"),
        ((*TRAIN, "--without", "P9"), "cohort-without"),
        ((*TRAIN, "--without", "P1,P2,P3,P4"), "cohort-without"),
        ((*TRAIN, "--click-free", "0.5"), "option-elsewhere"),
        ((*TRAIN, "--iterations", 0), "fit-settings"),
        ((*TRAIN, "--name", "../../model"), "model-name"),
        ((*TRAIN, "--model-version", "1/2"), "model-name"),
        (TRAIN[:-2], "options-incomplete"),
        ((*TRAIN, "--steps", 2), "option-elsewhere"),
        ((*TRAIN, "--canvas", "16,16,16"), "option-elsewhere"),
        (("train_model", *TRAIN[2:], "--click-free", "0.5"), "option-elsewhere"),
        (("train_model", *TRAIN[2:], "--steps", 2, "--iterations", 2), "options-incomplete"),
        (("train_model", *TRAIN[2:], "--steps", 0), "fit-settings"),
        (("train_model", *TRAIN[2:], "--empty-slices", "1"), "fit-settings"),
        (("train_model", *TRAIN[2:], "--empty-slices", "few"), "option-value"),
        (("train_model", "clicks-2d", *TRAIN[2:], "--canvas", "16,16,16"), "fit-canvas"),
        (("train_model", "clicks-2d", *TRAIN[2:], "--canvas", "16,wide"), "option-value"),
        ((*EVALUATE, "--image-glob", "*/none.nii.gz", "--mask-glob", "*/mask.nii.gz"), "cohort-nothing-matches"),
        ((*EVALUATE, "--image-glob", "/T1.nii.gz", "--mask-glob", "*/mask.nii.gz"), "cohort-glob"),
        ((*EVALUATE, "--image-glob", "t2=*/T2.nii.gz", "--mask-glob", "*/mask.nii.gz"), "cohort-channels"),
        ((*EVALUATE, "--image-glob", "a*", "t1=b*", "--mask-glob", "*/mask.nii.gz"), "images-named"),
        ((*EVALUATE, *GLOBS, "--only", "P9"), "cohort-only"),
        ((*EVALUATE, *GLOBS, "--user", "deepgrow"), "user-without-clicks"),
        ((*EVALUATE, *GLOBS, "--seeds", 0), "evaluation-plan"),
        (("evaluate_model", "OUT", "--cohort", "COHORT", *GLOBS), "package-missing"),
        ((*SEGMENT, "OUT/x.nii.gz"), "points-few"),
        ((*SEGMENT, "OUT/x.nii"), "output-name"),
        ((*SEGMENT, "COHORT/P1/T1.nii.gz", "--overwrite"), "output-is-input"),
        ((*SEGMENT, "COHORT/P1/T2.nii.gz"), "output-exists"),
        ((*SEGMENT, "OUT/x.nii.gz", "--points", "OUT/none.json"), "prompt-file"),
        ((*SEGMENT, "OUT/x.nii.gz", "--points", "COHORT/wrong.json"), "prompt-document"),
        ((*SEGMENT, "OUT/x.nii.gz", "--points", "COHORT/twice.json"), "prompt-file"),
        ((*SEGMENT, "OUT/x.nii.gz", "--points", "COHORT/deep.json"), "prompt-file"),
        ((*SEGMENT, "OUT/folder.nii.gz", "--overwrite"), "output-is-folder"),
        ((*SEGMENT, "OUT/x.nii.gz", "--click", "1,1,1"), "prompt-kind"),
        ((*SEGMENT, "OUT/x.nii.gz", "--box", "1,1,1,2,2,2"), "prompt-kind"),
        ((*CLICK, "OUT/x.nii.gz", "--extreme-point", "1,1,1"), "prompt-kind"),
        ((*CLICK, "OUT/x.nii.gz", "--click", "1e9,1,1"), "prompt-outside"),
        ((*CLICK, "OUT/x.nii.gz", "--click", "nan,1,1"), "prompt-not-finite"),
        ((*SEGMENT, "OUT/x.nii.gz", "--previous", "COHORT/P1/T1.nii.gz"), "previous-unread"),
        ((*CLICK, "COHORT/P1/T1.nii.gz/x.nii.gz"), "file-access"),
        (("segment_volume", "--model", "n" * 400, *SEGMENT[3:], "OUT/x.nii.gz"), "file-access"),
        ((*EVALUATE, *GLOBS, "--page", "OUT/page.nii.gz"), "page-name"),
        ((*EVALUATE, *GLOBS, "--page", "OUT"), "page-name"),
        ((*EVALUATE, *GLOBS, "--page", "COHORT/P1/T1.nii.gz/page.html"), "page-name"),
        ((*EVALUATE, *GLOBS, "--seeds", 10**9), "evaluation-plan"),
        ((*EVALUATE, *GLOBS, "--clicks", 10**9), "evaluation-plan"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    arguments: tuple[object, ...], code: str, models: Path, cohort: Path, tmp_path: Path
) -> None:
    (cohort / "wrong.json").write_text('{"extreme_points": [[1, 2]]}')
    (cohort / "twice.json").write_text('{"clicks": [], "clicks": []}')
    (cohort / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder.nii.gz").mkdir()
    places = {"COHORT": cohort, "MODELS": models, "OUT": tmp_path}
    filled = [_filled(str(each), places) for each in arguments]
    status, document = run(*filled)
    assert (status, document["code"]) == (2, code)
    assert str(cohort) not in document["error"]


def _filled(argument: str, places: dict[str, Path]) -> str:
    for name, place in places.items():
        argument = argument.replace(name, str(place))
    return argument


def test_wrong_names_of_images_are_wrong_usage(models: Path, cohort: Path) -> None:
    with pytest.raises(CommandError, match="t1="):
        run("evaluate_model", models / "six-points", "--cohort", cohort, "--image-glob", "xray=*", "--mask-glob", "m*")


def test_a_dry_run_writes_nothing(cohort: Path, tmp_path: Path) -> None:
    common = ("--cohort", cohort, *GLOBS, "--out", tmp_path / "out", "--folds", 2, "--dry-run")
    status, document = run("train_model", "two-stage", *common)
    assert status == 0
    assert len(document["folds"]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_cord_is_a_structure_like_any_other(models: Path, tmp_path: Path) -> None:
    from tests.data import SHARED, require

    for folder, image in (("t1", "t1w.nii.gz"), ("t2", "t2.nii.gz")):
        place = require(SHARED / "sct" / folder)
        mask = image.replace(".nii.gz", "_seg-manual.nii.gz")
        given = ("--cohort", place, "--image-glob", image, "--mask-glob", mask, "--clicks", 1, "--seeds", 1)
        status, found = run("evaluate_model", models / "clicks-2d", *given, "--slices-per-case", 1)
        assert status == 0
        assert found["cases"][0]["case"] == "case"


@pytest.mark.slow
def test_dice_of_the_document_is_that_of_the_drawn_mask(models: Path, cohort: Path, tmp_path: Path) -> None:
    """Evaluation and a person's command run the same code on the same points."""
    _, found = run("evaluate_model", models / "six-points", "--cohort", cohort, *GLOBS, "--seeds", 1, "--only", "P1")
    from hashlib import sha256

    case = load(read_cohort(cohort, {"t1": "*/T1.nii.gz"}, "*/mask.nii.gz").cases[0])
    draws = np.random.default_rng([0, 0, int.from_bytes(sha256(b"P1").digest()[:8], "big")])
    prompts = user_of(method_called("six-points")).start(case.mask, draws)
    (tmp_path / "points.json").write_text(json.dumps(as_document(prompts)))
    run("segment_volume", "--model", models / "six-points", "--image", cohort / "P1" / "T1.nii.gz",
        "--points", tmp_path / "points.json", "--out", tmp_path / "mask.nii.gz")  # fmt: skip
    drawn = read_mask(tmp_path / "mask.nii.gz").foreground
    assert found["cases"][0]["dice"] == [pytest.approx(dice(drawn, case.mask.foreground), abs=1e-6)]
