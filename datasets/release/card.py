"""The dataset card of a release in Markdown, for readers of the data; the same release gives the same bytes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from datasets.finding import Finding
from datasets.release.manifest import CaseEntry
from datasets.release.request import ReleaseSettings
from datasets.study.case import QUALITY_MEANINGS

_MODALITY_WORDS = {"MR": "MRI", "PT": "PET"}


def dataset_card(
    settings: ReleaseSettings, cases: Sequence[CaseEntry], *, split_findings: Sequence[Finding] = ()
) -> str:
    """The card as Markdown.

    Args:
        settings: The publisher's texts.
        cases: Those of the release.
        split_findings: Findings about the suggested folds.

    Returns:
        Text with a final newline; no day of building, no machine, no person.
    """
    sections = [
        _head(settings, cases),
        _images(settings, cases),
        _masks(settings, cases),
        _counts("Tissue types", ["tissue type"], Counter((case.tissue_type,) for case in cases)),
        _quality(cases),
        _volumes(settings, cases),
        _files(settings),
        _splits(settings, split_findings),
        _bullets("Known limits", settings.known_limits or ("The publisher names none.",)),
        _withdrawn(settings),
        f"## Licence\n\n{settings.licence}; see `LICENSE.txt`.",
        _bullets("Citation", settings.citations or ("The publisher asks for none.",)),
        _verifying(settings),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(settings: ReleaseSettings, cases: Sequence[CaseEntry]) -> str:
    patients = len({case.patient for case in cases})
    after = f" It follows version {settings.follows}." if settings.follows else ""
    protocol = settings.protocol
    made_by = f" They were made by protocol {protocol.name}, version {protocol.version}." if protocol else ""
    return (
        f"# {settings.name} {settings.version}\n\n"
        f"{_modalities(settings)} with masks of {_listed(list(settings.labels.values()))}: "
        f"{_many(len(cases), 'case')} of {_many(patients, 'patient')}, "
        f"each with its images and a mask on one grid.{made_by}{after}"
    ) + (f"\n\n{settings.description.strip()}" if settings.description.strip() else "")


def _modalities(settings: ReleaseSettings) -> str:
    words = [_MODALITY_WORDS.get(role.modality, role.modality) for role in settings.roles]
    return _listed(list(dict.fromkeys(words)))


def _images(settings: ReleaseSettings, cases: Sequence[CaseEntry]) -> str:
    rows = [["role", "image", "modality", "cases", "drawn on"], ["---"] * 5]
    for role in settings.roles:
        held = sum(role.name in case.images for case in cases)
        drawn = sum(role.name == case.drawn_role for case in cases)
        rows.append([role.name, role.title, _MODALITY_WORDS.get(role.modality, role.modality), str(held), str(drawn)])
    missing = sum(bool(case.missing_images) for case in cases)
    note = f"\n\n{_many(missing, 'case')} without an optional image; `cases.csv` names it." if missing else ""
    return "## Images\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + note


def _masks(settings: ReleaseSettings, cases: Sequence[CaseEntry]) -> str:
    labels = "\n".join(f"- {value}: {name}" for value, name in sorted(settings.labels.items()))
    made = settings.masks_made_by.strip() or (
        "Annotators drew the masks slice by slice, with masks that models suggested; "
        "a radiologist who had not drawn the mask approved each and scored its quality."
    )
    partly = sum(1 for case in cases if case.unannotated_slices)
    empty = sum(1 for case in cases if case.mask_empty)
    notes = []
    if partly:
        notes.append(
            f"In {_many(partly, 'case')} some slices were drawn on by nobody and are empty in the mask; "
            "`manifest.json` lists them."
        )
    if empty:
        notes.append(f"The mask of {_many(empty, 'case')} is empty, as its reviewer approved.")
    return "\n\n".join(["## Masks", made, *notes, f"Labels (0 is background):\n\n{labels}"])


def _quality(cases: Sequence[CaseEntry]) -> str:
    scores: Counter[tuple[str, ...]] = Counter((_in_words(case.quality_score),) for case in cases)
    meanings = "\n".join(f"- {_in_words(score)}: {text}" for score, text in QUALITY_MEANINGS.items())
    return _counts("Quality scores", ["quality score"], scores) + f"\n\nWhat the scores mean:\n\n{meanings}"


def _volumes(settings: ReleaseSettings, cases: Sequence[CaseEntry]) -> str:
    rows = [["label", "cases", "median ml", "least ml", "most ml"], ["---"] * 5]
    for _, name in sorted(settings.labels.items()):
        volumes = [volume for case in cases if (volume := case.label_volumes_ml[name]) > 0]
        if volumes:
            measured = (median(volumes), min(volumes), max(volumes))
            rows.append([name, str(len(volumes)), *(f"{value:.3g}" for value in measured)])
    if len(rows) == 2:
        return ""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## Volumes\n\nOf the cases whose masks hold the label; `cases.csv` has each.\n\n{table}"


def _files(settings: ReleaseSettings) -> str:
    return f"""## Files

- `cases/<case>/<role>.nii.gz`: an image of each role, NIfTI, millimetres, RAS+ affine.
- `cases/<case>/mask.nii.gz`: the label map on the same grid.
- `cases.csv`: one line a case.
- `splits.json`: suggested folds (seed {settings.seed}); no patient is in two of them.
- `manifest.json`: digest of every file and of what each case came from.
- `SHA256SUMS`: digest of every file, for `sha256sum`.
- `LICENSE.txt`: the licence."""


def _splits(settings: ReleaseSettings, findings: Sequence[Finding]) -> str:
    return _bullets("Suggested folds", [str(finding) for finding in findings]) if findings else ""


def _withdrawn(settings: ReleaseSettings) -> str:
    if not settings.withdrawn:
        return ""
    text = "These cases of earlier versions were withdrawn and must not be used any more:"
    return f"## Withdrawn\n\n{text}\n\n" + "\n".join(f"- {code}" for code in sorted(settings.withdrawn))


def _verifying(settings: ReleaseSettings) -> str:
    folder = f"{settings.name}-{settings.version}"
    return f"""## How to verify

In this folder, with nothing installed:

    sha256sum -c SHA256SUMS

With Maskloop, which also names extra files and compares the grids of images and masks:

    python manage.py verify_release {folder}

The release's digest is `release_digest` in `manifest.json`; compare it with the one its publisher names."""


def _bullets(title: str, lines: Iterable[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line.strip()}" for line in lines)


def _counts(title: str, columns: list[str], counts: Counter[tuple[str, ...]]) -> str:
    return f"## {title}\n\n{_table(columns, counts)}"


def _table(columns: list[str], counts: Counter[tuple[str, ...]]) -> str:
    rows = [[*columns, "cases"], ["---"] * (len(columns) + 1)]
    rows += [[*key, str(counts[key])] for key in sorted(counts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _in_words(score: str | None) -> str:
    return score.replace("_", " ") if score else "not scored"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
