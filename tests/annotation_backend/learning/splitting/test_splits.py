"""`train_model` splits honestly: by what is known of the cases, never from an external cohort, and not with a leak."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.running.work_folders import work_folder
from annotation_backend.learning.splitting.folds import planned_folds, require_apart
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_json
from datasets.formats.nifti import read_volume, write_mask, write_volume
from datasets.image.digest import pixels_sha256
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.study.splits.external import ExternalCohort, external_cohort
from datasets.study.splits.folds import mstt_199_folds, stratified_folds
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import SplitCase
from tests.annotation_backend.support.records import approve, published, registered_case, saved, the_study
from training.fitting.choice import TrainingChoice
from training.methods.crossvalidation import TrainedFolds
from training.table.table import method_called

GLOBS = ("--image-glob", "t1=*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz")
TABLE = """case;patient;Tissue type;anatomical_site;Manufacturer
a;P1;fat;thigh, left;SIEMENS
b;P2;fat;thigh, right;Siemens Healthineers
c;P3;fat;arm;GE MEDICAL SYSTEMS
d;P4;nerve;arm;Acme 3000
e;P5;nerve;arm;GE MEDICAL SYSTEMS
f;P1;nerve;pelvis;SIEMENS
"""
CASES = "abcdef"


def _put(folder: Path, seed: int, *, voxels: int | None = None, affine: np.ndarray | None = None) -> Volume:
    """A case whose tumour has as many voxels as its number, and its image."""
    data = np.random.default_rng(seed).normal(100, 20, (12, 10, 4)).astype(np.float32)
    grid = Grid(data.shape, np.diag([1.0, 1.0, 3.0, 1.0]) if affine is None else affine)
    mask = np.zeros(data.shape, dtype=np.uint8)
    mask[2:8, 3, 1][: voxels or seed] = 1
    write_volume(folder / "T1.nii.gz", Volume(data, grid))
    write_mask(folder / "mask.nii.gz", Mask(mask, grid))
    return Volume(data, grid)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for seed, name in enumerate(CASES, start=1):
        _put(tmp_path / "cohort" / name, seed)
    (tmp_path / "cases.csv").write_text(TABLE)
    return tmp_path / "cohort"


@pytest.fixture
def train(cohort: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def command(*options: str) -> dict[str, Any]:
        """What `train_model` says on the cohort."""
        out = ("--out", str(cohort.parent / "out"))
        with suppress(SystemExit):
            call_command("train_model", "six-points", "--cohort", str(cohort), *GLOBS, *out, "--json", *options)
        return dict(json.loads(capsys.readouterr().out))

    return command


def _examples(cohort: Path) -> TrainingExamples:
    table = cohort.parent / "cases.csv"
    return examples_of_folder(cohort, [("t1", "*/T1.nii.gz")], "*/mask.nii.gz", table=table)[0]


def test_a_table_says_what_a_folder_cannot(cohort: Path) -> None:
    examples = _examples(cohort)
    assert examples.sized_cases()[0] == SplitCase("a", "P1", "fat", "thigh, left", pytest.approx(0.003), "siemens")
    vendors = [case.vendor for case in examples.cases.values()]
    assert vendors == ["siemens", "siemens", "ge", "acme_3000", "ge", "siemens"]
    assert examples.load("f").patient == "P1"


def test_folds_are_those_of_the_rule(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    cases = _examples(cohort).sized_cases()
    table = ("--case-table", str(cohort.parent / "cases.csv"), "--dry-run")
    said = train("--folds", "3", *table)
    assert said["folds"] == [list(fold) for fold in SplitRule(folds=3).test_sets(cases)]
    assert said["split"]["rule"] == "stratified"
    said = train("--split", "mstt-199", *table)
    assert said["folds"] == [list(fold) for fold in mstt_199_folds(cases)]
    assert train("--split", "leave-one-type-out", *table)["folds"] == [["a", "b", "c"], ["d", "e", "f"]]
    assert train("--split", "leave-one-vendor-out", *table)["folds"] == [["d"], ["c", "e"], ["a", "b", "f"]]
    said = train("--split", "random", "--folds", "2", "--test-share", "0.4", *table)
    assert len(said["folds"]) == 2
    assert said["split"]["test_share"] == 0.4


def test_a_class_of_one_patient_is_named(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    table = cohort.parent / "cases.csv"
    table.write_text(TABLE.replace("d;P4;nerve", "d;P4;bone"))
    said = train("--folds", "3", "--case-table", str(table), "--dry-run")
    assert any(line.startswith("bone: Only one patient") and "stratum-single" in line for line in said["findings"])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--folds", "7"), "folds-patients"),
        (("--folds", "1"), "folds-patients"),
        (("--split", "stratified"), "split-settings"),
        (("--split", "random"), "split-settings"),
        (("--split", "random", "--folds", "2", "--test-share", "1"), "split-share"),
        (("--test-share", "0.2"), "split-settings"),
        (("--folds", "2", "--test-share", "0.2"), "split-settings"),
        (("--split", "mstt-199", "--folds", "4"), "split-settings"),
        (("--split", "leave-one-type-out"), "split-type-unknown"),
        (("--split", "leave-one-vendor-out"), "split-vendor-unknown"),
        (("--external", "nobody"), "external-unknown"),
        (("--case-table", "nowhere.csv"), "case-table"),
        (("--fold", "1"), "options-incomplete"),
    ],
)
def test_what_cannot_be_split_is_refused(
    options: tuple[str, ...], code: str, train: Callable[..., dict[str, Any]]
) -> None:
    assert train(*options, "--dry-run")["code"] == code


@pytest.mark.parametrize(
    "table", ["", "tissue_type\nfat\n", "case,case\na,a\n", "case,site\na,arm\na,leg\n", 'case,"site\na,arm\n']
)
def test_tables_that_say_nothing_sound_are_refused(
    table: str, cohort: Path, train: Callable[..., dict[str, Any]]
) -> None:
    path = cohort.parent / "cases.csv"
    path.write_text(table)
    assert train("--case-table", str(path), "--dry-run")["code"] == "case-table"


def test_cases_without_a_row_are_named(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    path = cohort.parent / "cases.csv"
    path.write_text("patient_id,tissue_type\na,fat\nz,fat\n")
    [finding] = train("--case-table", str(path), "--dry-run")["findings"]
    assert "no row of 5 case(s): b, c, d, e, f." in finding


def test_one_image_under_two_names_stops_the_training(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    """Another name, another spacing and origin, another mask: the same pixels."""
    turned = np.array([[0, -0.7, 0, 5.0], [0.7, 0, 0, -3], [0, 0, 6, 1], [0, 0, 0, 1]])
    _put(cohort / "g", 1, voxels=5, affine=turned)
    said = train("--folds", "7", "--iterations", "1")
    assert said["code"] == "split-leak"
    assert "a and g" in said["error"] or "g and a" in said["error"]
    assert not (cohort.parent / "out" / "fold-1").exists()


def test_one_image_of_one_patient_is_on_one_side(cohort: Path) -> None:
    _put(cohort / "g", 1, voxels=5)
    table = cohort.parent / "cases.csv"
    table.write_text(TABLE + "g;P1;fat;;\n")
    trained = planned_folds(_examples(cohort), cohort.parent / "out", SplitRule(folds=3))
    assert len({number for number, fold in enumerate(trained.folds) for case in "afg" if case in fold}) == 1


def test_images_are_compared_again_when_one_changed(cohort: Path) -> None:
    out, rule = cohort.parent / "out", SplitRule(folds=5)
    planned_folds(_examples(cohort), out, rule)
    _put(cohort / "c", 2, voxels=3)
    with pytest.raises(RejectedInput, match=r"(b and c|c and b)\..*split-leak"):
        planned_folds(_examples(cohort), out, rule)


def test_an_external_cohort_is_not_read(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    external = ExternalCohort("elsewhere", cases=("b",), patients=("P4",))
    path = cohort.parent / "external.json"
    path.write_bytes(external.encoded)
    table = ("--case-table", str(cohort.parent / "cases.csv"))
    said = train("--external", str(path), *table, "--dry-run")
    assert said["cases"] == ["a", "c", "e", "f"]
    assert said["findings"][0] == "Left out as elsewhere: b, d. [external-case]"
    assert "[external-no-pixels]" in said["findings"][1]
    nobody = _examples(cohort).without_external(ExternalCohort("nobody", cases=("x",), pixels=("0" * 64,)))
    assert nobody.findings[-1:] == ("No case has a name that nobody lists. [external-nobody]",)
    examples = _examples(cohort).without_external(external)
    assert examples.inputs["external"] == external.digest
    assert [example.case for example in examples.read()] == ["a", "c", "e", "f"]
    with pytest.raises(RejectedInput, match="external-case"):
        examples.load("d")
    require_apart(examples)


def test_an_external_patient_under_another_case_stops_the_training(
    cohort: Path, train: Callable[..., dict[str, Any]]
) -> None:
    path = cohort.parent / "external.json"
    path.write_bytes(ExternalCohort("elsewhere", cases=("a",)).encoded)
    said = train("--external", str(path), "--case-table", str(cohort.parent / "cases.csv"), "--iterations", "1")
    assert said["code"] == "split-leak"
    assert "f and a" in said["error"]
    assert not (cohort.parent / "out").exists()


def test_an_external_image_under_another_name_is_refused(cohort: Path) -> None:
    """With the external case in the folder, and known by the digest of its pixels alone."""
    image = _put(cohort / "g", 2, voxels=6)
    with pytest.raises(RejectedInput, match=r"b and g\..*split-leak"):
        require_apart(_examples(cohort).without_external(ExternalCohort("elsewhere", cases=("g",))))
    strangers = ExternalCohort("elsewhere", patients=("nobody",), pixels=(pixels_sha256(image),))
    with pytest.raises(RejectedInput, match=r"external cohort elsewhere: b, g\..*split-leak"):
        require_apart(_examples(cohort).without_external(strangers))


def test_nothing_but_external_cases_is_refused(cohort: Path) -> None:
    with pytest.raises(RejectedInput, match="external-all"):
        _examples(cohort).without_external(ExternalCohort("all", cases=tuple(CASES)))


def test_folds_of_an_earlier_version_go_on(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    """Begun before there were rules: the same command goes on with them, and another rule has to be named."""
    cases = [SplitCase(name, name, "unknown") for name in CASES]
    earlier = [list(fold) for fold in stratified_folds(cases, folds=3, seed=5)]
    write_json(cohort.parent / "out" / "folds.json", {"folds": earlier})
    said = train("--folds", "3", "--seed", "5", "--dry-run")
    assert (said["folds"], said["split"]["rule"]) == (earlier, "grouped")
    said = train("--folds", "3", "--seed", "5", "--split", "stratified", "--dry-run")
    assert said["split"]["rule"] == "stratified"
    rule = SplitRule(SplitName.GROUPED, folds=3, seed=5)
    (cohort.parent / "cases.csv").write_text("case\n" + "\n".join(CASES))
    assert planned_folds(_examples(cohort), cohort.parent / "out", rule) == TrainedFolds.read(cohort.parent / "out")


def test_a_cohort_is_frozen_and_known_again(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table = cohort.parent / "external.json", cohort.parent / "cases.csv"
    command = ("freeze_external", "elsewhere", "--cohort", str(cohort), *GLOBS, "--case-table", str(table), "--json")
    call_command(*command, "--without", "a,f", "--note", "A note.", "--out", str(path))
    said = json.loads(capsys.readouterr().out)
    frozen = external_cohort(str(path))
    assert (said["digest"], frozen.name, frozen.note) == (frozen.digest, "elsewhere", "A note.")
    assert (frozen.cases, frozen.left_out) == (("b", "c", "d", "e"), ("a", "f"))
    assert frozen.patients == ("P2", "P3", "P4", "P5")
    assert pixels_sha256(read_volume(cohort / "b" / "T1.nii.gz")) in frozen.pixels
    assert len(frozen.pixels) == 4
    with suppress(SystemExit):
        call_command(*command, "--out", str(path))
    assert json.loads(capsys.readouterr().out)["code"] == "external-exists"


@pytest.mark.django_db
def test_a_snapshots_cases_are_known_by_type_site_size_and_vendor(people: dict[Role, User]) -> None:
    task = published(registered_case("C0001", tissue_type="nerve"), first_task=100)[2]
    saved(task, identifier=1)
    mask = assemble(task.case)
    assert mask is not None
    approve(mask, people[Role.RADIOLOGIST])
    case = task.case
    case.anatomical_site = "thigh, left"
    case.save()
    case.series.filter(role=case.drawn_role).update(evidence={"vendor": "philips"})
    snapshot = take_snapshot(the_study())
    examples = examples_of_snapshot(snapshot, ("t1",), "Tumour")
    # 5 x 9 pixels of 1 x 1 x 4 mm in one slice
    assert examples.sized_cases() == [
        SplitCase("C0001", "P0001", "nerve", "thigh, left", pytest.approx(0.18), "philips")
    ]
    with pytest.raises(RejectedInput, match="external-all"):
        examples_of_snapshot(snapshot, ("t1",), "Tumour", external=ExternalCohort("x", patients=("P0001",)))
    choice = TrainingChoice(method_called("six-points"))
    former = sha256_of_bytes(canonical_json([snapshot.digest, choice.described | {"folds": 2}]))[:16]
    assert work_folder(snapshot, choice, SplitRule(SplitName.GROUPED, folds=2), None).name == former
    assert work_folder(snapshot, choice, SplitRule(folds=2), None).name != former
