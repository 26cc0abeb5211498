"""What cases hold of a protocol, and may therefore not be taken out of it or mean something else."""

from collections import Counter
from collections.abc import Iterator

from annotation_backend.cases.models import Case, Series
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.study.protocol import UNKNOWN_TISSUE, ImageRole, Protocol, Wanted

_OWN_STUDY = "or make a study of its own for the other protocol (`manage.py create_study`)."


def require_kept(study: Study, protocol: Protocol) -> None:
    """Refuses a protocol under which images that cases have would be none, others would lack, or mean something else.

    Excluded cases count, since they can be taken back.

    Raises:
        RejectedInput: An image that cases have is gone (``protocol-image-used``) or is another one
            (``protocol-image-changed``), cases lack one that is required now (``protocol-image-lacking``), people drew
            on an image that is drawn on no more (``protocol-drawn-used``), or cases are of a tissue type that is gone
            (``protocol-tissue-type-used``).
    """
    cases = Case.objects.filter(study=study, is_rehearsal=False)
    has = Counter(Series.objects.filter(case__in=cases).order_by().values_list("role", flat=True))
    for role, count in sorted(has.items()):
        _require_image(study.protocol, protocol, role, count)
    for role in protocol.required:
        lacking = cases.count() - has[role]
        if lacking:
            raise RejectedInput(
                "protocol-image-lacking",
                f"{lacking} case(s) have no {role}, which the document requires.",
                remedy="Let it be optional (required = false), " + _OWN_STUDY,
            )
    of_tissue = Counter(cases.order_by().values_list("tissue_type", flat=True))
    for tissue_type, count in sorted(of_tissue.items()):
        if tissue_type not in (*protocol.tissue_types, UNKNOWN_TISSUE):
            raise RejectedInput(
                "protocol-tissue-type-used",
                f"{count} case(s) are of the tissue type {tissue_type}, which the document does not have.",
                remedy="Keep it, or give these cases another one in cases.csv first.",
            )
        drawn = _drawn_on(study, protocol, tissue_type)
        if drawn:
            raise RejectedInput(
                "protocol-drawn-used",
                f"People drew on {study.protocol.drawn_role(tissue_type)} in {drawn} case(s) of the tissue type "
                f"{tissue_type}, and the document draws on {protocol.drawn_role(tissue_type)} there.",
                remedy="Leave what is drawn on as it is, " + _OWN_STUDY,
            )


def drawn_otherwise(study: Study, protocol: Protocol) -> Iterator[Finding]:
    """Says which registered cases, on which nobody drew, are drawn on another image by a protocol."""
    for case in Case.objects.in_use().filter(study=study).exclude(images_sha256="").order_by("code"):
        if protocol.drawn_role(case.tissue_type) != study.protocol.drawn_role(case.tissue_type):
            yield Finding(
                Level.WARNING,
                "drawn-image-changed",
                f"{protocol.drawn_role(case.tissue_type)} is drawn on from now on.",
                f"Run `manage.py register_cases --redo --case {case.code}`, `export_slices` and `publish_tasks`.",
                case.code,
            )


def _drawn_on(study: Study, protocol: Protocol, tissue_type: str) -> int:
    """How many cases of a tissue type people drew on, where another image would be drawn on."""
    if protocol.drawn_role(tissue_type) == study.protocol.drawn_role(tissue_type):
        return 0
    cases = Case.objects.filter(study=study, is_rehearsal=False, tissue_type=tissue_type)
    return sum(case.is_annotated for case in cases)


def _require_image(before: Protocol, after: Protocol, role: str, count: int) -> None:
    """Refuses a protocol that has no image that cases have, or another one under its name."""
    if role not in after.roles:
        raise RejectedInput(
            "protocol-image-used",
            f"{count} case(s) have a {role}, which the document does not have.",
            remedy="Keep the image, as an optional one where later patients may lack it, " + _OWN_STUDY,
        )
    if role in before.roles and _is_another(before.image(role), after.image(role)):
        raise RejectedInput(
            "protocol-image-changed",
            f"{count} case(s) have a {role}, and by the document it is another image than it was.",
            remedy="Give the other image a name of its own, " + _OWN_STUDY,
        )


def _is_another(before: ImageRole, after: ImageRole) -> bool:
    """Whether what was the one could not be the other: another machine or weighting, or what was wanted is refused."""
    if before.modality != after.modality:
        return True
    if None not in (before.weighting, after.weighting) and before.weighting != after.weighting:
        return True
    opposite = {Wanted.REQUIRE, Wanted.REFUSE}
    wishes = ((before.fat_suppression, after.fat_suppression), (before.contrast, after.contrast))
    return any(set(pair) == opposite for pair in wishes)
