"""Cases of a study or a folder as a dataset of nnU-Net, with our folds."""

from typing import Any

from annotation_backend.learning.examples.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.retraining.rules import held_back
from annotation_backend.learning.splitting.arguments import external_of, rule_of
from annotation_backend.learning.splitting.folds import planned_folds, require_apart
from annotation_backend.studies.arguments import study_of
from datasets.errors import RejectedInput
from datasets.formats.nnunet_dataset import SPLITS_NAME, dataset_folder_name, write_splits
from datasets.image.mask import TUMOUR
from datasets.progress import ProgressOf
from datasets.study.splits.rule import SplitName, SplitRule
from training.exchange.nnunet.dataset import write_dataset

USUAL_FOLDS = 5
"""nnU-Net's own number."""


def export_cases(options: dict[str, Any], progress_of: ProgressOf) -> tuple[dict[str, Any], list[str]]:
    """Writes ``raw/DatasetXXX_name`` and ``preprocessed/DatasetXXX_name/splits_final.json`` in the work folder.

    Args:
        options: Of the command `nnunet`.
        progress_of: Makes the progress display of each part.

    Returns:
        The result as plain values, and findings.

    Raises:
        RejectedInput: As the trainings of other methods, also for cases of the external cohort (``split-leak``), or a
            dataset of this number is there already.
    """
    work = options["work"].absolute()
    name = dataset_folder_name(options["number"], options["name"] or "maskloop")
    examples, kinds, label = _examples(options)
    require_apart(examples, progress=progress_of("comparing images: case"))
    rule = rule_of(options) or SplitRule(SplitName.STRATIFIED, folds=USUAL_FOLDS, seed=options["seed"])
    folds = planned_folds(examples, work / "folds" / name, rule).folds
    cases = sorted(examples.cases)
    dataset = work / "raw" / name
    write_dataset(
        dataset,
        cases,
        examples.load,
        kinds=kinds,
        label=label,
        inputs=examples.inputs,
        progress=progress_of("exporting case"),
    )
    write_splits(work / "preprocessed" / name / SPLITS_NAME, folds, examples.patients)
    document = {"dataset": name, "cases": cases, "images": list(kinds), "label": label, "folds": len(folds)}
    return document, list(examples.findings)


def _examples(options: dict[str, Any]) -> tuple[TrainingExamples, tuple[str, ...], str]:
    """The examples, the kinds of their images, and the label."""
    external = external_of(options)
    if options["cohort"] is None:
        study = study_of(options)
        label = label_to_learn(study.protocol, options["label"])
        kinds = kinds_to_learn(study.protocol, options["channels"], sees_all_images=False)
        external = held_back(study, external)
        return examples_of_snapshot(take_snapshot(study), kinds, label, external=external), tuple(kinds), label
    if not (options["image_glob"] and options["mask_glob"]):
        raise RejectedInput("options-incomplete", "--cohort needs --image-glob and --mask-glob.", remedy="See --help.")
    examples, kinds = examples_of_folder(
        options["cohort"],
        options["image_glob"],
        options["mask_glob"],
        resample=options["resample"],
        without=options["without"],
        mask_value=options["mask_value"],
        table=options["case_table"],
    )
    return examples.without_external(external), kinds, options["label"] or TUMOUR
