"""The card's part on masks: labels, how people and models made them, and how far readers agree."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from datasets.release.describing.card.blocks import Block, Bullets, Paragraph, Table, many, said
from datasets.release.describing.card.protocol_words import protocol_blocks
from datasets.release.describing.case_facts import CaseFacts
from datasets.release.settings import ReleaseSettings

_MEASURES = {"dice": "Dice", "surface_dice": "surface Dice", "hd95_mm": "HD95 (mm)", "readers": "readers"}


def mask_blocks(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """Labels, and how the masks were made, by the protocol's document or in the publisher's words."""
    labels = tuple((f"{value}: {name}",) for value, name in sorted(settings.labels.items()))
    made = settings.masks_made_by.strip()
    usual = (
        "Annotators drew the masks slice by slice, with masks that models suggested; "
        "a radiologist who had not drawn the mask approved each and scored its quality."
    )
    told = [Paragraph((made,))] if made else [] if settings.design else [Paragraph((usual,))]
    return (
        said("Labels (0 is background):"),
        Bullets(labels),
        *told,
        *(protocol_blocks(settings.design) if settings.design else ()),
        *_exceptions(cases),
        *_counted("Models that drew for the annotators, or whose masks they corrected.", "model", cases, _models),
        *_counted("Stages that the cases passed.", "stage", cases, _stages),
        *_agreement(cases),
    )


def _models(case: CaseFacts) -> Sequence[str]:
    return case.models


def _stages(case: CaseFacts) -> Sequence[str]:
    return case.stages


def _exceptions(cases: Sequence[CaseFacts]) -> Iterator[Block]:
    partly = sum(1 for case in cases if case.entry.unannotated_slices)
    empty = sum(1 for case in cases if case.entry.mask_empty)
    if partly:
        yield said(
            f"In {many(partly, 'case')} some slices were drawn on by nobody and are empty in the mask; "
            "`manifest.json` lists them."
        )
    if empty:
        yield said(f"The mask of {many(empty, 'case')} is empty, as its reviewer approved.")


def _counted(
    title: str, head: str, cases: Sequence[CaseFacts], names: Callable[[CaseFacts], Sequence[str]]
) -> Iterator[Block]:
    counts = Counter(name for case in cases for name in names(case))
    if counts:
        yield Table(title, (head, "cases"), tuple((name, str(counts[name])) for name in sorted(counts)))


def _agreement(cases: Sequence[CaseFacts]) -> Iterator[Block]:
    names = sorted({name for case in cases for name in case.agreement})
    rows = []
    for name in names:
        values = [case.agreement[name] for case in cases if name in case.agreement]
        shown = (
            f"{sum(values) / len(values):.3g}",
            f"{median(values):.3g}",
            f"{min(values):.3g}",
            f"{max(values):.3g}",
        )
        rows.append((_MEASURES.get(name, name.replace("_", " ")), str(len(values)), *shown))
    if rows:
        note = "Of cases that several people drew on their own, between their masks."
        yield Paragraph((note,))
        yield Table("Agreement of readers.", ("measure", "cases", "mean", "median", "least", "most"), tuple(rows))
