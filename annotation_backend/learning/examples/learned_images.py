"""Which of a study's images and which of its labels a model learns from, said in names of its protocol."""

from collections.abc import Sequence

from datasets.errors import RejectedInput
from datasets.study.image_kind import Fit, ImageKind, is_kind, roles_of
from datasets.study.protocol import Protocol


def kinds_to_learn(protocol: Protocol, named: Sequence[str] | None = None, *, sees_all_images: bool) -> tuple[str, ...]:
    """The kinds of the images that a model learns from.

    Args:
        protocol: Of the study.
        named: The images by their names in the protocol, or by kind; None for those that the method learns from where
            nobody names any.
        sees_all_images: Whether that are all images that every case has, or the first of them; the method's own
            (`training.table.method.Method`).

    Raises:
        RejectedInput: The study has no such image (``image-unknown``), or two of them are of one kind
            (``images-alike``).
    """
    usual = protocol.required if sees_all_images else protocol.required[:1]
    roles = [_role_named(protocol, name) for name in (named or usual)]
    kinds = [ImageKind.of_role(protocol.image(role)).word for role in roles]
    for role, kind in zip(roles, kinds, strict=True):
        if role_of_kind(protocol, kind) != role or kinds.count(kind) > 1:
            raise RejectedInput(
                "images-alike",
                f"Another image of the study is {ImageKind.from_word(kind).title} as well as {role}: a model could not "
                "tell them apart.",
                remedy="Train on one of them, or say in the protocol how they differ.",
            )
    return tuple(kinds)


def role_of_kind(protocol: Protocol, kind: str) -> str:
    """The image of a study that a model learns from as one of a kind.

    Raises:
        RejectedInput: None is of the kind for certain (``image-unknown``).
    """
    found = roles_of(ImageKind.from_word(kind), protocol.images, drawn=protocol.drawn)
    role = next((name for name, fitting in found.items() if fitting.fit is Fit.FITS), None)
    if role is None:
        raise _unknown(protocol, kind)
    return role


def label_to_learn(protocol: Protocol, named: str | None = None) -> str:
    """The label that a model learns to draw.

    Args:
        protocol: Of the study.
        named: The label; None for the first that prompts draw, or where there is none, the first of all.

    Raises:
        RejectedInput: The study has no such label (``label-unknown``).
    """
    names = [label.name for label in protocol.labels]
    if named is None:
        return protocol.learned_label.name
    if named not in names:
        raise RejectedInput(
            "label-unknown", "The study has no such label.", remedy=f"Name one of its labels: {', '.join(names)}."
        )
    return named


def _role_named(protocol: Protocol, name: str) -> str:
    if name in protocol.roles:
        return name
    if not is_kind(name):
        raise _unknown(protocol, name)
    return role_of_kind(protocol, name)


def _unknown(protocol: Protocol, name: str) -> RejectedInput:
    return RejectedInput(
        "image-unknown",
        f"The study has no image {name!r}.",
        remedy=f"Name images of its protocol: {', '.join(protocol.roles)}.",
    )
