"""Which case of one version is which of the other: by its code, by a code that it had before, or by its very images."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_reading import AnyCase


class Matched(NamedTuple):
    """The cases of two versions.

    Args:
        pairs: Old and new of those that both hold, in the new version's order.
        came: Those that only the new version holds.
        left: Those that only the old version holds.
    """

    pairs: Sequence[tuple[AnyCase, AnyCase]]
    came: Sequence[AnyCase]
    left: Sequence[AnyCase]


def matched(old: OpenedRelease, new: OpenedRelease) -> Matched:
    """Finds the cases of both."""
    waiting = {case.case: case for case in old.manifest.cases}
    found: dict[str, AnyCase] = {}
    for case in new.manifest.cases:
        if case.case in waiting:
            found[case.case] = waiting.pop(case.case)
    for case in new.manifest.cases:
        former = [code for code in _former_codes(case) if code in waiting]
        if case.case not in found and former:
            found[case.case] = waiting.pop(former[0])
    unknown = [case for case in new.manifest.cases if case.case not in found]
    by_images = _by_images(old, waiting.values()) if unknown and waiting else {}
    for case in unknown if by_images else ():
        same = by_images.pop(_images(new, case), None)
        if same is not None:
            found[case.case] = waiting.pop(same.case)
    pairs = [(found[case.case], case) for case in new.manifest.cases if case.case in found]
    came = [case for case in new.manifest.cases if case.case not in found]
    return Matched(pairs, came, list(waiting.values()))


def _former_codes(case: AnyCase) -> tuple[str, ...]:
    return case.former_codes if isinstance(case, CaseEntry) else ()


def _by_images(release: OpenedRelease, cases: Iterable[AnyCase]) -> dict[tuple[str, ...], AnyCase]:
    return {images: case for case in cases if (images := _images(release, case))}


def _images(release: OpenedRelease, case: AnyCase) -> tuple[str, ...]:
    """Digests of the voxels of a case's images; none where one cannot be read."""
    if isinstance(case, CaseEntry):
        return tuple(sorted(case.voxels.get(role, "") for role in case.images))
    try:
        return tuple(sorted(str(release.facts(case, path).voxels) for path in case.image_paths.values()))
    except RejectedInput:
        return ()
