"""Whether a model fits a study: its images are among the study's, by kind, and its label is one that prompts draw."""

from collections.abc import Mapping
from dataclasses import dataclass

from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.study.image_kind import Fit, ImageKind, roles_of
from datasets.study.protocol import Protocol


@dataclass(frozen=True)
class StudyFit:
    """How a model fits a study.

    Args:
        fit: How well its images do.
        labels: The study's prompted labels that it draws.
        reason: What does not fit or is doubtful, as a sentence without its stop; empty where all fits.
    """

    fit: Fit
    labels: tuple[str, ...]
    reason: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether the model may serve without a person's word."""
        return self.fit is Fit.FITS and bool(self.labels)


def fit_in(model: Model, protocol: Protocol) -> StudyFit:
    """How a model fits a study with a protocol."""
    prompted = tuple(label.name for label in protocol.prompted_labels)
    labels = tuple(name for name in prompted if model.label in ("", name))
    worst, reasons = Fit.FITS, []
    for word in model.images:
        kind = ImageKind.from_word(word)
        found = roles_of(kind, protocol.images, drawn=protocol.drawn)
        fit = max((fitting.fit for fitting in found.values()), default=Fit.OTHER)
        worst = min(worst, fit)
        if fit is not Fit.FITS:
            told = found or {role.name: kind.fits(role) for role in protocol.images}
            reasons.append(f"learned from {kind.title}, and {', '.join(each.reason for each in told.values())}")
    if not labels:
        reasons.append(f"draws {model.label}, and prompts of this study draw {' and '.join(prompted) or 'nothing'}")
    return StudyFit(worst, labels, f"{model} {'; it '.join(reasons)}" if reasons else "")


def roles_for(model: Model, protocol: Protocol, *, drawn: str, present: Mapping[str, object]) -> dict[str, str]:
    """The image of a case that a model is given for each kind that it takes.

    Where several fit a kind equally well, it is the drawn one, else the first in the protocol's order.

    Args:
        model: A model that takes images of certain kinds.
        protocol: Of the case's study.
        drawn: Name of the image that is drawn on.
        present: The case's images by name.

    Returns:
        Kind to the image's name, in the model's order.

    Raises:
        RejectedInput: No image of the study is of the kind (``model-images``), several may be and none is for certain
            (``model-images-doubtful``), or the case lacks it (``case-image-missing``).
    """
    chosen: dict[str, str] = {}
    for word in model.images:
        kind = ImageKind.from_word(word)
        able = roles_of(kind, protocol.images, drawn=drawn)
        if not able:
            raise RejectedInput("model-images", f"{fit_in(model, protocol).reason}.", remedy=_OTHER_MODEL)
        if len(able) > 1 and next(iter(able)) != drawn and all(each.fit is Fit.DOUBTFUL for each in able.values()):
            raise RejectedInput(
                "model-images-doubtful",
                f"{model} learned from {kind.title}, and it is not said which of {', '.join(able)} that is.",
                remedy="Say more of these images in the protocol, or train a model on the study's own.",
            )
        free = [name for name in able if name in present and name not in chosen.values()]
        if not free:
            raise RejectedInput(
                "case-image-missing",
                f"This case has no {' and no '.join(able)}, and {model} draws on {kind.title}.",
                remedy="Use another kind of prompt, or brush.",
            )
        chosen[word] = free[0]
    return chosen


_OTHER_MODEL = "Choose a model that learned from the study's images, or train one: `manage.py train_model`."
