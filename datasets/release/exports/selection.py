"""Which cases and images of a release an export holds, and what is left out: by a person's word, never silently."""

from dataclasses import dataclass

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.release.exports.options import ExportOptions, Missing
from datasets.release.exports.source import ReleaseSource, SourceCase
from datasets.release.settings import ReleaseRole
from datasets.study.splits.split_case import Folds


@dataclass(frozen=True)
class Selection:
    """What is exported of a release.

    Args:
        source: The release.
        roles: The images, in order.
        cases: The cases, sorted by code.
        folds: The suggested folds of these cases.
        findings: What was left out.
    """

    source: ReleaseSource
    roles: tuple[ReleaseRole, ...]
    cases: tuple[SourceCase, ...]
    folds: Folds
    findings: tuple[Finding, ...]


def select(source: ReleaseSource, options: ExportOptions, *, needs_all_images: bool) -> Selection:
    """Chooses cases and images.

    Args:
        source: The release.
        options: A person's.
        needs_all_images: Whether each case of the format has every image.

    Raises:
        RejectedInput: An image is asked for that the release does not know (``export-images``), cases lack one and
            nobody said what to do (``export-images-missing``), or nothing is left (``export-nothing``).
    """
    roles = _asked_for(source, options.images)
    findings: list[Finding] = []
    cases = source.cases
    if needs_all_images:
        lacking = _lacking(cases, roles)
        if lacking and options.missing is Missing.REFUSE:
            raise _missing(lacking, len(cases))
        if options.missing is Missing.LEAVE_IMAGE_OUT:
            findings += [_image_left_out(role, count) for role, count in lacking.items()]
            roles = tuple(role for role in roles if role.name not in lacking)
        else:
            names = {role.name for role in roles}
            findings += [_case_left_out(case, roles) for case in cases if not names <= set(case.images)]
            cases = tuple(case for case in cases if names <= set(case.images))
    if not (roles and cases):
        raise RejectedInput(
            "export-nothing",
            "No image or no case is left to be exported.",
            remedy="Leave out less, or name images that the cases have.",
        )
    held = {case.code for case in cases}
    folds = tuple(kept for fold in source.folds if (kept := tuple(code for code in fold if code in held)))
    return Selection(source, roles, cases, folds, tuple(findings))


def _asked_for(source: ReleaseSource, images: tuple[str, ...]) -> tuple[ReleaseRole, ...]:
    by_name = {role.name: role for role in source.roles}
    if not set(images) <= set(by_name) or len(set(images)) < len(images):
        raise RejectedInput(
            "export-images",
            f"Expected images among {', '.join(by_name)}, each once.",
            remedy="Correct --images.",
        )
    return tuple(by_name[name] for name in images or by_name)


def _lacking(cases: tuple[SourceCase, ...], roles: tuple[ReleaseRole, ...]) -> dict[str, int]:
    """In how many cases each image is missing, where it is in any."""
    counts = {role.name: sum(role.name not in case.images for case in cases) for role in roles}
    return {name: count for name, count in counts.items() if count}


def _missing(lacking: dict[str, int], cases: int) -> RejectedInput:
    said = ", ".join(f"{name} in {count} of {cases}" for name, count in lacking.items())
    return RejectedInput(
        "export-images-missing",
        f"Every case of this format has all images, and some of the release lack one: {said} cases.",
        remedy="Say --missing leave-image-out or --missing leave-case-out, or name the images with --images.",
    )


def _image_left_out(role: str, count: int) -> Finding:
    return Finding(
        Level.WARNING,
        "export-image-left-out",
        f"The image {role} is exported of no case, since {count} case(s) lack it.",
        "Nothing, if meant.",
    )


def _case_left_out(case: SourceCase, roles: tuple[ReleaseRole, ...]) -> Finding:
    lacks = ", ".join(role.name for role in roles if role.name not in case.images)
    return Finding(
        Level.WARNING, "export-case-left-out", f"The case has no {lacks}.", "Nothing, if meant.", subject=case.code
    )
