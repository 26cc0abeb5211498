"""MONAI's list of cases: monai.json, the Medical Segmentation Decathlon's datalist with the suggested folds.

``monai.data.load_decathlon_datalist`` and Auto3DSeg read it; paths are relative to the release's folder.
"""

from collections.abc import Mapping, Sequence

from datasets.files import canonical_json
from datasets.release.manifest import CaseEntry
from datasets.release.settings import ReleaseRole, ReleaseSettings


def monai_list(settings: ReleaseSettings, entries: Sequence[CaseEntry], folds: Mapping[str, int]) -> bytes:
    """The bytes of monai.json.

    Args:
        settings: The release's.
        entries: Its cases.
        folds: The number of each case's suggested fold, from 1; MONAI counts from 0.
    """
    channels = channels_of(settings, entries)
    content = {
        "name": settings.title,
        "description": settings.description.strip(),
        "licence": settings.licence,
        "release": settings.version,
        "tensorImageSize": "3D",
        "modality": {str(at): role.title for at, role in enumerate(channels)},
        "labels": {"0": "background"} | {str(value): name for value, name in sorted(settings.labels.items())},
        "numTraining": len(entries),
        "numTest": 0,
        "training": [
            {
                "case": entry.case,
                "image": [entry.images[role.name] for role in channels],
                "label": entry.mask,
                "fold": folds[entry.case] - 1,
            }
            for entry in entries
        ],
        "test": [],
    }
    return canonical_json(content)


def channels_of(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> list[ReleaseRole]:
    """The images that every case has, in the order of the release's roles: what loaders stack to channels."""
    return [role for role in settings.roles if all(role.name in entry.images for entry in entries)]
