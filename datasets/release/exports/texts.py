"""What lies beside every export: which release it is of, its licence, what was left out, and how it is loaded."""

from collections.abc import Mapping
from typing import Any

from datasets.files import canonical_json
from datasets.finding import Finding
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.paths import LICENCE_NAME

RECORD_NAME = "export.json"
README_NAME = "README.txt"

EXPORT_SCHEMA = "maskloop-export/1"


def export_texts(
    title: str, name: str, selection: Selection, *, prepared: PreparedExport, findings: tuple[Finding, ...]
) -> dict[str, bytes]:
    """The texts by their names.

    Args:
        title: The format for people.
        name: Its word.
        selection: What is exported.
        prepared: What the format makes of it.
        findings: What is not in the export as it is in the release.
    """
    texts = {
        RECORD_NAME: canonical_json(_record(name, selection, prepared.facts, findings=findings)),
        README_NAME: _readme(title, selection, prepared.loading, findings=findings).encode(),
    }
    licence = selection.source.licence_file
    if licence is not None:
        texts[LICENCE_NAME] = licence.read_bytes()
    return texts


def _record(
    name: str, selection: Selection, facts: Mapping[str, Any], *, findings: tuple[Finding, ...]
) -> dict[str, Any]:
    source = selection.source
    return {
        "schema": EXPORT_SCHEMA,
        "format": name,
        "release": {"name": source.name, "version": source.version, "digest": source.digest},
        "licence": source.licence,
        "labels": {str(value): label for value, label in source.labels.items()},
        "images": {role.name: role.kind for role in selection.roles},
        "cases": {case.code: _case(case.patient, case.tissue_type, case.anatomical_site) for case in selection.cases},
        "folds": [list(fold) for fold in selection.folds],
        "findings": [finding.as_dict() for finding in findings],
        **facts,
    }


def _case(patient: str, tissue: str, site: str) -> dict[str, str]:
    return {"patient": patient, "tissue_type": tissue, "anatomical_site": site}


def _readme(title: str, selection: Selection, loading: str, *, findings: tuple[Finding, ...]) -> str:
    source = selection.source
    head = (
        f"{source.name} {source.version} as {title}\n\n"
        f"{len(selection.cases)} case(s), made of the release with the digest\n{source.digest}.\n"
        f"Licence: {source.licence}; see {LICENCE_NAME}. {RECORD_NAME} says the same for programs.\n"
        "No list of digests covers an export: if it may be damaged, verify the release and export it again."
    )
    left = "What is not as in the release:\n\n" + "\n".join(f"- {each}" for each in findings) if findings else ""
    return "\n\n".join(part for part in (head, loading.strip(), left) if part) + "\n"
