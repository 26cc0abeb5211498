"""Findings about a converted export: assumptions, regions and drafts that were left out, slices that are missing."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from annotation_backend.labeling.exchange.export_masks import DrawnVolume, ExportedMasks
from annotation_backend.labeling.exchange.export_places import Cut
from datasets.finding import Finding, Level
from datasets.pictures.picture_turn import RADIOLOGICAL
from datasets.study.protocol import Protocol

_MOST_NAMED = 20
_WORDS = {"R": "right", "L": "left", "A": "front", "P": "back", "S": "head", "I": "feet"}


def doubts_of_volume(volume: DrawnVolume, overlap: int) -> Iterator[Finding]:
    """Doubts about a written volume's place and voxels.

    Args:
        volume: The volume.
        overlap: In how many voxels several labels met.
    """
    if volume.place.cut is Cut.UNKNOWN:
        yield Finding(
            Level.WARNING,
            "geometry-unknown",
            "Its place and voxel size are unknown; 1 mm was written.",
            "Give the folders of exported slices (--slices) or the volume that the pictures were cut from (--grid).",
            volume.name,
        )
    if volume.place.cut is Cut.ASSUMED:
        yield _assumed(volume)
    if overlap:
        yield Finding(
            Level.WARNING,
            "label-overlap",
            f"{overlap} voxels have several labels; the one that stands first was written.",
            "Nothing, if that is meant; the order of --labels or of the --protocol says which stands first.",
            volume.name,
        )


def doubts_of_export(masks: ExportedMasks, labels: Collection[str], protocol: Protocol | None) -> Iterator[Finding]:
    """Saves, drafts, regions and labels of an export that are in no volume.

    Args:
        masks: All that the export holds.
        labels: Those that were asked for; none for all.
        protocol: Whose labels were asked for; None for `labels`.
    """
    if not masks.volumes:
        text = "The export has no saves with masks; no volume was made."
        remedy = "Submit the slices in Label Studio and export again with their annotations."
        yield Finding(Level.WARNING, "nothing-drawn", text, remedy)
    yield from _holes(masks)
    yield from _drafts(masks)
    if masks.blank:
        text = f"{masks.blank} mask region(s) have no pixel at all and count as empty."
        yield Finding(Level.INFO, "regions-blank", text, "Open their tasks and delete them, or draw them again.")
    if masks.sizeless:
        text = f"{masks.sizeless} mask(s) do not say how large their picture is; taken for as wide and high as the "
        text += "volume's slices."
        remedy = "Compare them with the volume, or export with original_width and original_height."
        yield Finding(Level.WARNING, "size-assumed", text, remedy)
    yield from _left_out(masks, labels)
    yield from _unknown(masks, protocol)


def _assumed(volume: DrawnVolume) -> Finding:
    cut = volume.place.plane.anatomical if volume.place.plane is not None else None
    across, down = RADIOLOGICAL[cut] if cut else ("RL", "AP")
    text = (
        f"No task says how its picture was cut; taken for {cut} slices with the patient's {_WORDS[across[0]]} on the "
        f"left and {_WORDS[down[0]]} above (--across {across} --down {down}), numbered as in the volume, from 0."
    )
    remedy = (
        f"Compare a slice with the volume. If it is right, say so with --across {across} --down {down}; if it is "
        f"mirrored or turned, give the directions that it has, e.g. --across {across[::-1]}."
    )
    return Finding(Level.WARNING, "cut-assumed", text, remedy, volume.name)


def _holes(masks: ExportedMasks) -> Iterator[Finding]:
    """Slices without a save between slices with masks: they are empty in the mask, and may be tumour.

    On a known volume every slice counts; elsewhere only those of which the export has a task, as other people's
    projects number slices in their own ways.
    """
    for (name, _), (subject, is_known, slices) in _slices(masks).items():
        drawn = [index for index, is_drawn in slices.items() if is_drawn]
        between = range(min(drawn, default=0), max(drawn, default=0))
        asked = between if is_known else sorted(i for case, i in masks.unsaved if case == name and i in between)
        unsaved = [index for index in asked if index not in slices]
        if unsaved:
            holes = {(name, index) for index in unsaved}
            drafts = sum(count for place, count in masks.drafts.items() if place.slice in holes)
            text = f"Between slices with masks, nobody saved {_named('slice', unsaved)}"
            text += f" ({drafts} draft(s))." if drafts else "."
            remedy = "Open them in Label Studio, submit them, and export again."
            yield Finding(Level.WARNING, "slice-unsaved", text, remedy, subject)


def _slices(masks: ExportedMasks) -> dict[tuple[str, int | None], tuple[str, bool, dict[int, bool]]]:
    """By case or volume, and annotator: its name, whether its volume is known, and whether each slice has a mask."""
    found: dict[tuple[str, int | None], tuple[str, bool, dict[int, bool]]] = {}
    for volume in masks.volumes.values():
        shown = volume.place.slice
        if shown is None:
            continue
        is_known = volume.place.plane is not None
        subject = volume.name if is_known else shown[0]
        _, _, slices = found.setdefault((shown[0], volume.annotator), (subject, is_known, {}))
        if is_known:
            slices.update((index, page.is_drawn) for index, page in volume.pages.items())
        else:
            slices[shown[1]] = any(page.is_drawn for page in volume.pages.values())
    return found


def _drafts(masks: ExportedMasks) -> Iterator[Finding]:
    """Drafts are in no export's masks, though somebody drew them."""
    known: dict[str, list[int]] = {}
    for place in masks.drafts:
        name, index = place.slice or (place.name, -1)
        known.setdefault(name if index >= 0 else "", []).append(index)
    for name, slices in sorted(known.items()):
        of = f"{len(slices)} task(s)" if -1 in slices else _named("slice", slices)
        text = f"Drafts of {of}, which nobody submitted, are left out."
        yield Finding(Level.WARNING, "draft-left-out", text, "Submit them in Label Studio, and export again.", name)


def _left_out(masks: ExportedMasks, labels: Collection[str]) -> Iterator[Finding]:
    if masks.passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(masks.passed_over.items()))
        text = f"Regions that are no masks were left out: {kinds}."
        yield Finding(Level.INFO, "regions-left-out", text, "Only brush and bitmask regions become voxels.")
    if labels and (others := len(set(masks.labels) - set(labels))):
        text = f"{others} other label(s) of the export were left out."
        yield Finding(Level.INFO, "labels-left-out", text, "Name them too (--labels) if you want them.")
    if masks.labels and (missing := len(set(labels) - set(masks.labels))):
        text = f"{missing} of the labels that were named have no mask in the export."
        yield Finding(Level.WARNING, "labels-missing", text, "Write labels as the project has them, capitals too.")


def _unknown(masks: ExportedMasks, protocol: Protocol | None) -> Iterator[Finding]:
    """Drawn labels that the protocol does not have are in no volume."""
    known = masks.labels if protocol is None else protocol.label_names.values()
    for label in sorted(set(masks.labels) - set(known)):
        text = f"Masks are drawn as {label!r}, a label that the protocol does not have; they were left out."
        remedy = "Give them a label of the protocol, or name the labels that you want (--labels)."
        yield Finding(Level.WARNING, "label-unknown", text, remedy)


def _named(what: str, numbers: Iterable[int]) -> str:
    """``slices 3, 5, 8``, of many only the first."""
    ordered: Sequence[int] = sorted(set(numbers))
    shown = ", ".join(map(str, ordered[:_MOST_NAMED]))
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return f"{what}{'s' if len(ordered) > 1 else ''} {shown}{more}"
