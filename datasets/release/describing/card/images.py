"""The card's part on images: which there are, how they were acquired, and how they came onto one grid."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from datasets.release.describing.card.blocks import Block, Table, many, said
from datasets.release.describing.case_facts import CaseFacts
from datasets.release.settings import ReleaseSettings

MODALITY_WORDS = {"MR": "MRI", "CT": "CT", "PT": "PET"}

_WORDS = {"MR": "MRI", "CT": "CT", "PT": "PET"}

_WORDS = {"vendor": "vendor", "dimensions": "2D or 3D", "plane": "plane", "kernel": "kernel"}
_NUMBERS = {
    "field_strength_t": "field strength (T)",
    "repetition_time_ms": "TR (ms)",
    "echo_time_ms": "TE (ms)",
    "inversion_time_ms": "TI (ms)",
    "flip_angle_degrees": "flip angle (°)",
    "echo_train_length": "echo train length",
    "slices": "slices",
    "slice_thickness_mm": "slice thickness (mm)",
}
_SPACINGS = {"column spacing (mm)": 0, "row spacing (mm)": 1, "slice spacing (mm)": 2}


def image_blocks(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """What images there are, and how they were acquired."""
    rows = []
    for role in settings.roles:
        held = sum(role.name in case.entry.images for case in cases)
        drawn = sum(role.name == case.entry.drawn_role for case in cases)
        rows.append((role.name, role.title, MODALITY_WORDS[role.modality], role.kind, str(held), str(drawn)))
    heads = ("role", "image", "modality", "kind", "cases", "drawn on")
    missing = sum(bool(case.entry.missing_images) for case in cases)
    note = f"{many(missing, 'case')} without an optional image; `cases.csv` names it."
    grids = (
        "Images and mask of a case lie on one grid, that of the image that was drawn on; "
        "the others were registered onto it."
    )
    return (
        said(grids),
        Table("Images.", heads, tuple(rows), words=4),
        *([said(note)] if missing else []),
        _grid_table(cases),
        *_acquisition(settings, cases),
        *_registrations(settings, cases),
    )


def _grid_table(cases: Sequence[CaseFacts]) -> Table:
    """Shapes and spacings of the cases' grids."""
    rows = []
    for axis, name in enumerate("ijk"):
        sizes = [case.entry.shape[axis] for case in cases]
        spacings = [case.entry.spacing_mm[axis] for case in cases]
        rows.append((name, _range(sizes), _range(spacings)))
    return Table("Grids of the cases: median (least to most).", ("axis", "voxels", "spacing (mm)"), tuple(rows))


def _acquisition(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> Iterator[Block]:
    """The acquisition table: a column for each image, from the headers of its series."""
    by_role = {
        role: [found for case in cases if (found := case.acquisition.get(role.name))]
        for role in settings.roles
        if any(case.acquisition.get(role.name) for case in cases)
    }
    if not by_role:
        return
    rows = [("series with known headers", *(str(len(found)) for found in by_role.values()))]
    for key, head in _WORDS.items():
        rows.append((head, *(_counts([each.get(key) for each in found]) for found in by_role.values())))
    for key, head in _NUMBERS.items():
        rows.append((head, *(_range([each.get(key) for each in found]) for found in by_role.values())))
    for head, axis in _SPACINGS.items():
        rows.append((head, *(_range([_of_axis(each, axis) for each in found]) for found in by_role.values())))
    rows.append(("contrast agent", *(_agents(found) for found in by_role.values())))
    title = "Acquisition, of the series before registration: median (least to most), or how many."
    said_rows = tuple(row for row in rows if any(row[1:]))
    yield Table(title, ("of the series", *(role.title for role in by_role)), said_rows)


def _of_axis(found: Mapping[str, object], axis: int) -> object:
    spacing = found.get("spacing_mm")
    return spacing[axis] if isinstance(spacing, list) and len(spacing) == len(_SPACINGS) else None


def _agents(found: Sequence[Mapping[str, object]]) -> str:
    known = [each["has_contrast_agent"] for each in found if "has_contrast_agent" in each]
    return f"{sum(each is True for each in known)} of {len(known)}" if known else ""


def _counts(values: Sequence[object]) -> str:
    counts = Counter(value for value in values if isinstance(value, str))
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _range(values: Sequence[object]) -> str:
    known = [float(value) for value in values if isinstance(value, int | float)]
    if not known:
        return ""
    least, middle, most = (f"{round(value, 3):g}" for value in (min(known), median(known), max(known)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _registrations(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> Iterator[Block]:
    titles = {role.name: role.title for role in settings.roles}
    counts = Counter(
        (role, verdict) for case in cases for role, verdict in case.registrations.items() if role in titles
    )
    if counts:
        rows = tuple((titles[role], verdict, str(counts[role, verdict])) for role, verdict in sorted(counts))
        yield Table("Verdicts on the registrations.", ("image", "verdict", "cases"), rows, words=2)
