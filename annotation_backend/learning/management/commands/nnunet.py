"""`nnunet`: nnU-Net in an environment of its own: export, plan, train, predict, import."""

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import add_cohort
from annotation_backend.learning.exchange.imported import a_kind, axcodes, name_of, registered_or_written
from annotation_backend.learning.exchange.nnunet_cases import export_cases
from annotation_backend.learning.splitting.arguments import add_splitting
from annotation_backend.learning.training_arguments import names, seed
from annotation_backend.studies.arguments import add_study
from datasets.errors import RejectedInput
from training.exchange.nnunet.environment import MADE_BY, NnunetEnvironment
from training.exchange.nnunet.result_folder import trained_folds

if TYPE_CHECKING:
    from training.exchange.imported import Imported

_STEPS = ("export", "plan", "train", "predict", "import")


class Command(MaskloopCommand):
    """nnU-Net's own programs run as they are; only its datasets and result folders are ours to write and read."""

    help = "Train nnU-Net on approved masks or a folder, in its own environment, and import what it learned."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """One command a step."""
        parser.epilog = f"nnU-Net's environment is made with: {MADE_BY}"
        parser.add_argument("step", choices=_STEPS, help="what to do, in this order")
        parser.add_argument("--work", type=a_path, required=True, metavar="FOLDER", help="where nnU-Net works")
        parser.add_argument("--environment", type=a_path, metavar="FOLDER", help="nnU-Net's (default: MASKLOOP_NNUNET)")
        parser.add_argument("--number", type=int, default=100, help="of the dataset, 1 to 999 (default 100)")
        parser.add_argument("--name", help="of the dataset (default: maskloop), or of the imported model")
        parser.add_argument(
            "--device",
            choices=("cpu", "cuda"),
            default="cuda" if shutil.which("nvidia-smi") else "cpu",
            help="default: the GPU where there is one",
        )
        self._add_cases(parser.add_argument_group("export"))
        self._add_training(parser.add_argument_group("plan, train, predict, import"))
        add_study(parser)

    def _add_cases(self, group: Any) -> None:
        add_cohort(group, required=False)
        add_splitting(group)
        group.add_argument("--without", type=names, default=(), metavar="CASE,CASE", help="leave these cases out")
        group.add_argument("--seed", type=seed, default=0, help="of the folds")
        group.add_argument("--channels", nargs="+", metavar="IMAGE", help="of approved cases, by name in the protocol")
        group.add_argument("--label", help="the label to learn")

    def _add_training(self, group: Any) -> None:
        group.add_argument("--configuration", default="3d_fullres", help="default 3d_fullres")
        group.add_argument(
            "--fold",
            metavar="K",
            help="to train, from 0, or all (default 0); to predict with (default: all trained folds, which import "
            "joins as well)",
        )
        group.add_argument("--trainer", default="nnUNetTrainer", help="default nnUNetTrainer; nnUNetTrainer_1epoch …")
        group.add_argument("--iterations", type=int, metavar="N", help="iterations an epoch (default nnU-Net's 250)")
        group.add_argument("--resume", action="store_true", help="go on with a training that was stopped")
        group.add_argument("--processes", type=int, default=2, metavar="N", help="of nnU-Net (default 2)")
        group.add_argument("--results", type=a_path, metavar="FOLDER", help="result folder (default: the one trained)")
        group.add_argument("--input", type=a_path, metavar="FOLDER", help="images to predict, CASE_0000.nii.gz")
        group.add_argument("--out", type=a_path, metavar="FOLDER", help="of predicted masks, or of the package")
        group.add_argument(
            "--images",
            nargs="+",
            type=a_kind,
            default=(),
            metavar="KIND",
            help="kind of each channel to import, in their order; an export of ours says it itself",
        )
        group.add_argument("--model-version", default="1", metavar="VERSION", help="of the imported model (default 1)")
        group.add_argument(
            "--axcodes",
            type=axcodes,
            metavar="CODE",
            help="where the axes of the files run that it learned from, such as LPS; an export of ours says it itself",
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Does one step."""
        step = options["step"]
        if step == "export":
            return export_cases(options, self.progress)
        if step == "import":
            return self._import(options)
        environment = NnunetEnvironment.found(options["work"], options["environment"])
        arguments = {"plan": _plan, "train": _train, "predict": _predict}[step](options)
        environment.run(step, arguments, iterations=options["iterations"] if step == "train" else None)
        self.say(f"nnU-Net's {step} is done; nnunet-{step}.log in the work folder holds what it said.")
        return {"step": step}, []

    def _import(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        from training.exchange.nnunet.results import import_results

        name, version = name_of(options["name"] or "nnunet", options["work"]), options["model_version"]

        def write(package: Path) -> "Imported":
            return import_results(
                _results(options),
                package,
                name=name,
                version=version,
                kinds=options["images"],
                axcodes=options["axcodes"] or "",
            )

        return registered_or_written(self, write, name=name, version=version, folder=options["out"])


def _plan(options: dict[str, Any]) -> list[str]:
    count = str(options["processes"])
    configuration = ["-c", options["configuration"], "-npfp", count, "-np", count]
    return ["-d", str(options["number"]), *configuration, "--verify_dataset_integrity"]


def _train(options: dict[str, Any]) -> list[str]:
    which = [str(options["number"]), options["configuration"], options["fold"] or "0"]
    return [*which, "-tr", options["trainer"], "-device", options["device"], *(["--c"] if options["resume"] else [])]


def _predict(options: dict[str, Any]) -> list[str]:
    if options["input"] is None or options["out"] is None:
        raise RejectedInput("options-incomplete", "predict needs --input and --out.", remedy="See --help.")
    results = _results(options)
    places = ["-i", str(options["input"]), "-o", str(options["out"]), "-m", str(results)]
    folds = [options["fold"]] if options["fold"] else list(trained_folds(results))
    return [*places, "-f", *folds, "-device", options["device"], "-npp", "1", "-nps", "1"]


def _results(options: dict[str, Any]) -> Path:
    """The result folder that was named, or that of the dataset's training."""
    if options["results"] is not None:
        return Path(options["results"])
    found = sorted((options["work"] / "results").glob(f"Dataset{options['number']:03d}_*"))
    if len(found) != 1:
        raise RejectedInput(
            "nnunet-untrained",
            f"The work folder has no results of dataset {options['number']}.",
            remedy="Train it first, or name a result folder with --results.",
        )
    return Path(found[0] / f"{options['trainer']}__nnUNetPlans__{options['configuration']}")
