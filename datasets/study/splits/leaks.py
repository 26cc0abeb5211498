"""The check for leaks: one patient, or one image under whatever name and header, on both sides of a split."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

from datasets.errors import RejectedInput
from datasets.study.splits.split_case import SplitCase

_MOST_NAMED = 5


def require_no_leak(
    learned: Sequence[SplitCase], tested: Sequence[SplitCase], pixels: Mapping[str, Collection[str]]
) -> None:
    """Refuses a split of which a patient or an image is on both sides.

    Args:
        learned: The cases that a model learns from.
        tested: The cases that it is tried on.
        pixels: Digests of each case's images (`datasets.image.digest.pixels_sha256`), by the case's code; cases that
            are left out are compared by patient only.

    Raises:
        RejectedInput: ``split-leak``, with the codes of the cases.
    """
    patients = [(learned_case.patient, learned_case.case) for learned_case in learned]
    if pairs := _on_both(patients, [(case.patient, case.case) for case in tested]):
        _refuse("are of one patient", pairs, "Keep a patient's cases on one side, or correct whose they are.")
    if pairs := _on_both(_images(learned, pixels), _images(tested, pixels)):
        _refuse("show the same image", pairs, "Leave one of the two out, or say that they are of one patient.")


def _images(cases: Iterable[SplitCase], pixels: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
    return [(digest, case.case) for case in cases for digest in pixels.get(case.case, ())]


def _on_both(learned: Iterable[tuple[str, str]], tested: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of cases of which the one is learned from and the other, or the same, is tested on, by what they share."""
    codes = defaultdict(set)
    for shared, code in learned:
        codes[shared].add(code)
    return sorted({(one, other) for shared, other in tested for one in codes.get(shared, ())})


def _refuse(how: str, pairs: Sequence[tuple[str, str]], remedy: str) -> NoReturn:
    named = "; ".join(f"{one} and {other}" for one, other in pairs[:_MOST_NAMED])
    more = f"; and {len(pairs) - _MOST_NAMED} more pairs" if len(pairs) > _MOST_NAMED else ""
    raise RejectedInput(
        "split-leak",
        f"Cases that are learned from and cases that are tried {how}: {named}{more}.",
        remedy=remedy,
    )
