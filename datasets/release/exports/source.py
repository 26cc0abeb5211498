"""The release that an export is made of: verified, and read the same way whatever its schema.

A release may be anybody's: what it calls itself, its roles, labels and cases goes into names of files and headers, and
is checked as that of a release to be built.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.progress import Progress
from datasets.release.case_files import compact
from datasets.release.correcting.given_away import require_nobody_withdrawn
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_1 import Manifest1
from datasets.release.manifest_2 import Manifest2
from datasets.release.manifest_reading import AnyCase, AnyManifest, read_manifest, strict_json
from datasets.release.paths import LICENCE_NAME, MANIFEST_NAME, SPLITS_NAME
from datasets.release.settings import ReleaseRole, ReleaseSettings, check_settings
from datasets.release.verify import verify_release
from datasets.study.image_kind import is_kind
from datasets.study.splits.split_case import Folds

_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_FINDINGS_SAID = 3
_KINDS = {"CT": "ct", "PT": "pet"}


@dataclass(frozen=True)
class SourceCase:
    """One case of the release.

    Args:
        code: Its code.
        patient: Its patient's.
        tissue_type: Tissue of origin.
        anatomical_site: In words; may be empty.
        drawn_role: The role of the image that the mask was drawn on.
        images: The path of each image by its role.
        mask: The path of the mask.
        is_empty: Whether the mask holds no voxel.
        record: The path of what is known of the mask; None in former schemas.
    """

    code: str
    patient: str
    tissue_type: str
    anatomical_site: str
    drawn_role: str
    images: Mapping[str, str]
    mask: str
    is_empty: bool
    record: str | None = None


@dataclass(frozen=True)
class ReleaseSource:
    """A release as its folder holds it.

    Args:
        folder: Where it lies.
        name: Its name.
        version: Its version.
        digest: Its `release_digest`.
        licence: Name of the data's licence.
        labels: Name of each value of the masks, by rising value.
        roles: What images cases have, in order.
        cases: Sorted by code.
        folds: The suggested folds.
        digests: SHA-256 of each file by its path.
    """

    folder: Path
    name: str
    version: str
    digest: str
    licence: str
    labels: Mapping[int, str]
    roles: tuple[ReleaseRole, ...]
    cases: tuple[SourceCase, ...]
    folds: Folds
    digests: Mapping[str, str] = field(repr=False)

    def volume(self, case: SourceCase, role: str) -> Volume:
        """An image of a case, as whole numbers where it is stored as such."""
        volume = read_volume(self.folder / case.images[role])
        return Volume(compact(volume.data), volume.grid)

    def mask(self, case: SourceCase) -> Mask:
        """The mask of a case."""
        return read_mask(self.folder / case.mask, labels=self.labels)

    def models_of(self, case: SourceCase) -> tuple[str, ...]:
        """The models that drew for the people who made the mask, as far as the release says."""
        said = None if case.record is None else strict_json((self.folder / case.record).read_bytes())
        for key in ("Maskloop", "provenance", "models"):
            said = said.get(key) if isinstance(said, dict) else None
        models = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
        names = [f"{each.get('name', '')}-{each.get('version', '')}".strip("-") for each in models]
        return tuple(name for name in names if name and name.isprintable())

    @cached_property
    def licence_file(self) -> Path | None:
        """The licence in full."""
        found = sorted(path for path in self.digests if path in (LICENCE_NAME, f"{LICENCE_NAME}.txt"))
        return self.folder / found[0] if found else None

    @property
    def title(self) -> str:
        """Name and version, as the release's folder is called."""
        return f"{self.name}-{self.version}"


def open_release(
    folder: Path, *, expected_digest: str | None = None, progress: Progress = lambda done, total: None
) -> ReleaseSource:
    """Verifies a release of any schema and reads what it holds.

    Args:
        folder: The release's folder; nothing in it is written.
        expected_digest: The digest that the publisher names, where it is known.
        progress: Called with the bytes that were verified, and all of them.

    Raises:
        RejectedInput: It is not as it was published (``export-release-damaged``), or its names are none that a release
            of ours has; or a tombstone lies beside it (``release-withdrawn``).
    """
    require_nobody_withdrawn(folder)
    report = verify_release(folder, expected_digest=expected_digest, progress=progress)
    if report.findings:
        said = "; ".join(f"{each.subject or 'the folder'}: {each.message}" for each in report.findings[:_FINDINGS_SAID])
        raise RejectedInput(
            "export-release-damaged",
            f"The release is not as it was published ({len(report.findings)} findings). {said}",
            remedy="See all with verify_release; fetch the release again, or restore it from the backup.",
        )
    source = _read(folder, read_manifest((folder / MANIFEST_NAME).read_bytes()))
    _refuse_other_names(source)
    return source


def _read(folder: Path, manifest: AnyManifest) -> ReleaseSource:
    return ReleaseSource(
        folder=folder,
        name=manifest.name,
        version=manifest.version,
        digest=manifest.release_digest,
        licence=manifest.licence,
        labels=_labels(manifest),
        roles=_roles(manifest),
        cases=tuple(sorted((_case(entry) for entry in manifest.cases), key=lambda case: case.code)),
        folds=_folds(folder),
        digests={entry.path: entry.sha256 for entry in manifest.files},
    )


def _labels(manifest: AnyManifest) -> dict[int, str]:
    if isinstance(manifest, Manifest1):
        return {int(value): name for value, name in sorted(manifest.labels.items(), key=lambda item: int(item[0]))}
    return {label.value: label.name for label in sorted(manifest.labels, key=lambda label: label.value)}


def _roles(manifest: AnyManifest) -> tuple[ReleaseRole, ...]:
    if isinstance(manifest, Manifest1):
        return tuple(ReleaseRole(word, word.upper(), word) for word in manifest.cases[0].image_paths)
    if isinstance(manifest, Manifest2):
        return tuple(ReleaseRole(role.name, role.name, _kind(role.name, role.modality)) for role in manifest.roles)
    return tuple(ReleaseRole(role.name, role.title, role.kind) for role in manifest.roles)


def _kind(role: str, modality: str) -> str:
    """The kind of a role's images where a schema knows their modality only: MR roles are mostly called by it."""
    return _KINDS.get(modality, role if is_kind(role) else "mr")


def _case(entry: AnyCase) -> SourceCase:
    drawn = getattr(entry, "drawn_role", None) or getattr(entry, "annotated_sequence", "")
    return SourceCase(
        code=entry.case,
        patient=entry.patient,
        tissue_type=entry.tissue_type,
        anatomical_site=entry.anatomical_site,
        drawn_role=str(drawn).lower(),
        images=entry.image_paths,
        mask=entry.mask_path,
        is_empty=entry.mask_empty,
        record=entry.record if isinstance(entry, CaseEntry) else None,
    )


def _folds(folder: Path) -> Folds:
    """The suggested folds, which the verification found to hold every case once."""
    folds = strict_json((folder / SPLITS_NAME).read_bytes())["folds"]
    return tuple(tuple(str(code) for code in fold) for fold in folds)


def _refuse_other_names(source: ReleaseSource) -> None:
    check_settings(
        ReleaseSettings(source.name, source.version, source.licence, labels=source.labels, roles=source.roles)
    )
    codes = [case.code for case in source.cases]
    is_unfit = not all(_CODE.fullmatch(code) for code in (*codes, *(case.patient for case in source.cases)))
    if is_unfit or len({code.casefold() for code in codes}) < len(codes):
        raise RejectedInput(
            "export-codes",
            "A case or patient of the release has a code that can be no file's name, or two have one code.",
            remedy="Ask the publisher for a new version.",
        )
