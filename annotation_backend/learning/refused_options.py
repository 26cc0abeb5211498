"""Combinations of `train_model`'s options that are refused, before hours of training."""

from typing import Any, NoReturn

from annotation_backend.learning.splitting.arguments import is_split
from annotation_backend.learning.training_arguments import DEFAULT_METHOD, option_owners
from datasets.errors import RejectedInput
from training.model_package import require_name

_FOLDER_ONLY = (
    "image_glob",
    "mask_glob",
    "mask_value",
    "resample",
    "case_table",
    "without",
    "out",
    "model_version",
    "fold",
    "cleaning",
    "scheduler",
)
"""Options that go with --cohort."""


def require_fitting(options: dict[str, Any]) -> None:
    """Refuses options that belong to another training, or that lack another option.

    Raises:
        RejectedInput: The message names the options.
    """
    method = options["method"]
    if method != DEFAULT_METHOD:
        _refuse_given(options, ("steps",), DEFAULT_METHOD, "Give --iterations.")
    require_own_options(options, method)
    if options["steps"] is not None and options["iterations"] is not None:
        _refuse("--steps and --iterations are the same; give one of them.")
    require_name(options["name"] or method, options["model_version"] or "1")
    if options["cohort"] is None:
        _require_approved(options)
    else:
        _require_folder(options)


def require_own_options(options: dict[str, Any], method: str) -> None:
    """Refuses options of other methods.

    Raises:
        RejectedInput: ``option-elsewhere``.
    """
    for name, owners in option_owners().items():
        if method not in owners:
            _refuse_given(options, (name,), " or ".join(owners), "Leave it out.")


def _require_approved(options: dict[str, Any]) -> None:
    _refuse_given(options, _FOLDER_ONLY, "a folder", "Give --cohort, or leave it out.")
    if is_split(options) != options["ensemble"]:
        _refuse("--folds N or --split, and --ensemble go together on approved masks, which give one registered model.")


def _require_folder(options: dict[str, Any]) -> None:
    if not (options["image_glob"] and options["mask_glob"] and options["out"]):
        _refuse("--cohort needs --image-glob, --mask-glob and --out.")
    _refuse_given(options, ("channels",), "approved masks", "Name the globs, e.g. --image-glob t1=… t2=….")
    if is_split(options):
        _refuse_given(options, ("cleaning",), "a final model", "Leave it out: --ensemble chooses on the folds' cases.")
    elif options["fold"] is not None or options["ensemble"] or options["scheduler"]:
        _refuse("--fold, --ensemble and --scheduler need --folds N or --split.")


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
