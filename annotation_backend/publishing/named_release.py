"""Which release a command is about: a folder, ours or anybody's, or one of a study by its name and version."""

from pathlib import Path

from annotation_backend.publishing.correcting.withdrawn import require_nobody_withdrawn
from annotation_backend.publishing.models import Release
from annotation_backend.studies.services import find_study
from datasets.errors import RejectedInput


def find_release(named: str, study: str | None, *, is_given_away: bool = False) -> tuple[Path, str | None]:
    """The release's folder, and its digest where the database knows it.

    Args:
        named: A folder, or name and version such as ``thigh-tumours-1.0.0`` where a study is named.
        study: The study's name; None for a folder, for which no database is asked.
        is_given_away: Whether others are to get it: then none with withdrawn cases is found.

    Raises:
        RejectedInput: There is no such folder (``release-missing``), study (``study-unknown``) or release of it
            (``release-unknown``), or it holds withdrawn cases (``release-withdrawn``).
    """
    if study is None:
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise RejectedInput(
                "release-missing",
                "There is no folder of a release here that can be opened.",
                remedy="Give the folder's path, or the release's name and version with --study.",
            )
        return folder, None
    releases = Release.objects.filter(study=find_study(study))
    found = next((release for release in releases if str(release) == named), None)
    if found is None:
        raise RejectedInput(
            "release-unknown",
            f"The study has no release of this name; it has {', '.join(map(str, releases)) or 'none'}.",
            remedy="Give name and version with a hyphen between them, such as thigh-tumours-1.0.0.",
        )
    if is_given_away:
        require_nobody_withdrawn(found)
    return found.path, found.digest
