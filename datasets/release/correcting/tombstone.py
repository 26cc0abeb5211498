"""The tombstone beside a version that holds withdrawn cases: what strangers who have it should delete, and why it goes.

It names codes, files and the day; no reason, since a reason may tell who somebody is. Files have the digests of their
voxels, too, as far as the manifest has them: so that it can still be proven of later versions that they are without,
after the files themselves were deleted.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.release.correcting.held_volumes import HeldVolume
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_reading import AnyCase, AnyManifest, strict_json
from datasets.release.paths import MASK, TOMBSTONE_SCHEMA

_ASKS = (
    "These cases were withdrawn and must not be used any more. Delete these files, every copy, and whatever was made "
    "of them; the next version of the release is without them."
)


def tombstone(manifest: AnyManifest, withdrawn: Mapping[str, date]) -> bytes | None:
    """The bytes of a tombstone; None where the version holds none of the cases.

    Args:
        manifest: The version's.
        withdrawn: The day on which each withdrawn case was, by the code that the version has for it.
    """
    digests = {file.path: file.sha256 for file in manifest.files}
    cases: list[AnyCase] = [case for case in manifest.cases if case.case in withdrawn]
    if not cases:
        return None
    value = {
        "schema": TOMBSTONE_SCHEMA,
        "release": str(manifest.name),
        "version": str(manifest.version),
        "release_digest": manifest.release_digest,
        "asks": _ASKS,
        "withdrawn": [
            _entry(case, withdrawn[case.case], digests) for case in sorted(cases, key=lambda case: case.case)
        ],
    }
    return canonical_json(value)


def paths_of(case: AnyCase) -> tuple[str, ...]:
    """The files of a case, relative to the release's folder."""
    if isinstance(case, CaseEntry):
        return case.paths
    return (*case.image_paths.values(), case.mask_path)


def _code(case: AnyCase) -> str:
    return case.case


def _entry(case: AnyCase, day: date, digests: Mapping[str, str]) -> dict[str, Any]:
    voxels = _voxels(case)
    files = [
        {"path": path, "sha256": digests[path], **voxels.get(path, {})}
        for path in sorted(paths_of(case))
        if path in digests
    ]
    return {"case": case.case, "date": day.isoformat(), "shape": list(case.shape), "files": files}


def _voxels(case: AnyCase) -> dict[str, dict[str, str]]:
    """By path, what an image or a mask is, and the digest of its voxels."""
    if not isinstance(case, CaseEntry):
        return {}
    paths = {**case.image_paths, MASK: case.mask_path}
    return {path: {"volume": name, "voxels": case.voxels[name]} for name, path in paths.items() if name in case.voxels}


def buried_volumes(content: bytes) -> tuple[HeldVolume, ...]:
    """The images and masks that a tombstone of ours names.

    Raises:
        RejectedInput: It is none, or names no voxels (``tombstone-unsound``).
    """
    value = strict_json(content)
    try:
        place = f"{value['release']}-{value['version']}"
        found = [
            HeldVolume(place, str(case["case"]), str(file["volume"]), str(file["voxels"]), tuple(case["shape"]))
            for case in value["withdrawn"]
            for file in case["files"]
            if "voxels" in file
        ]
    except (KeyError, TypeError):
        found = []
    if not found:
        message = "The tombstone is none, or names no voxels."
        raise RejectedInput("tombstone-unsound", message, remedy="Restore it, or the release, from the backup.")
    return tuple(found)
