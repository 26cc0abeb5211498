"""The arguments of `train_model` that say how cases are split, and which it must not read."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import a_path
from datasets.errors import RejectedInput
from datasets.study.splits.external import ExternalCohort, external_cohort, shipped_cohorts
from datasets.study.splits.rule import USUAL_SHARE, SplitName, SplitRule
from training.methods.crossvalidation import FOLDS_NAME, TrainedFolds


def add_splitting(parser: ArgumentParser) -> None:
    """Adds --folds, --split, --test-share, --external and --case-table."""
    parser.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help="cross-validation instead of one final model; with --split random, how many splits",
    )
    parser.add_argument(
        "--split",
        choices=[name.value for name in SplitName],
        help="how cases are split: stratified by tissue type, site and size (default with --folds), mstt-199 (its five "
        "folds), random, leave-one-type-out, leave-one-vendor-out, tissue-type (as releases suggest), grouped (as "
        "trainings of earlier versions)",
    )
    parser.add_argument(
        "--test-share", type=float, metavar="SHARE", help=f"test share of random splits (default {USUAL_SHARE})"
    )
    parser.add_argument(
        "--external",
        metavar="NAME or FILE",
        help=f"a frozen external cohort that must not be learned from: {', '.join(shipped_cohorts())}, or a document "
        "of freeze_external",
    )
    add_case_table(parser)


def add_case_table(parser: ArgumentParser) -> None:
    """Adds --case-table."""
    parser.add_argument(
        "--case-table",
        type=a_path,
        metavar="FILE.csv",
        help="with --cohort: a row for each case, with the columns case, patient, tissue_type, anatomical_site, vendor",
    )


def is_split(options: Mapping[str, Any]) -> bool:
    """Whether folds are to be trained rather than one final model."""
    return options["split"] is not None or options["folds"] is not None


def rule_of(options: Mapping[str, Any]) -> SplitRule | None:
    """The rule by which cases are to be split; None for one final model.

    Raises:
        RejectedInput: Options do not go together (``split-settings``).
    """
    if not is_split(options):
        if options["test_share"] is not None:
            raise RejectedInput(
                "split-settings", "A final model has no test share.", remedy="Give --split random and --folds N."
            )
        return None
    name = SplitName(options["split"] or SplitName.STRATIFIED)
    share = options["test_share"]
    if name is SplitName.RANDOM and share is None:
        share = USUAL_SHARE
    return SplitRule(name, folds=options["folds"], seed=options["seed"], test_share=share)


def begun_rule(options: Mapping[str, Any], folder: Path, rule: SplitRule) -> SplitRule:
    """The rule with which folds in a folder were begun by an earlier version, which had one only, if none was named."""
    if options["split"] is None and (folder / FOLDS_NAME).is_file() and TrainedFolds.read(folder).rule is None:
        return SplitRule(SplitName.GROUPED, folds=rule.folds, seed=rule.seed)
    return rule


def external_of(options: Mapping[str, Any]) -> ExternalCohort | None:
    """The external cohort that was named; None where none was.

    Raises:
        RejectedInput: As `external_cohort`.
    """
    return external_cohort(options["external"]) if options["external"] else None
