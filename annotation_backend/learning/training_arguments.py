"""The arguments of `train_model`, and the combinations that are refused."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import TYPE_CHECKING, Any, NoReturn

from annotation_backend.commandline.arguments import a_path
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device
from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR
from datasets.study.splits import LARGEST_SEED
from training.methods.train import TRAINABLE
from training.model_package import Method, ModelDescription
from training.segmenters.postprocessing import Cleaning

if TYPE_CHECKING:
    from training.methods.train import TrainingChoice

_FOLDER_ONLY = (
    "image_glob",
    "mask_glob",
    "mask_value",
    "resample",
    "without",
    "out",
    "model_version",
    "fold",
    "cleaning",
)
"""Options that go with --cohort."""

_PROMPTED_ONLY = (
    *("iterations", "automatic_iterations", "click_free", "canvas", "folds", "ensemble", "name", "cohort"),
    *_FOLDER_ONLY,
)
"""Options that the 2.5D U-Net does not have."""


def add_training(parser: ArgumentParser) -> None:
    """Adds method, training examples, duration and output."""
    methods = [Method.UNET_25D.value, *(method.value for method in TRAINABLE)]
    parser.add_argument("method", nargs="?", choices=methods, default=methods[0], help=f"default {methods[0]}")
    parser.add_argument("--steps", type=int, help="optimizer steps of unet-25d (default 60)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of every random choice")
    parser.add_argument("--dry-run", action="store_true", help="only list the training examples")
    add_device(parser)
    parser.add_argument(
        "--channels",
        nargs="+",
        metavar="IMAGE",
        help="images of approved cases, by their names in the protocol (default: its first required image; unet-25d: "
        "all required ones)",
    )
    parser.add_argument(
        "--label", help=f"the label to learn (default: the first that prompts draw; with --cohort {TUMOUR})"
    )
    _add_prompted(parser.add_argument_group("all methods but unet-25d"))
    add_cohort(parser, required=False)
    _add_folder(parser.add_argument_group("with --cohort"))


def seed(text: str) -> int:
    """A seed, 0 to 2**32 - 1; as `choices`, argparse would list them all in its help."""
    found = int(text)
    if not 0 <= found <= LARGEST_SEED:
        raise ArgumentTypeError(f"expected a seed from 0 to {LARGEST_SEED}, got {found}")
    return found


def _add_prompted(group: Any) -> None:
    group.add_argument("--iterations", type=int, help="default: those of some minutes a fold on two cores")
    group.add_argument("--automatic-iterations", type=int, help="iterations of two-stage's first network")
    group.add_argument(
        "--click-free", type=float, metavar="SHARE", help="of deepedit's iterations without clicks (default 0.25)"
    )
    group.add_argument("--canvas", type=_sizes, metavar="I,J,K", help="size of click methods' canvas")
    group.add_argument("--folds", type=int, metavar="N", help="cross-validation instead of one final model")
    group.add_argument("--ensemble", action="store_true", help="write the folds as one model")
    group.add_argument("--name", help="name of the model (default: the method; own-METHOD from approved masks)")


def _add_folder(group: Any) -> None:
    group.add_argument("--without", type=names, default=(), metavar="CASE,CASE", help="leave these cases out")
    group.add_argument(
        "--out", type=a_path, metavar="FOLDER", help="folds, packages, checkpoints; a stopped training goes on"
    )
    group.add_argument("--fold", type=int, metavar="K", help="only fold K, from 1, so that machines share the work")
    group.add_argument("--model-version", metavar="VERSION", help="version of the model (default 1)")
    group.add_argument("--cleaning", choices=list(Cleaning), help="post-processing of a final model (default none)")


def require_fitting(options: dict[str, Any]) -> None:
    """Refuses options that belong to another training, or that lack another option.

    Raises:
        RejectedInput: The message names the options.
    """
    method = Method(options["method"])
    if method is Method.UNET_25D:
        _refuse_given(options, _PROMPTED_ONLY, "a prompted method", "Name one, e.g. train_model six-points.")
        return
    _refuse_given(options, ("steps",), "unet-25d", "Give --iterations.")
    if method is not Method.DEEPEDIT:
        _refuse_given(options, ("click_free",), "deepedit", "Leave it out.")
    if method is not Method.TWO_STAGE:
        _refuse_given(options, ("automatic_iterations",), "two-stage", "Give --iterations.")
    if method is Method.SIX_POINTS:
        _refuse_given(options, ("canvas",), "the click methods", "Leave it out.")
    _require_name(options["name"] or method.value, options["model_version"] or "1")
    if options["cohort"] is None:
        _require_approved(options)
    else:
        _require_folder(options)


def choice_of(options: dict[str, Any], channels: tuple[str, ...], label: str) -> "TrainingChoice":
    """The training that the options describe.

    Args:
        options: Of the command.
        channels: Kinds of the images.
        label: That the masks hold.

    Raises:
        RejectedInput: A number is out of range.
    """
    from training.methods.train import TrainingChoice

    share = options["click_free"]
    return TrainingChoice(
        Method(options["method"]),
        channels=channels,
        iterations=options["iterations"],
        automatic_iterations=options["automatic_iterations"],
        click_free=0.25 if share is None else share,
        canvas=options["canvas"],
        seed=options["seed"],
        label=label,
    )


def fold_numbers(fold: int | None, count: int) -> list[int]:
    """The folds to train, counted from 0.

    Raises:
        RejectedInput: There is no such fold.
    """
    if fold is None:
        return list(range(count))
    if not 1 <= fold <= count:
        raise RejectedInput("fold-number", f"Expected a fold from 1 to {count}, got {fold}.", remedy="Choose one.")
    return [fold - 1]


def names(value: str) -> tuple[str, ...]:
    """An argparse type: names with commas between them."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _require_name(name: str, version: str) -> None:
    """Refuses a bad name before hours of training, rather than after them."""
    try:
        ModelDescription(name, version, Method.SIX_POINTS, {}, {})
    except RejectedInput as error:
        raise RejectedInput(
            "model-name",
            "A name may hold small letters, digits and hyphens, a version letters, digits, dots and hyphens; "
            "at most 64 characters each.",
            remedy="Correct --name or --model-version.",
        ) from error


def _require_approved(options: dict[str, Any]) -> None:
    _refuse_given(options, _FOLDER_ONLY, "a folder", "Give --cohort, or leave it out.")
    if (options["folds"] is None) == options["ensemble"]:
        _refuse("--folds N and --ensemble go together on approved masks, which give one registered model.")


def _require_folder(options: dict[str, Any]) -> None:
    if not (options["image_glob"] and options["mask_glob"] and options["out"]):
        _refuse("--cohort needs --image-glob, --mask-glob and --out.")
    _refuse_given(options, ("channels",), "approved masks", "Name the globs, e.g. --image-glob t1=… t2=….")
    if options["folds"] is not None:
        _refuse_given(options, ("cleaning",), "a final model", "Leave it out: --ensemble chooses on the folds' cases.")
    elif options["fold"] is not None or options["ensemble"]:
        _refuse("--fold and --ensemble need --folds N.")


def _refuse_given(options: dict[str, Any], those: tuple[str, ...], owner: str, remedy: str) -> None:
    given = [name for name in those if options[name] not in (None, False, "", (), [])]
    if given:
        listed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise RejectedInput(
            "option-elsewhere",
            f"{listed} can only be used with {owner}.",
            remedy=remedy,
        )


def _refuse(message: str) -> NoReturn:
    raise RejectedInput("options-incomplete", message, remedy="See --help.")


def _sizes(value: str) -> tuple[int, ...]:
    return tuple(int(size) for size in value.split(","))
