"""The settings of a study's retraining: what starts one, and how it is trained."""

from dataclasses import dataclass

from annotation_backend.accounts.models import User
from annotation_backend.learning.models import Retraining
from annotation_backend.learning.training_arguments import DEFAULT_METHOD
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.splits.external import ExternalCohort, external_of_values
from datasets.study.splits.rule import SplitName, SplitRule
from training.table.table import trainable_methods

MOST_CASES, MOST_DAYS, MOST_FOLDS = 10_000, 365, 20
FEWEST_FOLDS = 2


@dataclass(frozen=True)
class RetrainingRules:
    """When a study trains again, and how.

    Args:
        after_cases: That many new approved cases start a training; None: not by them.
        every_days: Days between two trainings; None: not by the clock.
        by_button: Whether Label Studio's button starts one.
        method: Of the model.
        folds: Folds whose ensemble is the model, with figures on held-out cases; 0 for one model of all cases.
        iterations: None for the method's own number.
        external: The cohort that no training of the study may read, whoever or whatever starts it; None for none.

    Raises:
        RejectedInput: A number is out of range, or the method cannot be trained (``retraining-settings``).
    """

    after_cases: int | None = None
    every_days: int | None = None
    by_button: bool = True
    method: str = DEFAULT_METHOD
    folds: int = 0
    iterations: int | None = None
    external: ExternalCohort | None = None

    def __post_init__(self) -> None:
        in_range = (
            (self.after_cases is None or 1 <= self.after_cases <= MOST_CASES)
            and (self.every_days is None or 1 <= self.every_days <= MOST_DAYS)
            and (self.folds == 0 or FEWEST_FOLDS <= self.folds <= MOST_FOLDS)
            and (self.iterations is None or self.iterations >= 1)
        )
        if not in_range or self.method not in map(str, trainable_methods()):
            raise RejectedInput(
                "retraining-settings",
                f"Expected 1 to {MOST_CASES} cases, 1 to {MOST_DAYS} days, 0 or {FEWEST_FOLDS} to {MOST_FOLDS} folds, "
                "at least one iteration, and a method that is trained.",
                remedy="Correct the number; an empty field turns that off.",
            )

    @property
    def rule(self) -> SplitRule | None:
        """How cases are split; None for one model of all cases."""
        return SplitRule(SplitName.STRATIFIED, folds=self.folds, seed=0) if self.folds else None


def rules_of(study: Study) -> RetrainingRules:
    """The settings in force; where nobody set any, only Label Studio's button trains, one model of all cases."""
    row = Retraining.objects.filter(study=study).first()
    if row is None:
        return RetrainingRules()
    fields = {name: getattr(row, name) for name in RetrainingRules.__dataclass_fields__ if name != "external"}
    return RetrainingRules(**fields, external=None if row.external is None else external_of_values(row.external))


def held_back(study: Study, named: ExternalCohort | None) -> ExternalCohort | None:
    """The external cohort of a training of a study: that of its settings, or one that was named.

    Args:
        study: The study.
        named: By a person, for this training; None where nobody named one.

    Raises:
        RejectedInput: The study holds another one back (``external-bound``).
    """
    bound = rules_of(study).external
    if bound is not None and named is not None and bound.digest != named.digest:
        raise RejectedInput(
            "external-bound",
            f"No training of the study may read {bound.name}, and {named.name} is another external cohort.",
            remedy="Leave --external out, or change the study's settings on its page Models.",
        )
    return bound or named


def change_rules(study: Study, rules: RetrainingRules, *, person: User | None = None) -> bool:
    """Puts other settings in force; those of before stay as history.

    Returns:
        Whether they differ from those in force.
    """
    if rules == rules_of(study):
        return False
    fields = {name: getattr(rules, name) for name in rules.__dataclass_fields__ if name != "external"}
    external = None if rules.external is None else rules.external.values
    Retraining.objects.create(study=study, person=person, external=external, **fields)
    return True
