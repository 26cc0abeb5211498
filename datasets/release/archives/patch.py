"""What a patch holds: the files of a version that the one before has nowhere, and the script that joins both."""

from dataclasses import dataclass
from pathlib import Path

from datasets.archives.zip_writing import ArchivedFile
from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.release.archives import apply_patch
from datasets.release.archives.contents import files_below, text_file
from datasets.release.archives.texts import patch_text
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.stores.lists import ReleaseLists

SCRIPT_NAME = "apply_patch.py"
SCHEMA = "maskloop-patch/1"


@dataclass(frozen=True)
class Patch:
    """What makes a version of a release out of another one.

    Args:
        former: What belongs to the version that it is applied to.
        new: What belongs to the version that it makes.
    """

    former: ReleaseLists
    new: ReleaseLists

    @property
    def title(self) -> str:
        """Name and both versions."""
        return f"{self.former.title}-to-{self.new.manifest.version}"

    @property
    def changed(self) -> tuple[str, ...]:
        """The paths of the files that the former version has nowhere, and the two lists."""
        known = {expected.sha256 for expected in self.former.files.values()}
        lists = {MANIFEST_NAME, SUMS_NAME}
        new = {path for path, expected in self.new.files.items() if expected.sha256 not in known}
        return tuple(sorted(new | lists))

    @property
    def removed(self) -> tuple[str, ...]:
        """The paths that the new version does not have any more."""
        return tuple(sorted(set(self.former.files) - set(self.new.files)))


def planned_patch(former: ReleaseLists, new: ReleaseLists) -> Patch:
    """The patch between two versions of one release.

    Raises:
        RejectedInput: They are of two releases, or the same (``patch-versions``).
    """
    if former.manifest.name != new.manifest.name or former.manifest.version == new.manifest.version:
        raise RejectedInput(
            "patch-versions",
            f"A patch leads from one version of a release to another; got {former.title} and {new.title}.",
            remedy="Give two versions of one release.",
        )
    return Patch(former, new)


def patch_words(patch: Patch) -> str:
    """How to apply it."""
    return patch_text(patch.title, patch.former.title, patch.new.title, len(patch.changed))


def patch_files(patch: Patch, folder: Path) -> tuple[ArchivedFile, ...]:
    """The files of a patch below a folder of its name, without their checksums.

    Args:
        patch: Between two versions.
        folder: The new version's.
    """
    texts = {
        "README.txt": patch_words(patch).encode(),
        SCRIPT_NAME: Path(apply_patch.__file__).read_bytes(),
        "patch.json": canonical_json(_document(patch)),
    }
    top = patch.title
    named = tuple(text_file(f"{top}/{name}", content) for name, content in sorted(texts.items()))
    return named + files_below(f"{top}/files", folder, patch.new, patch.changed)


def _document(patch: Patch) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "former": {"title": patch.former.title, "digest": patch.former.digest},
        "new": {
            "title": patch.new.title,
            "digest": patch.new.digest,
            "manifest_sha256": patch.new.files[MANIFEST_NAME].sha256,
        },
        "changed": list(patch.changed),
        "removed": list(patch.removed),
    }
