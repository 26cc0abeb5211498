"""Images of training examples by kind (`datasets.study.image_kind`): which may be learned from, which are there."""

from collections.abc import Mapping, Sequence

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from datasets.study.image_kind import USUAL_WORDS, is_kind


def require_kinds(kinds: Sequence[str]) -> None:
    """Refuses images that a model cannot be trained on.

    Raises:
        RejectedInput: There is none, one is named twice, or a word is no kind of image (``fit-channels``).
    """
    if not kinds or len({*kinds}) < len(kinds) or not all(map(is_kind, kinds)):
        raise RejectedInput(
            "fit-channels",
            f"Images must be some of {', '.join(USUAL_WORDS)} (or such as t2-fs, t1-ce), each once.",
            remedy="Name the images that every case has.",
        )


def image_of(volumes: Mapping[str, Volume], kind: str) -> Volume:
    """A training example's image of a kind.

    Raises:
        RejectedInput: There is none.
    """
    if kind not in volumes:
        raise RejectedInput(
            "sequence-missing",
            f"A training example has no image {kind}, and every example needs it.",
            remedy="Leave the case out, or train on the images that every case has.",
        )
    return volumes[kind]
