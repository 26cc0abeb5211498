"""The steps of an erratum: which state may follow which."""

from collections.abc import Mapping

from annotation_backend.accounts.models import User
from annotation_backend.publishing.models import Erratum, ErratumStep, Release
from datasets.errors import RejectedInput
from datasets.release.correcting.errata_file import ErratumState

_MAY_FOLLOW: Mapping[ErratumState, tuple[ErratumState, ...]] = {
    ErratumState.REPORTED: (ErratumState.ACCEPTED, ErratumState.DECLINED, ErratumState.WITHDRAWN),
    ErratumState.ACCEPTED: (ErratumState.DECLINED, ErratumState.CORRECTED, ErratumState.WITHDRAWN),
}
"""Where an erratum goes from a state; nowhere from the others."""


def step(
    erratum: Erratum, state: ErratumState, *, person: User | None, words: str = "", release: Release | None = None
) -> ErratumStep:
    """The next step of an erratum; must run in a transaction that holds the case's lock.

    Raises:
        RejectedInput: It has come to a state that this one does not follow (``erratum-decided``).
    """
    now = ErratumState(ErratumStep.objects.filter(erratum=erratum).order_by("pk").last().state)  # type: ignore[union-attr]
    if state not in _MAY_FOLLOW.get(now, ()):
        message = f"Erratum {erratum.number} is {now.value} already."
        raise RejectedInput("erratum-decided", message, remedy="Load the page; report a new one if more is wrong.")
    return ErratumStep.objects.create(erratum=erratum, state=state, words=words, person=person, release=release)
