"""The cases that a model learned from, as its package keeps them: by name, or by digest where it came as a bundle.

A bundle goes to strangers, so it names no case. By its digest, whoever knows a case can ask whether it is among them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.files import sha256_of_bytes
from training.model_package import ModelDescription

NAMES, DIGESTS = "cases", "cases_sha256"
"""Keys of a member in a package's ``fit``."""


def fit_of(members: Sequence[Sequence[str]], *, key: str = NAMES) -> dict[str, Any]:
    """The part of a package's parameters that says which cases were learned from.

    Args:
        members: The cases of each network of an ensemble.
        key: `NAMES`, or `DIGESTS` for cases that are known by digest alone.
    """
    return {"fit": {"members": [{key: sorted(cases)} for cases in members]}}


def learned_digests(description: ModelDescription) -> list[list[str]]:
    """A digest of each case that each network of a model learned from; empty where the package does not say it."""
    return [sorted(_digests(member)) for member in description.parameters.get("fit", {}).get("members", [])]


def learned_cases(description: ModelDescription, cases: Sequence[str]) -> list[str]:
    """Those of some cases that have the name of one that a model learned from."""
    learned = {digest for member in learned_digests(description) for digest in member}
    return [case for case in cases if _digest(case) in learned]


def _digests(member: Mapping[str, Any]) -> list[str]:
    return [*map(_digest, member.get(NAMES, [])), *member.get(DIGESTS, [])]


def _digest(case: str) -> str:
    return sha256_of_bytes(case.encode())
