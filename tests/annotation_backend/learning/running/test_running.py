"""How `train_model` runs: in two processes, with folds on a cluster, alone in its folder, with prepared cases."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.environment import ROOT
from annotation_backend.labeling.models import CaseMask
from annotation_backend.learning.running.prepared import prepared_cases
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from tests.annotation_backend.support.dask_processes import dask_processes
from tests.training.support.ball_examples import ball_example
from training.fitting.choice import TrainingChoice
from training.methods.train import alone_in
from training.model_package import read_description, read_package
from training.table.table import method_called

GLOBS = ("--image-glob", "t1=*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz")
SMALL = ("--budget", "4096", "--iterations", "4", "--precision", "full")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Any) -> None:
    """A data folder of the test's own."""
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for number in range(4):
        example, folder = ball_example(number, shape=(18, 16, 9)), tmp_path / "cohort" / f"case-{number}"
        write_volume(folder / "T1.nii.gz", example.volumes["t1"])
        write_mask(folder / "mask.nii.gz", Mask(example.mask.data, example.mask.grid))
    return tmp_path / "cohort"


@pytest.fixture
def train(cohort: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def command(*options: str, out: str = "out") -> dict[str, Any]:
        """What `train_model` says."""
        place = ("--out", str(cohort.parent / out))
        with suppress(SystemExit):
            call_command("train_model", "unet-3d", "--cohort", str(cohort), *GLOBS, *SMALL, *place, "--json", *options)
        return dict(json.loads(capsys.readouterr().out))

    return command


def tensors(folder: Path) -> dict[str, np.ndarray]:
    digest = read_description(folder).digest
    return {
        name: np.asarray(each, np.float32) for name, each in read_package(folder, expected_digest=digest)[1].items()
    }


@pytest.mark.slow
def test_torchrun_trains_in_two_processes(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    train("--accumulate", "2")
    out = cohort.parent / "two"
    options = [*GLOBS, *SMALL, "--accumulate", "2", "--device", "cpu", "--out", str(out), "--json"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "manage.py"]
    ran = subprocess.run(
        [*launcher, "train_model", "unet-3d", "--cohort", str(cohort), *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASKLOOP_DATA": str(cohort.parent / "data")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    alone, both = tensors(cohort.parent / "out" / "final"), tensors(out / "final")
    assert alone.keys() == both.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(both[name], values, atol=5e-3, err_msg=name)


@pytest.mark.slow
def test_folds_are_trained_by_workers_and_go_on(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    with dask_processes(workers=2) as running:
        cluster = ("--folds", "2", "--scheduler", running.address)
        first = train(*cluster, "--fold", "2")
        assert [package["folder"] for package in first["packages"]] == ["fold-2"]
        kept = (cohort.parent / "out" / "fold-2" / "model.safetensors").stat()
        said = train(*cluster, "--ensemble")
    assert [package["folder"] for package in said["packages"]] == ["fold-1", "fold-2", "ensemble"]
    again = (cohort.parent / "out" / "fold-2" / "model.safetensors").stat()
    assert (again.st_mtime_ns, again.st_ino) == (kept.st_mtime_ns, kept.st_ino), "a trained fold is kept"
    here = train("--folds", "2", out="here")
    digests = [[package["digest"] for package in each["packages"][:2]] for each in (said, here)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--scheduler", "tls://127.0.0.1:1"), "options-incomplete"),
        (("--accumulate", "0"), "fit-settings"),
        (("--patience", "0"), "fit-settings"),
        (("--folds", "2", "--scheduler", "tcp://10.0.0.1:8786"), "scheduler-open"),
    ],
)
def test_what_cannot_run_is_refused(options: tuple[str, ...], code: str, train: Callable[..., dict[str, Any]]) -> None:
    assert train(*options)["code"] == code


@pytest.mark.django_db
def test_a_cluster_takes_folders_only() -> None:
    with pytest.raises(RejectedInput, match="option-elsewhere"):
        _required("--scheduler", "tls://127.0.0.1:1")


def _required(*options: str) -> None:
    from argparse import ArgumentParser

    from annotation_backend.learning.refused_options import require_fitting
    from annotation_backend.learning.training_arguments import add_training

    parser = ArgumentParser()
    add_training(parser)
    require_fitting(vars(parser.parse_args(["unet-3d", *options])))


def test_a_second_training_of_a_folder_is_refused(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    with alone_in(cohort.parent / "out" / "checkpoints" / "final"):
        assert train()["code"] == "training-running"


@pytest.mark.slow
def test_prepared_cases_lie_in_the_data_folder_once(cohort: Path, train: Callable[..., dict[str, Any]]) -> None:
    train()
    train("--iterations", "5", out="again")
    assert len(list(prepared_cases().folder.glob("*/*/"))) == 4
    train("--iterations", "5", "--no-prepared", out="third")
    kept = [tensors(cohort.parent / out / "final") for out in ("again", "third")]
    assert all(np.array_equal(kept[0][name], kept[1][name]) for name in kept[0])


@pytest.mark.django_db(transaction=True)
def test_an_excluded_patients_prepared_cases_go(mask: CaseMask, people: dict[Role, User]) -> None:
    case = mask.case
    cases = prepared_cases()
    cases.arrays(case.patient.code, "d" * 64, lambda: {"images": np.zeros(3)})
    cases.arrays("somebody-else", "d" * 64, lambda: {"images": np.zeros(3)})
    exclude(case, reason="consent withdrawn", person=people[Role.DATA_MANAGER])
    kept = list(cases.folder.glob(f"*/{'d' * 64}"))
    assert len(kept) == 1


def test_what_is_not_asked_is_not_described() -> None:
    method = method_called("unet-3d")
    assert TrainingChoice(method).described.keys().isdisjoint({"accumulate", "patience"})
    asked = TrainingChoice(method, accumulate=3, patience=5)
    assert TrainingChoice.from_described(asked.described).described == asked.described
